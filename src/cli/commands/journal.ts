/** `journal`: the records that are still in the journal, decoded, one on each line. */
import type { Command } from "commander";
import type { JournalRecord } from "../../format/records.ts";
import type { JournalEnd } from "../../journal/reader.ts";
import { addExamples, type JsonOption } from "../arguments.ts";
import { advising } from "../open-store.ts";
import type { Session } from "../session.ts";
import { type Column, row } from "../table.ts";

interface JournalOptions extends JsonOption {
  checksums?: boolean;
}

const columns: readonly Column[] = [
  { title: "LSN", align: "right", width: 10 },
  { title: "RECORD", width: 8 },
  { title: "FIELDS" },
];

export function addJournalCommand(program: Command, session: Session): void {
  const command = program
    .command("journal")
    .summary("show the records of the journal")
    .description(
      "Shows every record that is still in the journal, oldest first, also those that a" +
        " checkpoint holds already. Records with the same LSN are one commit. Subvolumes are" +
        " named by their ids (see list --json), vblock and pblock count blocks.",
    )
    .argument("<STORE>", "the store's directory")
    .option("--checksums", "each checksum of each block, not only how many")
    .action((store: string, options: JournalOptions) =>
      advising(session, store, () => printJournal(session, store, options)),
    );
  command.option("--json", "print a line of JSON for each record");
  addExamples(
    command,
    ["blockspace journal my-store", "for people"],
    ["blockspace journal my-store --json | jq -c 'select(.type == \"snapshot\")'", "for programs"],
  );
}

async function printJournal(
  session: Session,
  store: string,
  options: JournalOptions,
): Promise<void> {
  const { readJournal } = await import("../../host/journal-dump.ts");
  const { output, colors } = session;
  const commits = readJournal(store);
  try {
    let next = await commits.next();
    if (!options.json) {
      const titles = columns.map(({ title }) => title);
      await output.line(colors.bold(row(columns, titles)));
    }
    for (; ; next = await commits.next()) {
      if (next.done) return tellEnd(session, next.value);
      const { lsn, records } = next.value;
      for (const record of records) {
        const shown = show(record, options.checksums === true);
        await output.line(options.json ? JSON.stringify({ lsn, ...shown }) : line(lsn, shown));
      }
    }
  } finally {
    await commits.return(undefined as never);
  }
}

type ShownRecord = { type: string } & Record<string, unknown>;

/** A record for people: checksums counted, unless each is wanted, and times as text. */
function show(record: JournalRecord, checksums: boolean): ShownRecord {
  const shown: ShownRecord = { ...record };
  if ("created" in record) shown["created"] = new Date(record.created).toISOString();
  if ("checksums" in record && record.checksums) {
    shown["checksums"] = checksums ? Array.from(record.checksums) : record.checksums.length;
  }
  return shown;
}

function line(lsn: number, { type, ...fields }: ShownRecord): string {
  const words = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return row(columns, [String(lsn), type, words.join(" ")]);
}

function tellEnd(session: Session, end: JournalEnd): void {
  session.detail(`the journal ends with commit ${end.lsn}`);
  if (end.discardedBytes > 0) {
    session.note(`a torn frame of ${end.discardedBytes} bytes that nobody was told of follows`);
  }
}
