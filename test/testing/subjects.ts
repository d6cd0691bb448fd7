/** The file systems that must not drift apart: node's own and the simulated one, each in three ways. */
import * as node from "node:fs";
import * as nodePromises from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { SimulatedDisk } from "../../src/testing/disk.ts";
import { fileSystem } from "../../src/testing/file-system.ts";
import { fileSystemSync } from "../../src/testing/file-system-sync.ts";
import { nodeFileSystem } from "../../src/testing/node-file-system.ts";
import type { Subject } from "./file-system-suite.ts";
import { promised } from "./promised.ts";

export const isLinux: boolean = process.platform === "linux";

const scratch: string[] = [];

/** Removes the real folders that were made for a test; to be called in every file of tests. */
export function removeAfterEach(): void {
  afterEach(() => {
    for (const path of scratch.splice(0)) node.rmSync(path, { recursive: true, force: true });
  });
}

function realFolder(): string {
  const path = node.realpathSync(node.mkdtempSync(join(tmpdir(), "blockspace-testing-")));
  scratch.push(path);
  return path;
}

function simulated(face: (disk: SimulatedDisk) => Subject["fs"]): Subject {
  const disk = new SimulatedDisk();
  disk.createFolder("/root");
  return { fs: face(disk), root: "/root" };
}

export const subjects: Readonly<Record<string, () => Subject>> = {
  "node:fs/promises": () => ({ fs: nodePromises, root: realFolder() }),
  "node:fs": () => ({ fs: promised(node), root: realFolder() }),
  "node:fs with callbacks": () => ({ fs: promised(node, "callbacks"), root: realFolder() }),
  simulated: () => simulated(fileSystem),
  "simulated, synchronous": () => simulated((disk) => promised(fileSystemSync(disk))),
  "simulated, with callbacks": () =>
    simulated((disk) => promised(nodeFileSystem(disk), "callbacks")),
};
