/**
 * The five verbs of virtual block address space mapping: reserve, allocate, (submit), commit, map,
 * unreserve. A writer takes its space first, writes to blocks that nobody sees, and shows them to
 * everyone in one step. What is not committed when the process dies was never there.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Host, type Iomap, isBlockspaceError, MiB } from "blockspace";

const BLOCK = 4096;
const directory = await mkdtemp(join(tmpdir(), "blockspace-"));
const host = await Host.open(join(directory, "store"), { create: true });
const disk = await host.create("disk", { size: MiB });
await disk.write(0, Buffer.alloc(2 * BLOCK, "old "));

function show(what: string, { offset, length, type, flags }: Iomap): void {
  const set = Object.entries(flags).filter(([, is]) => is);
  console.log(`${what}: ${offset} + ${length} ${type} [${set.map(([flag]) => flag).join(" ")}]`);
}

// 1. Reserve: from here on, this writer cannot fail for want of space.
const cookie = await disk.reserve(4, BLOCK);
console.log(`reserved: ${host.statistics().reserved >= 4 * BLOCK}`);

// 2. Allocate: new blocks for a range, staged under the cookie and in no map.
const iomap = await disk.allocate(cookie, 0, 2 * BLOCK);
show("allocated", iomap);

// 3. Submit: the writer's own I/O to the staged blocks. Readers still see what was there before.
await disk.submit(iomap, Buffer.alloc(2 * BLOCK, "new "));
console.log(`before the commit: ${(await disk.read(0, 4)).toString()}`);

// 4. Commit: one record remaps the range, in order with all other writes; here durable at once.
await disk.commit(cookie, 0, 2 * BLOCK, "cow", { durable: true });
console.log(`after the commit:  ${(await disk.read(0, 4)).toString()}`);

// A range that was preallocated has its blocks already: they are staged as they are.
await disk.preallocate(8 * BLOCK, BLOCK);
const unwritten = await disk.allocate(cookie, 8 * BLOCK, BLOCK);
show("allocated", unwritten);
await disk.submit(unwritten, Buffer.alloc(BLOCK, "late"));
await disk.commit(cookie, 8 * BLOCK, BLOCK, "unwritten");

// What has not been submitted cannot be committed, so nobody ever reads a stale block.
await disk.allocate(cookie, 16 * BLOCK, BLOCK);
try {
  await disk.commit(cookie, 16 * BLOCK, BLOCK, "cow");
} catch (error) {
  if (!isBlockspaceError(error)) throw error;
  console.log(`refused: ${error.code}`);
}

// 5. Unreserve: the last put gives back what was not used, and frees what was only staged.
cookie.put();
console.log(`staged in the end: ${host.statistics().staged}`);

await disk.flush();
for (const extent of disk.extents()) show("map", extent);

await host.close();
await rm(directory, { recursive: true });
