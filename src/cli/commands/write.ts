/** `write`: standard input into a subvolume. */
import type { Command } from "commander";
import { checkRange } from "../../base/arguments.ts";
import { addExamples, sizeArgument } from "../arguments.ts";
import { chunksOf } from "../chunks.ts";
import { changeStore } from "../open-store.ts";
import type { Session } from "../session.ts";

export function addWriteCommand(program: Command, session: Session): void {
  const command = program
    .command("write")
    .summary("write standard input into a subvolume")
    .description(
      "Writes standard input into a subvolume, from OFFSET on. What is longer than 1 MiB goes" +
        " in one commit for each MiB: those before an error or an interruption stay.",
    )
    .argument("<STORE>", "the store's directory")
    .argument("<NAME>", "the subvolume")
    .argument("<OFFSET>", "where the first byte goes", sizeArgument)
    .action(async (store: string, name: string, offset: number) => {
      const { standardInput } = await import("../image-source.ts");
      await changeStore(session, store, async (host) => {
        const subvolume = host.get(name);
        checkRange(offset, 0, subvolume.size, name);
        for await (const chunk of chunksOf(standardInput(session), offset)) {
          await subvolume.write(chunk.offset, chunk.bytes);
        }
      });
    });
  addExamples(command, [
    "echo hello | blockspace write my-store disk 4096",
    "durable when it ends",
  ]);
}
