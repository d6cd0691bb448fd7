/** `read`: bytes of a subvolume to standard output. */
import type { Command } from "commander";
import { checkRange } from "../../base/arguments.ts";
import { addExamples, sizeArgument } from "../arguments.ts";
import { cut } from "../chunks.ts";
import { withReadOnlyHost } from "../open-store.ts";
import type { Session } from "../session.ts";

export function addReadCommand(program: Command, session: Session): void {
  const command = program
    .command("read")
    .summary("write bytes of a subvolume to standard output")
    .description("Writes LENGTH bytes of a subvolume, from OFFSET on, to standard output.")
    .argument("<STORE>", "the store's directory")
    .argument("<NAME>", "the subvolume or snapshot")
    .argument("<OFFSET>", "the first byte", sizeArgument)
    .argument("<LENGTH>", "how many bytes", sizeArgument)
    .action(async (store: string, name: string, offset: number, length: number) => {
      await withReadOnlyHost(session, store, async (host) => {
        const subvolume = host.get(name);
        checkRange(offset, length, subvolume.size, name);
        for (const piece of cut([{ offset, length }])) {
          await session.output.bytes(await subvolume.read(piece.offset, piece.length));
        }
      });
    });
  addExamples(command, ["blockspace read my-store disk 0 4KiB | xxd", "the first block"]);
}
