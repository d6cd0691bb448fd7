/** A small store with a disk and a snapshot of it, to be damaged and checked, and some damage. */
import { readFile, writeFile } from "node:fs/promises";
import { makeStore } from "./blockspace.ts";

export async function sampleStore(path: string): Promise<string> {
  return makeStore(path, async (host) => {
    const disk = await host.create("disk", { size: 2 ** 20 });
    await disk.write(0, Buffer.alloc(2 ** 16, "data"));
    await host.snapshot("disk", "disk@1");
    await host.checkpoint();
  });
}

/** Flips a bit of a file of the store. */
export async function flip(place: string, at: number): Promise<void> {
  const bytes = await readFile(place);
  bytes[at]! ^= 1;
  await writeFile(place, bytes);
}
