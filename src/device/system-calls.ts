/**
 * The callback functions of `node:fs` over a file descriptor, as promises.
 *
 * They cost less than a `FileHandle`, and less than what `util.promisify` makes of them: no object
 * is built for the answer. One call here is one system call; it may be cut short.
 */
import fs from "node:fs";
import { GiB } from "../base/units.ts";

/** Longer transfers than this are refused by `node:fs`, and cut short by the system. */
const MAX_TRANSFER_BYTES: number = GiB;

type Callback<T> = (error: NodeJS.ErrnoException | null, value?: T) => void;

function call<T>(start: (callback: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error ? reject(error) : resolve(value as T)));
  });
}

/** Reads into `target` at `offset`; resolves to the number of bytes, 0 at the end of the file. */
export function read(fd: number, target: Uint8Array, offset: number): Promise<number> {
  const length = Math.min(target.length, MAX_TRANSFER_BYTES);
  return call((callback) => fs.read(fd, target, 0, length, offset, callback));
}

/** Writes `bytes` at `offset`; resolves to the number of bytes written. */
export function write(fd: number, bytes: Uint8Array, offset: number): Promise<number> {
  const length = Math.min(bytes.length, MAX_TRANSFER_BYTES);
  return call((callback) => fs.write(fd, bytes, 0, length, offset, callback));
}

/** Writes `chunks` one after the other at `offset`; resolves to the number of bytes written. */
export function writev(fd: number, chunks: Uint8Array[], offset: number): Promise<number> {
  return call((callback) => fs.writev(fd, chunks, offset, callback));
}

export function open(path: string, flags: number): Promise<number> {
  return call((callback) => fs.open(path, flags, callback));
}

export function close(fd: number): Promise<void> {
  return call((callback) => fs.close(fd, callback));
}

export function fdatasync(fd: number): Promise<void> {
  return call((callback) => fs.fdatasync(fd, callback));
}

export function fsync(fd: number): Promise<void> {
  return call((callback) => fs.fsync(fd, callback));
}

export function ftruncate(fd: number, size: number): Promise<void> {
  return call((callback) => fs.ftruncate(fd, size, callback));
}

/** Numbers of 64 bits, since device and inode numbers may need them. */
export function fstat(fd: number): Promise<fs.BigIntStats> {
  return call((callback) => fs.fstat(fd, { bigint: true }, callback));
}
