/** The commands that make subvolumes share blocks: one record each, whatever their size. */
import type { Command } from "commander";
import { addExamples, newNameArgument } from "../arguments.ts";
import { changeStore } from "../open-store.ts";
import type { Session } from "../session.ts";

export function addSharingCommands(program: Command, session: Session): void {
  addSnapshot(program, session);
  addClone(program, session);
  addRollback(program, session);
}

function addSnapshot(program: Command, session: Session): void {
  const command = program
    .command("snapshot")
    .summary("make a read-only snapshot")
    .description("Makes a read-only subvolume that holds what SOURCE holds now.")
    .argument("<STORE>", "the store's directory")
    .argument("<SOURCE>", "the subvolume, or another snapshot")
    .argument("<NAME>", "a name that is not taken yet", newNameArgument)
    .action(async (store: string, source: string, name: string) => {
      await changeStore(session, store, async (host) => {
        await host.snapshot(source, name, { signal: session.signal });
      });
    });
  addExamples(command, ["blockspace snapshot my-store disk disk@monday", "@ is just a letter"]);
}

function addClone(program: Command, session: Session): void {
  const command = program
    .command("clone")
    .summary("make a writable copy that shares its blocks")
    .description(
      "Makes a writable subvolume that holds what SOURCE holds now, and shares all blocks" +
        " with it until one of the two is written to.",
    )
    .argument("<STORE>", "the store's directory")
    .argument("<SOURCE>", "a subvolume or snapshot")
    .argument("<NAME>", "a name that is not taken yet", newNameArgument)
    .action(async (store: string, source: string, name: string) => {
      await changeStore(session, store, async (host) => {
        await host.clone(source, name, { signal: session.signal });
      });
    });
  addExamples(command, ["blockspace clone my-store disk@monday lab", "takes no space yet"]);
}

function addRollback(program: Command, session: Session): void {
  const command = program
    .command("rollback")
    .summary("take a subvolume back to a snapshot")
    .description(
      "Takes a subvolume back to what a snapshot of it holds, size included. What was written" +
        " since is lost, unless another snapshot holds it.",
    )
    .argument("<STORE>", "the store's directory")
    .argument("<NAME>", "the subvolume")
    .argument("<SNAPSHOT>", "a snapshot of it, or of a subvolume it shares blocks with")
    .action(async (store: string, name: string, snapshot: string) => {
      await changeStore(session, store, async (host) => {
        await host.rollback(name, snapshot, { signal: session.signal });
      });
    });
  addExamples(command, ["blockspace rollback my-store disk disk@monday", "as it was"]);
}
