/**
 * Where a file holds data, so that an import of a sparse file costs what its data costs.
 *
 * The system knows (`lseek` with `SEEK_DATA` and `SEEK_HOLE`) and Node does not ask it; `koffi`
 * calls the function for us. Where that cannot be done, or the file system does not tell, the whole
 * file counts as data: it is read through, and its zeroes are found block by block.
 *
 * The answer is a hint that may only err on one side. Data that is written into a hole while we
 * look may be missed, as it may by whoever reads a file that is being written to.
 */
import koffi from "koffi";
import { BlockspaceError, messageOf } from "../base/errors.ts";
import type { ByteRange } from "../host/host.ts";

/**
 * The offset at or behind `offset` where data or a hole begins; `none` when nothing but a hole is
 * left, `unknown` when the file system does not tell.
 */
export type Seek = (
  fd: number,
  offset: number,
  what: "data" | "hole",
) => number | "none" | "unknown";

/** Where `lseek` takes 64-bit offsets on every system that has it. */
const WIDE_OFFSETS = new Set(["arm64", "loong64", "ppc64", "riscv64", "s390x", "x64"]);
const whence = process.platform === "darwin" ? { data: 4, hole: 3 } : { data: 3, hole: 4 };

/** The system's own seek, or the reason why there is none. */
export function systemSeek(): Seek | { missing: string } {
  if (process.platform === "win32" || !WIDE_OFFSETS.has(process.arch)) {
    return { missing: `${process.platform} on ${process.arch} has no lseek that we know` };
  }
  let lseek: (fd: number, offset: number, whence: number) => number;
  try {
    lseek = koffi.load(null).func("lseek", "int64_t", ["int", "int64_t", "int"]);
  } catch (error) {
    return { missing: messageOf(error) };
  }
  const { ENXIO, EINVAL, ENOTSUP, EOPNOTSUPP, ENOSYS, ESPIPE } = koffi.os.errno;
  const unsupported = new Set([EINVAL, ENOTSUP, EOPNOTSUPP, ENOSYS, ESPIPE]);
  return (fd, offset, what) => {
    const found = lseek(fd, offset, whence[what]);
    if (found >= 0) return found;
    const errno = koffi.errno();
    if (errno === ENXIO) return "none";
    if (unsupported.has(errno)) return "unknown";
    throw new BlockspaceError("EIO", `lseek to the next ${what} failed with errno ${errno}`, {
      offset,
    });
  };
}

/** What of a range may hold data, in order; the rest reads as zeroes. */
export function* dataRanges(
  fd: number,
  { offset, length }: ByteRange,
  seek: Seek,
): Generator<ByteRange, void> {
  const end = offset + length;
  for (let at = offset; at < end;) {
    const start = seek(fd, at, "data");
    if (start === "none") return;
    // A system that leads nowhere is not asked again.
    if (start === "unknown" || start < at) {
      yield { offset: at, length: end - at };
      return;
    }
    if (start >= end) return;
    const hole = seek(fd, start, "hole");
    const next = typeof hole === "number" && hole > start ? Math.min(hole, end) : end;
    yield { offset: start, length: next - start };
    at = next;
  }
}

/** The ranges widened to multiples of `unit`, and joined where they touch then. */
export function* widen(
  ranges: Iterable<ByteRange>,
  unit: number,
  size: number,
): Generator<ByteRange, void> {
  let open: ByteRange | undefined;
  for (const { offset, length } of ranges) {
    const from = Math.floor(offset / unit) * unit;
    const to = Math.min(size, Math.ceil((offset + length) / unit) * unit);
    if (open && from <= open.offset + open.length) open.length = to - open.offset;
    else {
      if (open) yield open;
      open = { offset: from, length: to - from };
    }
  }
  if (open) yield open;
}
