/**
 * Who can share a large map with a copy of it: one subject of the charts of cost against size. A
 * `take` makes copy number `n`, durable; a `drop` removes it, until the call returns.
 */
import { unlinkSync } from "node:fs";
import { join } from "node:path";
import { execFileSync } from "node:child_process";
import type { Host } from "blockspace";
import type { Subject } from "../turns.ts";
import { writeFragmented } from "./fragmented-file.ts";
import { reflink } from "./reflink.ts";

export interface Sharer extends Subject {
  /** Milliseconds. */
  take(copy: number): number | Promise<number>;
  drop(copy: number): number | Promise<number>;
}

function timed(work: () => void): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}

export async function timedWait(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** A snapshot or clone, durable or only ordered and visible; the other verb is a delete. */
export function blockspaceSharer(
  host: Host,
  name: string,
  verb: "snapshot" | "clone",
  durable: boolean,
): Sharer {
  const copyName = (copy: number): string => `${verb}-${durable}-${copy}`;
  return {
    name,
    async take(copy) {
      const cost = await timedWait(async () => {
        await host[verb]("disk", copyName(copy));
        if (durable) await host.flush();
      });
      await host.flush();
      return cost;
    },
    async drop(copy) {
      const cost = await timedWait(async () => {
        await host.delete(copyName(copy));
        if (durable) await host.flush();
      });
      await settled(host);
      return cost;
    },
  };
}

/** Waits until what was deleted is taken apart. */
async function settled(host: Host): Promise<void> {
  do await host.flush();
  while (host.statistics().deadNodes > 0);
}

/** A file in a directory of a file system that has reflinks. */
export function reflinkSharer(name: string, directory: string, extents: number): Sharer {
  const source = join(directory, `extents-${extents}`);
  writeFragmented(source, extents);
  return {
    name,
    take: (copy) => timed(() => reflink(source, `${source}-${copy}`)),
    drop: (copy) => timed(() => unlinkSync(`${source}-${copy}`)),
  };
}

function btrfs(...args: string[]): void {
  execFileSync("btrfs", ["subvolume", ...args], { stdio: "ignore" });
}

/** A subvolume of btrfs; the command ends when its transaction is on disk. */
export function subvolumeSharer(name: string, directory: string, extents: number): Sharer {
  const source = join(directory, `subvolume-${extents}`);
  btrfs("create", source);
  writeFragmented(join(source, "file"), extents);
  return {
    name,
    take: (copy) => timed(() => btrfs("snapshot", source, `${source}-${copy}`)),
    drop: (copy) => timed(() => btrfs("delete", `${source}-${copy}`)),
  };
}
