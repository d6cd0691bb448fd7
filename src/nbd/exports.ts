/**
 * What a host has to offer: each subvolume and snapshot is an export of its name, from the moment
 * in which it is made. The empty name stands for the default export, where there is one.
 */
import { isBlockspaceError } from "../base/errors.ts";
import type { Host, SubvolumeInfo } from "../host/host.ts";
import type { Subvolume } from "../host/subvolume.ts";
import { MAX_PAYLOAD } from "./limits.ts";

/** An export as a client chose it; its size stays as it was then. */
export interface Export {
  readonly name: string;
  readonly size: number;
  readonly readOnly: boolean;
  readonly description: string;
  readonly subvolume: Subvolume;
}

export interface ExportsOptions {
  /** What the empty name stands for; the only writable subvolume unless given. */
  defaultExport?: string | undefined;
  /** Every export is read-only. */
  readOnly?: boolean | undefined;
  /** Which subvolumes are offered; all unless given. */
  isOffered?: ((name: string) => boolean) | undefined;
}

export class Exports {
  readonly host: Host;
  readonly blockSize: number;
  readonly #options: ExportsOptions;

  constructor(host: Host, options: ExportsOptions) {
    this.host = host;
    this.blockSize = host.statistics().blockSize;
    this.#options = options;
  }

  /** Advertised to clients; any offset and length is served. */
  get blockSizes(): { minimum: number; preferred: number; maximum: number } {
    return { minimum: 1, preferred: Math.max(512, this.blockSize), maximum: MAX_PAYLOAD };
  }

  list(): { name: string; description: string }[] {
    return this.#offered().map((info) => ({ name: info.name, description: describe(info) }));
  }

  /** Snapshots that hold a former state of a subvolume, or of what it was cloned from. */
  snapshotsOf(subvolume: Subvolume): string[] {
    const all = this.host.list();
    const byName = new Map(all.map((info) => [info.name, info]));
    const ancestors = new Set<string>();
    let at = byName.get(subvolume.name);
    while (at && !ancestors.has(at.name)) {
      ancestors.add(at.name);
      at = at.source === null ? undefined : byName.get(at.source);
    }
    return all
      .filter(({ readOnly, name, source }) => {
        if (!readOnly || name === subvolume.name) return false;
        return ancestors.has(name) || (source !== null && ancestors.has(source));
      })
      .map(({ name }) => name);
  }

  /** The export that a client names, if it is there. */
  find(asked: string): Export | undefined {
    const name = asked === "" ? this.#default() : asked;
    if (name === undefined || this.#options.isOffered?.(name) === false) return undefined;
    const subvolume = this.snapshotOrSubvolume(name);
    if (!subvolume) return undefined;
    const readOnly = subvolume.readOnly || this.#options.readOnly === true;
    const info = this.host.list().find((entry) => entry.id === subvolume.id)!;
    return { name, size: subvolume.size, readOnly, description: describe(info), subvolume };
  }

  /** A subvolume by a name that may be anything. */
  snapshotOrSubvolume(name: string): Subvolume | undefined {
    try {
      return this.host.get(name);
    } catch (error) {
      const unknown = ["ENOENT", "EINVAL", "ENAMETOOLONG"] as const;
      if (unknown.some((code) => isBlockspaceError(error, code))) return undefined;
      throw error;
    }
  }

  #default(): string | undefined {
    const { defaultExport } = this.#options;
    if (defaultExport !== undefined) return defaultExport;
    const writable = this.#offered().filter(({ readOnly }) => !readOnly);
    return writable.length === 1 ? writable[0]!.name : undefined;
  }

  #offered(): SubvolumeInfo[] {
    const { isOffered } = this.#options;
    return this.host.list().filter(({ name }) => isOffered?.(name) !== false);
  }
}

function describe({ readOnly, source }: SubvolumeInfo): string {
  const kind = readOnly ? "snapshot" : source === null ? "subvolume" : "clone";
  return source === null ? kind : `${kind} of ${source}`;
}
