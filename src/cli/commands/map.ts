/** `map`: where a subvolume's bytes lie, in the words of `qemu-img map`. */
import type { Command } from "commander";
import type { Iomap } from "../../host/iomap.ts";
import type { Series } from "../control/store-access.ts";
import { addExamples, addJsonOption, type JsonOption } from "../arguments.ts";
import { withReadOnlyHost } from "../open-store.ts";
import type { Session } from "../session.ts";
import { type Column, exactSize, row } from "../table.ts";

/** A range as `qemu-img map --output=json` names it, and what we know beyond that. */
export interface MapEntry {
  start: number;
  length: number;
  /** Holds data; what does not reads as zeroes. */
  data: boolean;
  zero: boolean;
  /** Where it lies on the data device; holes lie nowhere. */
  offset?: number;
  shared: boolean;
  type: Iomap["type"];
}

const columns: readonly Column[] = [
  { title: "START", align: "right", width: 14 },
  { title: "LENGTH", align: "right", width: 12 },
  { title: "OFFSET", align: "right", width: 14 },
  { title: "TYPE", width: 9 },
  { title: "SHARED", width: 6 },
];

export function addMapCommand(program: Command, session: Session): void {
  const command = program
    .command("map")
    .summary("show where a subvolume's bytes lie")
    .description(
      "Shows the ranges of a subvolume: holes, data, and blocks that are allocated but" +
        " unwritten. OFFSET is the place on the data device.",
    )
    .argument("<STORE>", "the store's directory")
    .argument("<NAME>", "the subvolume or snapshot")
    .action(async (store: string, name: string, { json }: JsonOption) => {
      await withReadOnlyHost(session, store, async (host) => {
        const entries = mapEntries(host.get(name).extents());
        if (json) await session.output.jsonArray(entries);
        else await printLines(session, entries);
      });
    });
  addJsonOption(command);
  addExamples(
    command,
    ["blockspace map my-store disk", "for people"],
    ["blockspace map my-store disk --json", "as qemu-img map --output=json"],
  );
}

/** The ranges in order; neighbours that go on in the same way on the device too are one. */
export async function* mapEntries(iomaps: Series<Iomap>): AsyncGenerator<MapEntry, void> {
  let open: MapEntry | undefined;
  for await (const iomap of iomaps) {
    const entry = entryOf(iomap);
    if (open && continues(open, entry)) open.length += entry.length;
    else {
      if (open) yield open;
      open = entry;
    }
  }
  if (open) yield open;
}

function entryOf({ offset: start, length, addr, type, flags }: Iomap): MapEntry {
  const data = type === "mapped";
  const place = addr === null ? {} : { offset: addr };
  return { start, length, data, zero: !data, ...place, shared: flags.shared, type };
}

function continues(open: MapEntry, next: MapEntry): boolean {
  const follows = open.offset === undefined ? undefined : open.offset + open.length;
  return open.type === next.type && open.shared === next.shared && follows === next.offset;
}

async function printLines(session: Session, entries: Series<MapEntry>): Promise<void> {
  const titles = columns.map(({ title }) => title);
  await session.output.line(session.colors.bold(row(columns, titles)));
  for await (const { start, length, offset, type, shared } of entries) {
    const place = offset === undefined ? "-" : exactSize(offset);
    const cells = [exactSize(start), exactSize(length), place, type, shared ? "shared" : ""];
    await session.output.line(row(columns, cells));
  }
}
