/** `init`: makes a store, and never opens one that is there. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { BlockspaceError } from "../../base/errors.ts";
import { formatSize } from "../../base/units.ts";
import {
  addExamples,
  addJsonOption,
  asUsage,
  type JsonOption,
  sizeArgument,
} from "../arguments.ts";
import { storeExists, withOwnHost } from "../open-store.ts";
import type { Session } from "../session.ts";

interface InitOptions extends JsonOption {
  capacity?: number;
  blockSize?: number;
}

export function addInitCommand(program: Command, session: Session): void {
  const command = program
    .command("init")
    .summary("make a new store")
    .description("Makes a new store in STORE, a directory that is empty or not there yet.")
    .argument("<STORE>", "the store's directory")
    .option("--capacity <SIZE>", "space for data (64GiB, or all of the device)", sizeArgument)
    .option("--block-size <N>", "unit of mapping, a power of two (4096)", sizeArgument)
    .action((store: string, options: InitOptions) => init(session, store, options));
  addJsonOption(command);
  addExamples(
    command,
    ["blockspace init my-store", "64 GiB, taken as it is used"],
    ["blockspace init my-store --capacity 2TiB", "more"],
    ["blockspace init my-store --device /dev/vdb", "data on a block device"],
  );
}

async function init(session: Session, store: string, options: InitOptions): Promise<void> {
  const { json, capacity, blockSize } = options;
  const { newStoreLayout } = await import("../../host/options.ts");
  if (await storeExists(store)) {
    const path = resolve(store);
    throw new BlockspaceError("EEXIST", `there is a store in ${path} already`, { path });
  }
  const layout = {
    ...(capacity === undefined ? {} : { capacity }),
    ...(blockSize === undefined ? {} : { blockSize }),
  };
  // Whatever the device turns out to have room for.
  asUsage(() => newStoreLayout(layout, undefined));
  const hostOptions = { create: true, ...layout };
  const made = await withOwnHost(session, store, hostOptions, async (host) => {
    const figures = host.statistics();
    const { path, uuid } = host;
    return { path, uuid, capacity: figures.capacity, blockSize: figures.blockSize };
  });
  await session.report(json, made, () => [
    `made a store of ${formatSize(made.capacity)} in ${made.path}, ` +
      `in blocks of ${formatSize(made.blockSize)}`,
  ]);
}
