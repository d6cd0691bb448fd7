/** `diff`: the ranges in which two subvolumes differ, from their maps. */
import type { Command } from "commander";
import type { ByteRange } from "../../host/host.ts";
import type { Series } from "../control/store-access.ts";
import { addExamples, addJsonOption, type JsonOption } from "../arguments.ts";
import { withReadOnlyHost } from "../open-store.ts";
import type { Session } from "../session.ts";
import { type Column, exactSize, row } from "../table.ts";

const columns: readonly Column[] = [
  { title: "OFFSET", align: "right", width: 14 },
  { title: "LENGTH", align: "right", width: 12 },
];

export function addDiffCommand(program: Command, session: Session): void {
  const command = program
    .command("diff")
    .summary("show where two subvolumes differ")
    .description(
      "Shows the ranges in which two subvolumes may differ, to the block. Only their maps are" +
        " compared: what they share is skipped, and the same bytes at two places count as" +
        " different.",
    )
    .argument("<STORE>", "the store's directory")
    .argument("<A>", "a subvolume or snapshot")
    .argument("<B>", "another one")
    .action(async (store: string, a: string, b: string, { json }: JsonOption) => {
      await withReadOnlyHost(session, store, async (host) => {
        const ranges = joined(host.diff(a, b));
        if (json) await session.output.jsonArray(ranges);
        else await printLines(session, ranges);
      });
    });
  addJsonOption(command);
  addExamples(command, ["blockspace diff my-store disk@monday disk", "what changed since monday"]);
}

/** A long range comes in pieces, so that the host can do something else in between. */
async function* joined(ranges: Series<ByteRange>): AsyncGenerator<ByteRange, void> {
  let last: ByteRange | undefined;
  for await (const range of ranges) {
    if (last && last.offset + last.length === range.offset) last.length += range.length;
    else {
      if (last) yield last;
      last = { ...range };
    }
  }
  if (last) yield last;
}

async function printLines(session: Session, ranges: Series<ByteRange>): Promise<void> {
  const titles = columns.map(({ title }) => title);
  await session.output.line(session.colors.bold(row(columns, titles)));
  for await (const { offset, length } of ranges) {
    await session.output.line(row(columns, [exactSize(offset), exactSize(length)]));
  }
}
