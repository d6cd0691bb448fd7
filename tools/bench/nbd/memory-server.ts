/**
 * Our NBD server with a piece of memory in the place of a store: what one JavaScript thread can do
 * at most when nothing lies behind it. A program; its arguments are a socket and a size in bytes.
 */
import type { Host, Subvolume } from "blockspace";
import { NbdServer } from "blockspace/nbd";

const NAME = "disk";
const BLOCK_SIZE = 4096;

/** As much of a host as the server asks for under fio; it does all at once, and all is durable. */
function memoryHost(size: number): Host {
  const memory = new Uint8Array(size);
  const info = { id: 1, name: NAME, size, readOnly: false, source: null };
  const subvolume = {
    ...info,
    readNow(into: Uint8Array, offset: number): boolean {
      into.set(memory.subarray(offset, offset + into.length));
      return true;
    },
    writeNow(offset: number, data: Uint8Array): boolean {
      memory.set(data, offset);
      return true;
    },
  } as unknown as Subvolume;
  return {
    isFlushed: true,
    flush: async () => undefined,
    beginFlush: () => undefined,
    list: () => [info],
    get: () => subvolume,
    statistics: () => ({ blockSize: BLOCK_SIZE }),
  } as unknown as Host;
}

const [socket, size] = process.argv.slice(2);
await new NbdServer(memoryHost(Number(size))).listen({ path: socket! });
