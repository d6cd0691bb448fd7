/** `dump` and `restore`: the metadata of a store as lines of JSON, and back. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { Command } from "commander";
import { addExamples } from "../arguments.ts";
import { advising } from "../open-store.ts";
import type { Session } from "../session.ts";

export function addDumpCommands(program: Command, session: Session): void {
  const dump = program
    .command("dump")
    .summary("print the metadata as lines of JSON")
    .description(
      "Prints the metadata of a sound store as lines of JSON, which restore reads. What is shared" +
        " is printed once. A skeleton has neither names nor checksums, for a bug report.",
    )
    .argument("<STORE>", "the store's directory")
    .option("--skeleton", "leave names, checksums and the uuid out")
    .action((store: string, flags: { skeleton?: boolean }) =>
      advising(session, store, () => runDump(session, store, flags)),
    );
  addExamples(
    dump,
    ["blockspace dump my-store > metadata.jsonl", "a backup of the metadata"],
    ["blockspace dump my-store --skeleton | gzip > report.gz", "for a bug report"],
  );
  const restore = program
    .command("restore")
    .summary("make the metadata of a store from a dump")
    .description(
      "Makes a store from a dump, in a directory that holds nothing but the data file of the" +
        " dumped store, or nothing at all: then the data is missing, and reads fail.",
    )
    .argument("<STORE>", "the store's directory")
    .argument("[FILE]", "the dump; standard input unless given")
    .action((store: string, file?: string) => runRestore(session, store, file));
  addExamples(restore, ["blockspace restore my-store metadata.jsonl", "beside the data file"]);
}

async function runDump(
  session: Session,
  store: string,
  flags: { skeleton?: boolean },
): Promise<void> {
  const { dump } = await import("../../fsck/transfer.ts");
  const { dataDevice, signal } = session;
  const lines = await dump(store, { ...flags, ...dataDevice, signal });
  for (const line of lines) await session.output.line(JSON.stringify(line));
}

async function runRestore(session: Session, store: string, file?: string): Promise<void> {
  const [{ restore }, { standardInput }] = await Promise.all([
    import("../../fsck/transfer.ts"),
    import("../image-source.ts"),
  ]);
  const { signal } = session;
  const input = file === undefined ? standardInput(session) : createReadStream(file, { signal });
  const failed = new Promise<never>((_resolve, reject) => {
    input.once("error", reject);
  });
  const lines = createInterface({ input, crlfDelay: Infinity });
  await Promise.race([restore(store, lines, session.dataDevice), failed]);
}
