/** fsck's check of a store on a simulated disk: the same eight phases as on real files. */
import { type CheckOptions, type CheckReport, examine } from "../fsck/check.ts";
import { Image } from "../fsck/image.ts";
import type { EnvironmentReading, StoreAccess } from "../fsck/store-access.ts";
import type { SimulatedDisk } from "../testing/disk.ts";
import { SimulatedDirectory } from "../testing/simulated-directory.ts";
import { tableOn } from "./simulated-host.ts";

/**
 * Checks the store under a path of a disk, which no host may have open; writes nothing. Exit code 0
 * of the report is clean, 2 is nothing worse than leaks.
 */
export async function checkSimulatedStore(
  disk: SimulatedDisk,
  options: Pick<CheckOptions, "data" | "signal"> & { path?: string } = {},
): Promise<CheckReport> {
  const { path = "/store", ...given } = options;
  const { report } = await examine(accessTo(disk, path), given);
  return report;
}

function accessTo(disk: SimulatedDisk, path: string): StoreAccess {
  return {
    directory: new SimulatedDirectory(disk, path),
    readEnvironment: async (name) => readingOf(disk, path, name),
    makeEnvironment: refuse,
    saveEnvironment: refuse,
    restoreEnvironment: refuse,
  };
}

function readingOf(disk: SimulatedDisk, path: string, name: "a" | "b"): EnvironmentReading {
  const image = new Image();
  for (const [kind, values] of tableOn(disk, path, name)) {
    for (const [id, value] of values) image.set(kind, id, value);
  }
  return { present: image.kinds().length > 0, image, foreignKeys: [] };
}

async function refuse(): Promise<never> {
  throw new TypeError("a check writes nothing");
}
