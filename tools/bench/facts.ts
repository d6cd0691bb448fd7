/** The machine and the programs that figures come from: without them figures say little. */
import { readFile, statfs } from "node:fs/promises";
import { cpus, release, totalmem } from "node:os";
import { run } from "../demo/programs.ts";
import { formatSize } from "blockspace";
import type { Facts } from "./result.ts";

/** What programs say of themselves, by the first line. */
const programs: readonly (readonly [name: string, ...args: string[]])[] = [
  ["fio", "--version"],
  ["qemu-nbd", "--version"],
  ["nbdkit", "--version"],
  ["mkfs.xfs", "-V"],
  ["mkfs.btrfs", "--version"],
];

export async function machineFacts(directory: string): Promise<Facts> {
  const facts: Facts = {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memory: formatSize(totalmem()),
    kernel: release(),
    node: process.version,
    fileSystem: await fileSystemOf(directory),
  };
  for (const [name, ...args] of programs) facts[name] = await versionOf(name, args);
  return facts;
}

async function versionOf(name: string, args: readonly string[]): Promise<string> {
  try {
    return (await run(name, args)).split("\n")[0]!.trim();
  } catch {
    return "not installed";
  }
}

/** Its type and mount options. */
async function fileSystemOf(directory: string): Promise<string> {
  try {
    const said = await run("findmnt", ["-n", "-o", "FSTYPE,OPTIONS", "--target", directory]);
    return said.trim().replace(/\s+/g, " ");
  } catch {
    return `type 0x${(await statfs(directory)).type.toString(16)}`;
  }
}

/** The version of a package that is installed here. */
export async function packageVersion(manifest: string): Promise<string> {
  return (JSON.parse(await readFile(manifest, "utf8")) as { version: string }).version;
}
