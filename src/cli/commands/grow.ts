/** `grow`: more space for data in a store that is there. */
import type { Command } from "commander";
import { formatSize } from "../../base/units.ts";
import { addExamples, addJsonOption, type JsonOption, someSizeArgument } from "../arguments.ts";
import { withHost } from "../open-store.ts";
import type { Session } from "../session.ts";

export function addGrowCommand(program: Command, session: Session): void {
  const command = program
    .command("grow")
    .summary("give a store more space")
    .description(
      "Gives a store more space for data; it may be in use. A data file is made longer, and" +
        " takes space as it is written to; a block device must have the room already. A store" +
        " does not become smaller.",
    )
    .argument("<STORE>", "the store's directory")
    .argument("<CAPACITY>", "its space for data from now on", someSizeArgument)
    .action((store: string, capacity: number, { json }: JsonOption) =>
      grow(session, store, capacity, json),
    );
  addJsonOption(command);
  addExamples(command, ["blockspace grow my-store 128GiB", "room for more"]);
}

async function grow(
  session: Session,
  store: string,
  capacity: number,
  json?: boolean,
): Promise<void> {
  const figures = await withHost(session, store, {}, async (host) => {
    await host.grow(capacity, { signal: session.signal });
    return host.statistics();
  });
  const { capacity: now, free } = figures;
  await session.report(json, { capacity: now, free }, () => [
    `the store has ${formatSize(now)} now, of which ${formatSize(free)} are free`,
  ]);
}
