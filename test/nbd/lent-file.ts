/** An export as a file, by way of nbdfuse, for tools that make, check and mount file systems. */
import { mkdir, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { tool, tryTool } from "./external-tools.ts";

/** Lends the export while `work` runs; `directory` is made and must not be in use. */
export async function lendFile<T>(
  uri: string,
  directory: string,
  work: (file: string) => Promise<T>,
): Promise<T> {
  await mkdir(directory, { recursive: true });
  const ready = `${directory}.pid`;
  const running = tryTool("nbdfuse", ["-P", ready, join(directory, "disk"), uri]);
  const isReady = async (): Promise<boolean> =>
    (await readFile(ready, "utf8").catch(() => "")) !== "";
  for (let i = 0; i < 500 && !(await isReady()); i++) await setTimeout(20);
  try {
    return await work(join(directory, "disk"));
  } finally {
    await tool("fusermount3", "-u", directory);
    await running;
    await unlink(ready).catch(() => undefined);
  }
}
