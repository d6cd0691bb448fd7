/**
 * Makes plain JavaScript of the load and of the library as they stand in the sources: it starts in
 * a third of the time that a loader for TypeScript takes, and a run of the test starts dozens.
 */
import { execFile } from "node:child_process";
import { copyFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Builds into an empty directory, and returns the path of the program. */
export async function buildLoad(directory: string): Promise<string> {
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const options = ["-p", join(root, "test/kill/tsconfig.load.json"), "--outDir", directory];
  await promisify(execFile)(process.execPath, [compiler, ...options]);
  const worker = "src/checkpoint/lmdb-worker.js";
  await copyFile(join(root, worker), join(directory, worker));
  await copyFile(join(root, "package.json"), join(directory, "package.json"));
  await symlink(join(root, "node_modules"), join(directory, "node_modules"));
  return join(directory, "test/kill/load.js");
}
