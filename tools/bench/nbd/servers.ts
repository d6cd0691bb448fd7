/**
 * The servers that are compared, each with a disk of its own on the same file system: ours with the
 * options that `blockspace serve` has by itself, qemu-nbd on qcow2 and on a raw file with the cache
 * mode that makes a flush mean what it means to us, nbdkit's file plugin, and, as a ceiling, our
 * server with memory behind it.
 */
import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Host } from "blockspace";
import { findProgram, run } from "../../demo/programs.ts";
import type { CleanUp } from "../clean-up.ts";
import { builtCommand } from "../built.ts";
import type { Subject } from "../turns.ts";
import { type NbdServer, startServer } from "./server.ts";

export const QCOW2 = "qcow2, qemu-nbd";
export const RAW = "raw, qemu-nbd";
export const NBDKIT = "nbdkit file";
const CEILING = "our server on memory";

/** Of the working set's size, so that the log comes round and the cleaner has its part. */
const CAPACITY_FACTOR = 4;

type Start = (cleanUp: CleanUp, directory: string, size: number) => Promise<NbdServer>;

const blockspace: Start = async (cleanUp, directory, size) => {
  const store = join(directory, "store");
  const host = await Host.open(store, { create: true, capacity: CAPACITY_FACTOR * size });
  await host.create("disk", { size });
  await host.close();
  const command = [process.execPath, builtCommand, "serve", store, "--quiet"];
  return startServer(cleanUp, "blockspace", command, join(store, "nbd.sock"), "disk");
};

/** `--cache=writeback`: writes go to the page cache, a flush is an fdatasync. */
function qemu(name: string, format: string, create: (path: string, size: number) => Promise<void>) {
  const start: Start = async (cleanUp, directory, size) => {
    const image = join(directory, `disk.${format}`);
    await create(image, size);
    const socket = join(directory, `${format}.sock`);
    const options = [`--format=${format}`, "--cache=writeback", "--aio=threads", "--persistent"];
    const command = ["qemu-nbd", ...options, "--shared=8", `--socket=${socket}`, image];
    return startServer(cleanUp, name, command, socket, "");
  };
  return start;
}

const nbdkit: Start = async (cleanUp, directory, size) => {
  const image = join(directory, "nbdkit.raw");
  await sparse(image, size);
  const socket = join(directory, "nbdkit.sock");
  const command = ["nbdkit", "--foreground", "--exit-with-parent", `--unix=${socket}`];
  return startServer(cleanUp, NBDKIT, [...command, "file", image], socket, "");
};

const ceiling: Start = async (cleanUp, directory, size) => {
  const socket = join(directory, "memory.sock");
  const program = fileURLToPath(new URL("./memory-server.ts", import.meta.url));
  const command = [process.execPath, "--import", "tsx", program, socket, String(size)];
  return startServer(cleanUp, CEILING, command, socket, "");
};

async function sparse(path: string, size: number): Promise<void> {
  await writeFile(path, "");
  await truncate(path, size);
}

async function qcow2(path: string, size: number): Promise<void> {
  await run("qemu-img", ["create", "-q", "-f", "qcow2", path, String(size)]);
}

const peers: readonly { name: string; needs: readonly string[]; start: Start }[] = [
  { name: QCOW2, needs: ["qemu-nbd", "qemu-img"], start: qemu(QCOW2, "qcow2", qcow2) },
  { name: RAW, needs: ["qemu-nbd"], start: qemu(RAW, "raw", sparse) },
  { name: NBDKIT, needs: ["nbdkit"], start: nbdkit },
  { name: CEILING, needs: [], start: ceiling },
];

/** Starts all servers that can be started here; ours first. */
export async function startServers(
  cleanUp: CleanUp,
  directory: string,
  size: number,
): Promise<(NbdServer | (Subject & { missing: string; uri: string }))[]> {
  const servers = [await blockspace(cleanUp, directory, size)];
  for (const { name, needs, start } of peers) {
    const absent = needs.filter((program) => !findProgram(program));
    if (absent.length === 0) servers.push(await start(cleanUp, directory, size));
    else servers.push({ name, missing: `not installed: ${absent.join(", ")}`, uri: "" });
  }
  return servers;
}
