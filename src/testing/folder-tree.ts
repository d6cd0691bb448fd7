/** The names on a simulated disk as they are now, and the way from a path to a node. */
import { systemError } from "./disk-errors.ts";
import { type DiskImage, type NodeNumber, type Names, ROOT } from "./disk-image.ts";
import type { NameChange, NamePlace } from "./operation.ts";

export class FolderTree {
  #folders: Map<NodeNumber, Names>;
  /** Folders whose names no image shares. */
  readonly #owned = new Map<NodeNumber, Map<string, NodeNumber>>();
  #nextNode: NodeNumber;

  constructor(image: DiskImage) {
    this.#folders = new Map(image.folders);
    this.#nextNode = image.nextNode;
  }

  image(): { folders: ReadonlyMap<NodeNumber, Names>; nextNode: NodeNumber } {
    this.#owned.clear();
    return { folders: new Map(this.#folders), nextNode: this.#nextNode };
  }

  newNode(): NodeNumber {
    return this.#nextNode++;
  }

  namesOf(folder: NodeNumber): Names {
    return this.#folders.get(folder) ?? new Map();
  }

  find(path: string): { node: NodeNumber; is: "file" | "folder" } | undefined {
    let node = ROOT;
    for (const name of partsOf(path)) {
      const next = this.#folders.get(node)?.get(name);
      if (next === undefined) return undefined;
      node = next;
    }
    return { node, is: this.#folders.has(node) ? "folder" : "file" };
  }

  /** The folder in which the last name of a path stands or may stand; it must be there. */
  place(path: string, syscall: string): NamePlace {
    const parts = partsOf(path);
    const name = parts.pop();
    if (name === undefined) throw systemError("EINVAL", syscall, path);
    const above = this.find(parts.join("/"));
    if (above === undefined) throw systemError("ENOENT", syscall, path);
    if (above.is === "file") throw systemError("ENOTDIR", syscall, path);
    return { folder: above.node, name };
  }

  change({ drop, put }: NameChange): void {
    if (drop) this.#own(drop.folder).delete(drop.name);
    if (!put) return;
    this.#own(put.folder).set(put.name, put.node);
    if (put.is === "folder" && !this.#folders.has(put.node)) this.#own(put.node);
  }

  #own(folder: NodeNumber): Map<string, NodeNumber> {
    let names = this.#owned.get(folder);
    if (!names) {
      names = new Map(this.#folders.get(folder));
      this.#owned.set(folder, names);
      this.#folders.set(folder, names);
    }
    return names;
  }
}

/** The names of a path; `.` and `..` mean what they mean everywhere. */
function partsOf(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts;
}
