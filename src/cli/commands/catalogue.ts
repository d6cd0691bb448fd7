/** The commands that change which subvolumes there are, and their names and sizes. */
import type { Command } from "commander";
import type { StoreAccess } from "../control/store-access.ts";
import { addExamples, newNameArgument, someSizeArgument } from "../arguments.ts";
import { changeStore } from "../open-store.ts";
import type { Session } from "../session.ts";

export function addCatalogueCommands(program: Command, session: Session): void {
  addCreate(program, session);
  addRename(program, session);
  addResize(program, session);
  addDelete(program, session);
}

function addCreate(program: Command, session: Session): void {
  const command = program
    .command("create")
    .summary("make an empty subvolume")
    .description("Makes an empty subvolume. It takes no space until it is written to.")
    .argument("<STORE>", "the store's directory")
    .argument("<NAME>", "a name that is not taken yet", newNameArgument)
    .requiredOption("--size <SIZE>", "its size, 1 byte or more", someSizeArgument)
    .action(async (store: string, name: string, { size }: { size: number }) => {
      await changeStore(session, store, async (host: StoreAccess) => {
        await host.create(name, { size, signal: session.signal });
      });
    });
  addExamples(command, ["blockspace create my-store disk --size 8GiB", "all zeroes"]);
}

function addRename(program: Command, session: Session): void {
  const command = program
    .command("rename")
    .summary("rename a subvolume")
    .description("Gives a subvolume or snapshot another name.")
    .argument("<STORE>", "the store's directory")
    .argument("<NAME>", "its name now")
    .argument("<NEW>", "a name that is not taken yet", newNameArgument)
    .action(async (store: string, name: string, to: string) => {
      await changeStore(session, store, async (host) => {
        await host.rename(name, to, { signal: session.signal });
      });
    });
  addExamples(command, ["blockspace rename my-store lab disk2", "snapshots keep their names"]);
}

function addResize(program: Command, session: Session): void {
  const command = program
    .command("resize")
    .summary("change the size of a subvolume")
    .description(
      "Gives a subvolume another size. What a smaller size cuts off is gone; what a larger" +
        " one adds reads as zeroes.",
    )
    .argument("<STORE>", "the store's directory")
    .argument("<NAME>", "the subvolume")
    .argument("<SIZE>", "its new size, 1 byte or more", someSizeArgument)
    .action(async (store: string, name: string, size: number) => {
      await changeStore(session, store, async (host) => {
        await host.get(name).resize(size, { signal: session.signal });
      });
    });
  addExamples(command, ["blockspace resize my-store disk 16GiB", "room for more"]);
}

function addDelete(program: Command, session: Session): void {
  const command = program
    .command("delete")
    .summary("delete a subvolume or snapshot")
    .description(
      "Deletes a subvolume or snapshot. What others share with it stays; the rest of its" +
        " space comes back in the background.",
    )
    .argument("<STORE>", "the store's directory")
    .argument("<NAME>", "the subvolume or snapshot")
    .action(async (store: string, name: string) => {
      await changeStore(session, store, async (host) => {
        await host.delete(name, { signal: session.signal });
      });
    });
  addExamples(command, ["blockspace delete my-store disk@monday", "clones of it stay whole"]);
}
