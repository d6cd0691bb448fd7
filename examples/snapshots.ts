/**
 * Snapshots: keep a state, see what changed since, try something on a clone, and go back. Each of
 * these calls costs the same whether the disk holds a megabyte or a terabyte.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatSize, GiB, Host, KiB, MiB, type Subvolume } from "blockspace";

const directory = await mkdtemp(join(tmpdir(), "blockspace-"));
const host = await Host.open(join(directory, "store"), { create: true });

/** The first word of a subvolume. */
async function word(subvolume: Subvolume): Promise<string> {
  return (await subvolume.read(0, 6)).toString();
}

const disk = await host.create("disk", { size: 8 * GiB });
await disk.write(0, Buffer.from("monday"));
await disk.write(512 * MiB, new Uint8Array(64 * KiB).fill(1));
const monday = await host.snapshot("disk", "disk@monday");

// No need to stop writing for a snapshot: it holds what was submitted before it, nothing after.
await disk.write(0, Buffer.from("friday"));
await disk.discard(512 * MiB, 32 * KiB);
await host.snapshot("disk", "disk@friday");
console.log(`disk: ${await word(disk)}, disk@monday: ${await word(monday)}`);

// The comparison skips everything that both share: it costs what changed, not what is there.
for (const { offset, length } of host.diff("disk@monday", "disk@friday")) {
  console.log(`changed: ${formatSize(length)} at ${formatSize(offset)}`);
}

// A clone is written like any subvolume; neither its source nor other clones see it.
const clone = await host.clone("disk@monday", "experiment");
await clone.write(0, Buffer.from("broken"));
console.log(`experiment: ${await word(clone)}, disk@monday: ${await word(monday)}`);
await host.delete("experiment");

await host.rollback("disk", "disk@monday");
console.log(`disk after rollback: ${await word(disk)}`);

for (const { name, readOnly, source } of host.list()) {
  console.log(`${name}: ${readOnly ? `snapshot of ${source}` : "subvolume"}`);
}

await host.close();
await rm(directory, { recursive: true });
