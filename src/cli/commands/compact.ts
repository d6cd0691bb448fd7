/** `compact`: moves live blocks together and gives what comes free back to the file system. */
import type { Command } from "commander";
import { formatSize } from "../../base/units.ts";
import { addExamples, addJsonOption, type JsonOption } from "../arguments.ts";
import { withHost } from "../open-store.ts";
import type { Session } from "../session.ts";

export function addCompactCommand(program: Command, session: Session): void {
  const command = program
    .command("compact")
    .summary("move live blocks together and give space back")
    .description(
      "Moves the blocks of the emptiest segments together, and gives the space that comes" +
        " free back to the file system below.",
    )
    .argument("<STORE>", "the store's directory")
    .action((store: string, { json }: JsonOption) => compact(session, store, json));
  addJsonOption(command);
  addExamples(command, ["blockspace compact my-store", "after many deletes"]);
}

async function compact(session: Session, store: string, json?: boolean): Promise<void> {
  const report = await withHost(session, store, {}, (host) =>
    host.compact({ signal: session.signal }),
  );
  const { segments, bytesMoved, problems } = report;
  await session.report(json, report, () => [
    `emptied ${segments} segments, moved ${formatSize(bytesMoved)}`,
  ]);
  for (const problem of problems) session.tell(problem);
  session.failed ||= problems.length > 0;
}
