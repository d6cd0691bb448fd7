/**
 * A pool of sandboxes: one golden image, a writable clone of it for every job, deleted when the job
 * is over. A clone takes no time and no space; a job pays for the blocks it writes.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatSize, GiB, Host, KiB, MiB, type Subvolume } from "blockspace";

const JOBS = 8;
const directory = await mkdtemp(join(tmpdir(), "blockspace-"));
const host = await Host.open(join(directory, "store"), { create: true });

// The golden image: imported from a file in real life, and kept as a snapshot, which never changes.
const image = await host.create("image", { size: 10 * GiB });
for (let part = 0; part < 16; part++) {
  await image.write((part * GiB) / 2, new Uint8Array(MiB).fill(part + 1));
}
await host.snapshot("image", "image@golden");
const golden = host.statistics().allocated;
console.log(`golden image: ${formatSize(image.size)}, of which ${formatSize(golden)} are used`);

/** Runs a job on a disk of its own. */
async function inSandbox<T>(name: string, work: (disk: Subvolume) => Promise<T>): Promise<T> {
  const disk = await host.clone("image@golden", name);
  try {
    return await work(disk);
  } finally {
    await host.delete(name);
  }
}

/** Sees the image, changes it at will, and disturbs nobody. */
async function job(number: number, disk: Subvolume): Promise<number> {
  await disk.write(number * GiB, new Uint8Array(64 * KiB).fill(100 + number));
  await disk.discard(0, MiB);
  const own = await disk.read(number * GiB, 1);
  return own[0]!;
}

const results = await Promise.all(
  Array.from({ length: JOBS }, (_, i) => inSandbox(`job-${i}`, (disk) => job(i + 1, disk))),
);
console.log(`results: ${results.join(" ")}`);
console.log(
  `subvolumes left: ${host
    .list()
    .map(({ name }) => name)
    .join(", ")}`,
);
console.log(`the image still begins with: ${(await image.read(0, 1))[0]}`);

// Deleting returns at once; the space of a deleted clone comes back in the background.
while (host.statistics().deadNodes > 0) await new Promise(setImmediate);
console.log(`used beyond the image: ${formatSize(host.statistics().allocated - golden)}`);

await host.close();
await rm(directory, { recursive: true });
