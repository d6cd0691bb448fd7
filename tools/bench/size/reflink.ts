/**
 * `FICLONE`: makes one file share all extents of another, as `cp --reflink=always` does, without
 * the start of a process in what is measured.
 */
import { closeSync, fsyncSync, openSync } from "node:fs";
import koffi from "koffi";

/** `_IOW(0x94, 9, int)`, as on every architecture but a few that Node does not run on. */
const FICLONE = 0x40049409;

let ioctl: ((fd: number, request: number, source: number) => number) | undefined;

/** Makes `target` a reflink of `source`, and durable. */
export function reflink(source: string, target: string): void {
  ioctl ??= koffi.load(null).func("ioctl", "int", ["int", "ulong", "int"]);
  const from = openSync(source, "r");
  const to = openSync(target, "wx");
  try {
    if (ioctl(to, FICLONE, from) !== 0) {
      throw new Error(`FICLONE of ${source} failed with errno ${koffi.errno()}`);
    }
    fsyncSync(to);
  } finally {
    closeSync(from);
    closeSync(to);
  }
}
