/**
 * A directory in memory, and what becomes of its names in a crash.
 *
 * The names as of the last sync, and the changes made since, in order. After loss of power the
 * first few of those changes have happened and the rest have not, each directory for itself: the
 * strictest that a journaling file system does. A name is one thing and the bytes of its file
 * another: a file can come back with its name and without its bytes, or be lost with its name
 * although it was flushed.
 */
import type { MemoryFile, Random } from "./memory-file.ts";

export type MemoryEntry = MemoryFile | MemoryNode;
type Names = Map<string, MemoryEntry>;

/** One change of names; a rename is a single one that drops a name and puts another. */
export interface NameChange {
  drop?: string;
  put?: { name: string; entry: MemoryEntry };
}

export class MemoryNode {
  /** The names as they are now. */
  readonly names: Names;
  #durable: Names;
  #unsynced: NameChange[] = [];

  constructor(durable: Names = new Map()) {
    this.#durable = durable;
    this.names = new Map(durable);
  }

  change(change: NameChange): void {
    apply(change, this.names);
    this.#unsynced.push(change);
  }

  sync(): void {
    this.#durable = new Map(this.names);
    this.#unsynced = [];
  }

  /** The directory and all that is in it after loss of power. */
  crashed(random: Random): MemoryNode {
    const names = new Map(this.#durable);
    for (const [index, change] of this.#unsynced.entries()) {
      // Each length of the prefix is as likely as any other; 0 loses all, nearly 1 keeps all.
      if (random() < 1 / (this.#unsynced.length - index + 1)) break;
      apply(change, names);
    }
    for (const [name, entry] of names) names.set(name, entry.crashed(random));
    return new MemoryNode(names);
  }

  /** The directory and all that is in it after the death of the process. */
  killed(): MemoryNode {
    const copies = new Map<MemoryEntry, MemoryEntry>();
    const copyOf = (entry: MemoryEntry): MemoryEntry => {
      const copy = copies.get(entry) ?? entry.killed();
      copies.set(entry, copy);
      return copy;
    };
    const node = new MemoryNode(
      new Map([...this.#durable].map(([name, entry]) => [name, copyOf(entry)])),
    );
    for (const { put, ...rest } of this.#unsynced) {
      node.change(put ? { ...rest, put: { name: put.name, entry: copyOf(put.entry) } } : rest);
    }
    return node;
  }
}

function apply({ drop, put }: NameChange, names: Names): void {
  if (drop !== undefined) names.delete(drop);
  if (put !== undefined) names.set(put.name, put.entry);
}
