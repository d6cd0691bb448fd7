/** `list`: the subvolumes, and what space each one holds. */
import type { Command } from "commander";
import { formatSize } from "../../base/units.ts";
import type { SubvolumeInfo } from "../../host/host.ts";
import type { Usage } from "../../host/usage.ts";
import type { StoreAccess } from "../control/store-access.ts";
import { addExamples, addJsonOption, type JsonOption } from "../arguments.ts";
import { withReadOnlyHost } from "../open-store.ts";
import type { Session } from "../session.ts";
import { isUnfinishedImport } from "../unfinished-import.ts";
import { formatTime, table } from "../table.ts";

type Listed = SubvolumeInfo & Usage;

export function addListCommand(program: Command, session: Session): void {
  const command = program
    .command("list")
    .summary("list the subvolumes")
    .description(
      "Lists subvolumes and snapshots in the order in which they were made. A subvolume" +
        " refers to blocks of its own and to shared ones; the exclusive ones come free when it" +
        " is deleted.",
    )
    .argument("<STORE>", "the store's directory")
    .action(async (store: string, { json }: JsonOption) => {
      const listed = await withReadOnlyHost(session, store, listAll);
      await session.report(json, listed, () => lines(session, listed));
    });
  addJsonOption(command);
  addExamples(
    command,
    ["blockspace list my-store", "for people"],
    ["blockspace list my-store --json | jq -r '.[].name'", "for programs"],
  );
}

async function listAll(host: StoreAccess): Promise<Listed[]> {
  const usage = await host.usage();
  return host.list().map((info) => ({ ...info, ...usage.get(info.name)! }));
}

function lines(session: Session, listed: readonly Listed[]): string[] {
  const columns = [
    { title: "NAME" },
    { title: "SIZE", align: "right" },
    { title: "REFERENCED", align: "right" },
    { title: "EXCLUSIVE", align: "right" },
    { title: "KIND" },
    { title: "SOURCE" },
    { title: "CREATED" },
  ] as const;
  const rows = listed.map((info) => [
    info.name,
    formatSize(info.size),
    formatSize(info.referencedBytes),
    formatSize(info.exclusiveBytes),
    kindOf(info),
    info.source ?? "-",
    formatTime(info.created),
  ]);
  const [titles, ...rest] = table(columns, rows);
  return [session.colors.bold(titles ?? ""), ...rest];
}

function kindOf(info: SubvolumeInfo): string {
  if (isUnfinishedImport(info.name)) return "unfinished import";
  return info.readOnly ? "snapshot" : "subvolume";
}
