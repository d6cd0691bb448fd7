/**
 * Imports go into a subvolume with a temporary name, which gets its own name when it is whole. Only
 * a killed import leaves one behind. Where a store is served others may be under way; else a store
 * has one writer, and nobody is at work on what is there.
 */
import { randomBytes } from "node:crypto";
import { isBlockspaceError } from "../base/errors.ts";
import type { StoreAccess } from "./control/store-access.ts";

const PREFIX = ".import-";

export function unfinishedName(): string {
  return `${PREFIX}${randomBytes(8).toString("hex")}`;
}

export function isUnfinishedImport(name: string): boolean {
  return name.startsWith(PREFIX) && /^[0-9a-f]{16}$/.test(name.slice(PREFIX.length));
}

/** Deletes what killed imports have left, and returns the names; another may be at it, too. */
export async function deleteUnfinished(host: StoreAccess): Promise<string[]> {
  const left = host
    .list()
    .filter(
      ({ name, readOnly, source }) => !readOnly && source === null && isUnfinishedImport(name),
    )
    .map(({ name }) => name)
    .filter((name) => host.importsUnderWay?.includes(name) !== true);
  const deleted: string[] = [];
  for (const name of left) {
    try {
      await host.delete(name);
      deleted.push(name);
    } catch (error) {
      if (!isBlockspaceError(error, "ENOENT")) throw error;
    }
  }
  return deleted;
}
