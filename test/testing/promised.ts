/**
 * The calls of `node:fs` that are synchronous, or those that take a callback, in the shape of those
 * that give promises, so that one suite can be run against all three.
 */
import { promisify } from "node:util";
import type { FileHandle } from "node:fs/promises";
import type { SimulatedFileSystem } from "../../src/testing/file-system.ts";
import type { SimulatedFileSystemSync } from "../../src/testing/file-system-sync.ts";

type Call = (...given: unknown[]) => unknown;
type Calls = Readonly<Record<string, Call>>;

const byPath =
  "access appendFile chmod chown copyFile lchown link lstat lutimes mkdir mkdtemp readFile " +
  "readdir realpath rename rm rmdir stat truncate unlink utimes writeFile";

/** `how`: of which calls. */
export function promised(
  fs: SimulatedFileSystemSync,
  how: "synchronous" | "callbacks" = "synchronous",
): SimulatedFileSystem {
  const given = fs as unknown as Calls;
  const callOf = (name: string): Call =>
    how === "synchronous" ? given[`${name}Sync`]! : promisify(given[name]!);
  const face: Record<string, unknown> = { constants: fs.constants };
  for (const name of byPath.split(" ")) {
    const call = callOf(name);
    face[name] = later((file, ...rest) => call(descriptorOf(file) ?? file, ...rest));
  }
  face["open"] = async (...all: unknown[]) =>
    handleOf(fs, callOf, (await callOf("open")(...all)) as number);
  return face as unknown as SimulatedFileSystem;
}

/** Whole files may be named by a handle there, by its descriptor here. */
function descriptorOf(file: unknown): unknown {
  return typeof file === "object" && file !== null && "fd" in file ? file.fd : undefined;
}

function later(call: Call): (...given: unknown[]) => Promise<unknown> {
  return async (...given) => call(...given);
}

/** With a callback, `promisify` gives the count and what it is of. */
async function countOf(result: unknown): Promise<number> {
  const found = (await result) as number | { bytesRead?: number; bytesWritten?: number };
  return typeof found === "number" ? found : (found.bytesRead ?? found.bytesWritten)!;
}

function handleOf(
  fs: SimulatedFileSystemSync,
  callOf: (name: string) => Call,
  opened: number,
): FileHandle {
  let fd = opened;
  const withFd =
    (name: string): Call =>
    (...given) =>
      callOf(name)(fd < 0 ? opened : fd, ...given);
  const handle = {
    get fd() {
      return fd;
    },
    read: async (first?: unknown, ...rest: unknown[]) => {
      const options = (first ?? {}) as { buffer?: Buffer };
      const isBuffer = ArrayBuffer.isView(first);
      const buffer = isBuffer ? first : (options.buffer ?? Buffer.alloc(16_384));
      const bytesRead = await countOf(withFd("read")(buffer, ...(isBuffer ? rest : [options])));
      return { bytesRead, buffer };
    },
    write: async (buffer: unknown, ...rest: unknown[]) => ({
      bytesWritten: await countOf(withFd("write")(buffer, ...rest)),
      buffer,
    }),
    readv: async (buffers: unknown, position?: unknown) => ({
      bytesRead: await countOf(withFd("readv")(buffers, position)),
      buffers,
    }),
    writev: async (buffers: unknown, position?: unknown) => ({
      bytesWritten: await countOf(withFd("writev")(buffers, position)),
      buffers,
    }),
    // With a callback, node says nothing of an error in reading from a descriptor.
    readFile: later((...given) => fs.readFileSync(fd < 0 ? opened : fd, ...(given as []))),
    writeFile: later(withFd("writeFile")),
    appendFile: later(withFd("appendFile")),
    truncate: later(withFd("ftruncate")),
    sync: later(withFd("fsync")),
    datasync: later(withFd("fdatasync")),
    stat: later(withFd("fstat")),
    chmod: later(withFd("fchmod")),
    chown: later(withFd("fchown")),
    utimes: later(withFd("futimes")),
    close: async () => {
      if (fd < 0) return;
      fd = -1;
      await callOf("close")(opened);
    },
    [Symbol.asyncDispose]: async () => handle.close(),
  };
  return handle as unknown as FileHandle;
}
