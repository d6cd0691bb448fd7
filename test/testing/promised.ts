/**
 * The synchronous half of a file system in the shape of the other one, so that one suite can be run
 * against both.
 */
import type { FileHandle } from "node:fs/promises";
import type { SimulatedFileSystem } from "../../src/testing/file-system.ts";
import type { SimulatedFileSystemSync } from "../../src/testing/file-system-sync.ts";

type Call = (...given: unknown[]) => unknown;
type Calls = Readonly<Record<string, Call>>;

const byPath =
  "access appendFile chmod chown copyFile link lstat mkdir mkdtemp readFile readdir realpath " +
  "rename rm rmdir stat truncate unlink utimes writeFile";

export function promised(fs: SimulatedFileSystemSync): SimulatedFileSystem {
  const calls = fs as unknown as Calls;
  const face: Record<string, unknown> = { constants: fs.constants };
  for (const name of byPath.split(" ")) {
    const call = calls[`${name}Sync`]!;
    face[name] = later((file, ...rest) => call(descriptorOf(file) ?? file, ...rest));
  }
  face["open"] = later((...given) => handleOf(fs, calls["openSync"]!(...given) as number));
  return face as unknown as SimulatedFileSystem;
}

/** Whole files may be named by a handle there, by its descriptor here. */
function descriptorOf(file: unknown): unknown {
  return typeof file === "object" && file !== null && "fd" in file ? file.fd : undefined;
}

function later(call: Call): (...given: unknown[]) => Promise<unknown> {
  return async (...given) => call(...given);
}

function handleOf(fs: SimulatedFileSystemSync, opened: number): FileHandle {
  const calls = fs as unknown as Calls;
  let fd = opened;
  const withFd =
    (name: string): Call =>
    (...given) =>
      calls[name]!(fd < 0 ? opened : fd, ...given);
  const handle = {
    get fd() {
      return fd;
    },
    read: async (first?: unknown, ...rest: unknown[]) => {
      const options = (first ?? {}) as { buffer?: Buffer };
      const isBuffer = ArrayBuffer.isView(first);
      const buffer = isBuffer ? first : (options.buffer ?? Buffer.alloc(16_384));
      const bytesRead = withFd("readSync")(buffer, ...(isBuffer ? rest : [options]));
      return { bytesRead, buffer };
    },
    write: async (buffer: unknown, ...rest: unknown[]) => ({
      bytesWritten: withFd("writeSync")(buffer, ...rest),
      buffer,
    }),
    readv: async (buffers: unknown, position?: unknown) => ({
      bytesRead: withFd("readvSync")(buffers, position),
      buffers,
    }),
    writev: async (buffers: unknown, position?: unknown) => ({
      bytesWritten: withFd("writevSync")(buffers, position),
      buffers,
    }),
    readFile: later(withFd("readFileSync")),
    writeFile: later(withFd("writeFileSync")),
    appendFile: later(withFd("appendFileSync")),
    truncate: later(withFd("ftruncateSync")),
    sync: later(withFd("fsyncSync")),
    datasync: later(withFd("fdatasyncSync")),
    stat: later(withFd("fstatSync")),
    chmod: later(withFd("fchmodSync")),
    chown: later(withFd("fchownSync")),
    utimes: later(withFd("futimesSync")),
    close: async () => {
      if (fd < 0) return;
      fd = -1;
      fs.closeSync(opened);
    },
    [Symbol.asyncDispose]: async () => handle.close(),
  };
  return handle as unknown as FileHandle;
}
