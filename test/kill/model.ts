/**
 * What a store must hold after each operation, in the most naive way: for every subvolume all of
 * its bytes, never changed in place, so that a snapshot is the same bytes under another name.
 */
import { bytesOf, type Operation } from "./operations.ts";

export interface ModelSubvolume {
  readOnly: boolean;
  bytes: Uint8Array;
}

export class Model {
  readonly subvolumes: Map<string, ModelSubvolume>;

  constructor(subvolumes: Iterable<[string, ModelSubvolume]> = []) {
    this.subvolumes = new Map(subvolumes);
  }

  copy(): Model {
    return new Model(this.subvolumes);
  }

  apply(operation: Operation): void {
    switch (operation.type) {
      case "write":
        return this.#patch(operation, bytesOf(operation.fill, operation.length));
      case "zero":
        return this.#patch(operation, new Uint8Array(operation.length));
      case "create":
        return this.#add(operation.name, false, new Uint8Array(operation.size));
      case "snapshot":
      case "clone": {
        const { bytes } = this.#get(operation.source);
        return this.#add(operation.name, operation.type === "snapshot", bytes);
      }
      case "rename": {
        const subvolume = this.#get(operation.name);
        this.subvolumes.delete(operation.name);
        return this.#add(operation.to, subvolume.readOnly, subvolume.bytes);
      }
      case "delete":
        this.#get(operation.name);
        this.subvolumes.delete(operation.name);
        return;
      case "rollback":
        return this.#replace(operation.name, this.#get(operation.snapshot).bytes);
      case "resize": {
        const bytes = new Uint8Array(operation.size);
        bytes.set(this.#get(operation.name).bytes.subarray(0, operation.size));
        return this.#replace(operation.name, bytes);
      }
      case "transact":
        for (const step of operation.steps) this.apply(step);
    }
  }

  #get(name: string): ModelSubvolume {
    const subvolume = this.subvolumes.get(name);
    if (!subvolume) throw new Error(`the model has no "${name}"`);
    return subvolume;
  }

  #add(name: string, readOnly: boolean, bytes: Uint8Array): void {
    if (this.subvolumes.has(name)) throw new Error(`the model has "${name}" already`);
    this.subvolumes.set(name, { readOnly, bytes });
  }

  #replace(name: string, bytes: Uint8Array): void {
    if (this.#get(name).readOnly) throw new Error(`"${name}" of the model is a snapshot`);
    this.subvolumes.set(name, { readOnly: false, bytes });
  }

  #patch({ name, offset }: { name: string; offset: number }, patch: Uint8Array): void {
    const bytes = this.#get(name).bytes.slice();
    bytes.set(patch, offset);
    this.#replace(name, bytes);
  }
}

/** The first difference between two stores in words, or `null` when there is none. */
export function difference(expected: Model, found: Model): string | null {
  for (const name of found.subvolumes.keys()) {
    if (!expected.subvolumes.has(name)) return `"${name}" is there and should not be`;
  }
  for (const [name, { readOnly, bytes }] of expected.subvolumes) {
    const other = found.subvolumes.get(name);
    if (!other) return `"${name}" is missing`;
    if (other.readOnly !== readOnly) return `"${name}" is ${readOnly ? "not " : ""}a snapshot`;
    if (other.bytes.length !== bytes.length) {
      return `"${name}" has ${other.bytes.length} bytes, not ${bytes.length}`;
    }
    if (Buffer.compare(other.bytes, bytes) === 0) continue;
    const at = bytes.findIndex((byte, i) => byte !== other.bytes[i]);
    return `"${name}" holds ${other.bytes[at]} at ${at}, not ${bytes[at]}`;
  }
  return null;
}
