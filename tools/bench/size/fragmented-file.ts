/**
 * A file of many extents: every other block is written, the rest are holes. Its size is set first,
 * so that the file system does not allocate ahead of what looks like an appending writer.
 */
import { closeSync, fsyncSync, ftruncateSync, openSync, writeSync } from "node:fs";

export const BLOCK = 4096;

export function writeFragmented(path: string, extents: number): void {
  const fd = openSync(path, "wx");
  try {
    ftruncateSync(fd, 2 * extents * BLOCK);
    const block = Buffer.alloc(BLOCK, "x");
    for (let i = 0; i < extents; i++) writeSync(fd, block, 0, BLOCK, 2 * i * BLOCK);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
