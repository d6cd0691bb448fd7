/**
 * A program whose system calls are played again: the simulated disk that stands for its directory,
 * its descriptors, what it has said so far, and what the log of its calls does not show.
 */
import { sep } from "node:path";
import { numberOf, openPathOf, pathOf } from "./call-arguments.ts";
import { type Descriptor, Descriptors, type OpenFile, WORKING_FOLDER } from "./descriptors.ts";
import type { SimulatedDisk } from "./disk.ts";
import { Mappings } from "./mappings.ts";
import { RealPaths } from "./real-paths.ts";
import type { SystemCall } from "./strace-log.ts";

/** Something that changed a file, or may have, and whose bytes or names the log does not show. */
export interface UnseenChange {
  call: string;
  /** Relative to the traced directory; empty for the directory itself, or {@link SAID}. */
  path: string;
}

/** In place of a path: what the program has said, which would have been marks. */
export const SAID = "standard output";

export class TracedProgram {
  readonly disk: SimulatedDisk;
  readonly descriptors: Descriptors;
  readonly mappings: Mappings;
  readonly directory: string;
  readonly unseen: UnseenChange[] = [];
  readonly #real = new RealPaths();
  readonly #onLine: (line: string) => void;
  /** The begin of a line whose end is still to come. */
  #rest: Buffer = Buffer.alloc(0);

  /** `directory` has no symbolic links in it; `onLine` gets each line of standard output. */
  constructor(
    disk: SimulatedDisk,
    directory: string,
    calls: readonly SystemCall[],
    onLine: (line: string) => void,
  ) {
    this.disk = disk;
    this.directory = directory;
    this.descriptors = new Descriptors(calls, directory);
    this.mappings = new Mappings(calls);
    this.#onLine = onLine;
  }

  /** The path as the disk has it, or `undefined` for one that is elsewhere. */
  inside(path: string): string | undefined {
    if (path === this.directory) return "";
    const start = this.directory + sep;
    return path.startsWith(start) ? path.slice(start.length) : undefined;
  }

  /** A path in the arguments; `folder` is the index of the descriptor from which it starts. */
  path(call: SystemCall, index: number, folder?: number): string | undefined {
    const path = this.#pathAsGiven(call, index, folder);
    // There are no links in the directory itself.
    return this.inside(path) ?? this.inside(this.#real.ofName(path));
  }

  /** Where a path in the arguments leads, also when its last name is a link. */
  realPath(call: SystemCall, index: number): string {
    const path = this.#pathAsGiven(call, index);
    return this.inside(path) === undefined ? this.#real.of(path) : path;
  }

  #pathAsGiven(call: SystemCall, index: number, folder?: number): string {
    const base = folder === undefined ? undefined : openPathOf(call, folder);
    const working = this.descriptors.get(call.thread, WORKING_FOLDER);
    return pathOf(call, index, base ?? (working?.type === "folder" ? working.path : undefined));
  }

  /**
   * What a descriptor stands for, as far as it is of interest. Where strace says that it is
   * something outside of the directory, it was closed in a way that is not followed.
   */
  descriptor(call: SystemCall, index = 0): Descriptor | undefined {
    const found = this.descriptors.get(call.thread, numberOf(call, index));
    const path = openPathOf(call, index);
    const isElsewhere = path !== undefined && this.inside(path) === undefined;
    return found?.type === "file" && isElsewhere ? undefined : found;
  }

  /** The file in the directory that a descriptor stands for. */
  file(call: SystemCall, index = 0): OpenFile | undefined {
    const found = this.descriptor(call, index);
    return found?.type === "file" ? found : undefined;
  }

  /** The folder in the directory that a descriptor stands for, where it is now. */
  folder(call: SystemCall, index = 0): string | undefined {
    const found = this.descriptors.get(call.thread, numberOf(call, index));
    if (found?.type !== "folder") return undefined;
    const path = openPathOf(call, index);
    const inside = path === undefined ? undefined : this.inside(path);
    return inside !== undefined && this.disk.find(inside) ? inside : undefined;
  }

  /** The program writes to its standard output. */
  say(bytes: Uint8Array): void {
    const lines = Buffer.concat([this.#rest, bytes]);
    let from = 0;
    for (let end = lines.indexOf("\n"); end >= 0; end = lines.indexOf("\n", from)) {
      this.#onLine(lines.subarray(from, end).toString("utf8"));
      from = end + 1;
    }
    this.#rest = lines.subarray(from);
  }

  /** Whether a file may hold what no trace shows. */
  isUnseen(path: string): boolean {
    return this.unseen.some((change) => change.path === path);
  }

  noteUnseen(call: SystemCall, path: string): void {
    const known = this.unseen.some((other) => other.call === call.name && other.path === path);
    if (!known) this.unseen.push({ call: call.name, path });
  }
}
