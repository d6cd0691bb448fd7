/**
 * What an import reads: a file or block device, of which only the data is read, or a stream (`-`, a
 * pipe) of whatever length.
 */
import { constants, createReadStream, fstatSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import { addAbortSignal, type Readable } from "node:stream";
import type { ByteRange } from "../host/host.ts";
import { FileDevice } from "../device/file-device.ts";
import { type Chunk, CHUNK_BYTES, chunksOf, cut, newBuffer } from "./chunks.ts";
import { dataRanges, systemSeek, widen } from "./data-ranges.ts";
import type { Session } from "./session.ts";

export interface ImageSource {
  /** Bytes; unknown for a stream, which ends where it ends. */
  readonly size: number | undefined;
  /** The data in order; what lies between two chunks is zeroes. */
  chunks(): AsyncIterable<Chunk>;
  close(): Promise<void>;
}

/** Opens the file at `path`, or standard input for `-`; chunks begin at multiples of `unit`. */
export async function openSource(
  session: Session,
  path: string,
  unit: number,
): Promise<ImageSource> {
  if (path === "-") return streamSource(standardInput(session));
  const stats = await stat(path);
  const hasOffsets = stats.isFile() || stats.isBlockDevice() || stats.isDirectory();
  if (!hasOffsets) return streamSource(createReadStream(path, { signal: session.signal }));
  return fileSource(session, path, unit);
}

/** Standard input, which ends with an error when the run is interrupted. */
export function standardInput(session: Session): Readable {
  const { signal } = session;
  // A file is read in far larger pieces than Node takes by itself.
  if (fstatSync(0).isFile()) {
    return createReadStream("", { fd: 0, autoClose: false, highWaterMark: CHUNK_BYTES, signal });
  }
  return addAbortSignal(signal, process.stdin);
}

function streamSource(stream: Readable): ImageSource {
  return {
    size: undefined,
    chunks: () => chunksOf(stream as AsyncIterable<Uint8Array>, 0),
    async close() {
      stream.destroy();
    },
  };
}

async function fileSource(session: Session, path: string, unit: number): Promise<ImageSource> {
  const device = await FileDevice.open(path, "read");
  const { size } = device;
  // Holes are asked for through a descriptor of our own: asking moves its file position.
  const handle = await open(path, constants.O_RDONLY).catch(async (error: unknown) => {
    await device.close();
    throw error;
  });
  return {
    size,
    async *chunks() {
      const ranges = widen(rangesOf(session, handle.fd, size), unit, size);
      for (const { offset, length } of cut(ranges)) {
        session.signal.throwIfAborted();
        const bytes = newBuffer(length);
        await device.read(bytes, offset);
        yield { offset, bytes };
      }
    },
    async close() {
      await handle.close();
      await device.close();
    },
  };
}

function rangesOf(session: Session, fd: number, size: number): Iterable<ByteRange> {
  const seek = systemSeek();
  const whole = { offset: 0, length: size };
  if (typeof seek === "function") return dataRanges(fd, whole, seek);
  session.detail(`holes cannot be found, the whole file is read: ${seek.missing}`);
  return [whole];
}
