/**
 * The descriptors that a program holds on a simulated disk: the lowest free number is given out
 * first and used again, as a system does it, so that a descriptor used after it was closed is as
 * dangerous here as there.
 */
import { systemError } from "./disk-errors.ts";
import type { FoundFile, SimulatedDisk } from "./disk.ts";
import type { FileAccess } from "./file-flags.ts";
import type { FoundNode } from "./file-stats.ts";

/** What most systems let a process have; a program that forgets to close runs into it. */
const MOST_OPEN_FILES = 1024;
/** 0 to 2 belong to the standard streams. */
const FIRST_DESCRIPTOR = 3;

export interface OpenFile extends FoundFile, FoundNode {
  access: FileAccess;
  /** Where the next read or write without a position begins. */
  position: number;
}

const tables = new WeakMap<SimulatedDisk, OpenFiles>();

export class OpenFiles {
  readonly #files = new Map<number, OpenFile>();

  /** Those of the program on this disk; all faces of a disk share them. */
  static of(disk: SimulatedDisk): OpenFiles {
    let files = tables.get(disk);
    if (!files) tables.set(disk, (files = new OpenFiles()));
    return files;
  }

  /** `EMFILE` when there is no descriptor left. */
  checkFree(): void {
    if (this.#files.size >= MOST_OPEN_FILES - FIRST_DESCRIPTOR) throw systemError("EMFILE", "open");
  }

  add(file: OpenFile): number {
    let fd = FIRST_DESCRIPTOR;
    while (this.#files.has(fd)) fd++;
    this.#files.set(fd, file);
    return fd;
  }

  get(fd: number, syscall: string): OpenFile {
    const file = this.#files.get(fd);
    if (!file) throw systemError("EBADF", syscall);
    return file;
  }

  close(fd: number): void {
    if (!this.#files.delete(fd)) throw systemError("EBADF", "close");
  }
}
