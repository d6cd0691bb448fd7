/** A data device that lies outside of its store, at a path that the caller gives. */
import type { Device, Lock, LockMode } from "./device.ts";
import { FileDevice } from "./file-device.ts";
import { lockDataFile } from "./file-lock.ts";

export interface DataDevice {
  openDevice: (mode: "read" | "write") => Promise<Device>;
  lockDevice: (mode: LockMode) => Promise<Lock>;
}

export function dataDevice(path: string): DataDevice {
  return {
    openDevice: (mode) => FileDevice.open(path, mode),
    lockDevice: (mode) => lockDataFile(path, mode),
  };
}
