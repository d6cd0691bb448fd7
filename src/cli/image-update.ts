/**
 * An image that holds an earlier export, and is to hold a later one: only what differs is written.
 * While that goes on it holds neither of them. When it is cut short the same once more completes
 * it, since all that was written differs from the snapshot then as well; but for a subvolume that
 * was rolled back to it meanwhile, so better export a snapshot.
 */
import { type FileHandle, open } from "node:fs/promises";
import { BlockspaceError } from "../base/errors.ts";
import { FileDevice } from "../device/file-device.ts";
import type { ByteRange } from "../host/host.ts";
import { dataRanges, type Seek, systemSeek } from "./data-ranges.ts";
import {
  blockTarget,
  type ImageTarget,
  noImage,
  type Protected,
  putAll,
  refuseOwn,
  statOf,
  writeZeroes,
} from "./image-target.ts";

export interface UpdateOptions extends Protected {
  /** Bytes of what it holds, and of what it is to hold. */
  from: number;
  to: number;
}

/** Opens the image at `path`; `EINVAL` when it has neither size, `ENOENT` when it is not there. */
export async function openUpdate(path: string, options: UpdateOptions): Promise<ImageTarget> {
  const { from, to } = options;
  const found = await statOf(path);
  if (!found) throw new BlockspaceError("ENOENT", `there is no ${path} to be updated`, { path });
  await refuseOwn(path, found, options);
  if (found.isBlockDevice()) return blockTarget(path, Math.max(from, to));
  if (!found.isFile()) throw noImage(path);
  // One that was cut short may have either.
  if (found.size !== from && found.size !== to) {
    const allowed = from === to ? String(from) : `${from} or ${to}`;
    const what = `${path} has ${found.size} bytes; allowed are ${allowed}`;
    throw new BlockspaceError("EINVAL", what, { path });
  }
  return fileUpdate(path, options);
}

async function fileUpdate(path: string, { from, to }: UpdateOptions): Promise<ImageTarget> {
  // Holes are asked for through a descriptor of our own: asking moves its file position.
  const handle = await open(path, "r+");
  let device: FileDevice;
  try {
    await handle.truncate(Math.max(from, to));
    device = await FileDevice.open(path, "write");
  } catch (error) {
    await handle.close();
    throw error;
  }
  const seek = systemSeek();
  const close = async (): Promise<void> => {
    await device.close();
    await handle.close();
  };
  return {
    put: (chunk) => putAll(device, chunk),
    clear: (range) =>
      typeof seek === "function" ? clear(device, handle, range, seek) : writeZeroes(device, range),
    async finish() {
      if (to < from) await handle.truncate(to);
      await device.flush();
      await close();
    },
    abandon: close,
  };
}

/** Punches a hole; where the file system leaves data in it, there are zeroes to be written. */
async function clear(
  device: FileDevice,
  { fd }: FileHandle,
  range: ByteRange,
  seek: Seek,
): Promise<number> {
  await device.discard(range.offset, range.length);
  let written = 0;
  for (const left of dataRanges(fd, range, seek)) {
    written += await writeZeroes(device, left);
  }
  return written;
}
