/**
 * A fresh file system in a sparse file, mounted through a loop device: XFS or btrfs where the
 * machine has neither. Needs root; what is missing is said.
 */
import { existsSync } from "node:fs";
import { mkdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findProgram, run } from "../../demo/programs.ts";
import type { CleanUp } from "../clean-up.ts";

export type FileSystemKind = "xfs" | "btrfs";

const makers: Readonly<Record<FileSystemKind, readonly string[]>> = {
  xfs: ["mkfs.xfs", "-q", "-m", "reflink=1"],
  btrfs: ["mkfs.btrfs", "-q"],
};

/** Why no such file system can be had here; `undefined` when one can. */
function obstacle(kind: FileSystemKind): string | undefined {
  const needed = [makers[kind][0]!, ...(kind === "btrfs" ? ["btrfs"] : [])];
  const absent = needed.filter((program) => !findProgram(program));
  if (absent.length > 0) return `not installed: ${absent.join(", ")}`;
  if (process.getuid?.() !== 0) return "not measured: mounting needs root";
  return existsSync("/dev/loop-control") ? undefined : "not measured: no loop devices";
}

/** Where it is mounted, until the clean-up; or why it is not. */
export async function mountFresh(
  cleanUp: CleanUp,
  directory: string,
  kind: FileSystemKind,
  size: number,
): Promise<{ path: string } | { missing: string }> {
  const missing = obstacle(kind);
  if (missing !== undefined) return { missing };
  const image = join(directory, `${kind}.img`);
  await writeFile(image, "");
  await truncate(image, size);
  const [maker, ...options] = makers[kind];
  await run(findProgram(maker!)!, [...options, image]);
  const path = join(directory, kind);
  await mkdir(path);
  try {
    await run("mount", ["-o", "loop", "-t", kind, image, path]);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { missing: `not measured: ${reason}` };
  }
  await cleanUp.add(async () => {
    await run("umount", [path]);
  });
  return { path };
}
