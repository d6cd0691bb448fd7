/** What it takes of the machine to put a real file system on a disk of ours. */
import { execFile, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";

/** Why none of this kind can be mounted here; `undefined` when it can. */
export function whyNoDisk(kind: string): string | undefined {
  if (process.platform !== "linux") return "it needs Linux";
  if (process.getuid?.() !== 0) return "mounting needs root";
  for (const path of ["/dev/fuse", "/dev/loop-control"]) {
    if (!existsSync(path)) return `there is no ${path}`;
  }
  const isMissing = spawnSync("which", [`mkfs.${kind}`]).status !== 0;
  return isMissing ? `mkfs.${kind} is not installed` : undefined;
}

/** Runs a program, which must do well. */
export async function tool(name: string, ...args: string[]): Promise<void> {
  await promisify(execFile)(name, args);
}
