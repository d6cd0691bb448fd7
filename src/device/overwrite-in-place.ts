/**
 * Has a new file of btrfs overwritten in place: there each write takes new space, also one through
 * a mapping, which on a full file system ends the process (`SIGBUS`). It is what `chattr +C` does,
 * which Node does not offer. Of other file systems that write elsewhere we know no such switch.
 */
import { fstatSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { viewOf } from "../base/bytes.ts";
import { nativeFunction } from "./native-function.ts";

const BTRFS = 0x9123683e;
const FS_IOC_GETFLAGS = 0x80086601;
const FS_IOC_SETFLAGS = 0x40086602;
const FS_NOCOW_FL = 0x00800000;

type Ioctl = (fd: number, request: number, flags: Uint8Array) => number;

/** True when a file at `path` is overwritten in place only after {@link overwriteInPlace}. */
export async function isNeverOverwritten(path: string): Promise<boolean> {
  return (await statfs(path).catch(() => undefined))?.type === BTRFS;
}

/** For an empty file; without effect where it cannot be done. */
export async function overwriteInPlace(fd: number): Promise<void> {
  const ioctl = (await nativeFunction<Ioctl>("ioctl", "int", ["int", "ulong", "void *"]))?.call;
  if (!ioctl || fstatSync(fd).size > 0) return;
  const flags = new Uint8Array(8);
  if (ioctl(fd, FS_IOC_GETFLAGS, flags) !== 0) return;
  const view = viewOf(flags);
  view.setUint32(0, view.getUint32(0, true) | FS_NOCOW_FL, true);
  ioctl(fd, FS_IOC_SETFLAGS, flags);
}
