/**
 * Imports go into a subvolume with a temporary name, which gets its own name when it is whole. Only
 * a killed import leaves one behind. Where a store is served others may be under way; else a store
 * has one writer, and nobody is at work on what is there.
 */
import { randomBytes } from "node:crypto";
import type { StoreAccess } from "./control/store-access.ts";

const PREFIX = ".import-";

export function unfinishedName(): string {
  return `${PREFIX}${randomBytes(8).toString("hex")}`;
}

export function isUnfinishedImport(name: string): boolean {
  return name.startsWith(PREFIX) && /^[0-9a-f]{16}$/.test(name.slice(PREFIX.length));
}

/** Deletes what killed imports have left, and returns the names. */
export async function deleteUnfinished(host: StoreAccess): Promise<string[]> {
  const names = host
    .list()
    .filter(
      ({ name, readOnly, source }) => !readOnly && source === null && isUnfinishedImport(name),
    )
    .map(({ name }) => name)
    .filter((name) => host.importsUnderWay?.includes(name) !== true);
  for (const name of names) await host.delete(name);
  return names;
}
