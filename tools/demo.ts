/**
 * What Blockspace promises, shown on real input in under a minute: a disk image is imported,
 * snapshotted, cloned a hundred times, written to by a process that is killed with SIGKILL in the
 * middle of its work, reopened, and exported again with nothing lost.
 *
 *     npm run demo                an ext4 image of this repository's own sources
 *     npm run demo -- IMAGE       any disk image
 *
 * The store stays in `demo-store`. Ends with exit code 1 at the first thing that is not as it
 * should be.
 */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { formatSize, GiB, Host } from "blockspace";
import { compareFiles, isCleanExt, makeImage } from "./demo/image.ts";
import { crash } from "./demo/kill.ts";
import { Ledger } from "./demo/ledger.ts";
import { findProgram, run } from "./demo/programs.ts";
import { printHeader, step } from "./demo/report.ts";
import { cloneName, placesIn, STRIDE } from "./demo/stamps.ts";

const CLONES = 100;
/** The last clone is not written to. */
const WRITTEN_CLONES: number = CLONES - 1;
const KILLS = 5;
const SNAPSHOT = "disk@imported";

const root = fileURLToPath(new URL("..", import.meta.url));
const cli = join(root, "dist/cli/main.js");
const store = join(root, "demo-store");

async function blockspace(...args: string[]): Promise<string> {
  return run(process.execPath, [cli, ...args]);
}

async function storedBytes(): Promise<number> {
  const host = await Host.open(store, { readOnly: true });
  try {
    return host.statistics().allocated;
  } finally {
    await host.close();
  }
}

/** Makes the store and brings the image in, by way of the command line. */
async function importImage(image: string, size: number): Promise<void> {
  await rm(store, { recursive: true, force: true });
  await blockspace("init", store, "--capacity", String(Math.max(64 * GiB, 2 * size)));
  await step(async () => {
    await blockspace("import", store, image, "disk");
    return { what: `import ${formatSize(size)}`, stored: await storedBytes() };
  });
}

async function snapshotAndClone(): Promise<void> {
  const host = await Host.open(store);
  try {
    await step(async () => {
      await host.snapshot("disk", SNAPSHOT);
      await host.flush();
      return { what: "snapshot, durable", stored: host.statistics().allocated };
    });
    await step(async () => {
      for (let i = 1; i <= CLONES; i++) await host.clone(SNAPSHOT, cloneName(i));
      await host.flush();
      return { what: `${CLONES} clones of it, durable`, stored: host.statistics().allocated };
    });
  } finally {
    await host.close();
  }
}

async function killAndCheck(): Promise<void> {
  const ledger = new Ledger();
  for (let round = 0; round < KILLS; round++) {
    await step(async () => crash(store, SNAPSHOT, WRITTEN_CLONES, ledger));
  }
}

/** Brings the snapshot and the clone that nobody wrote to out again. */
async function exportAndCompare(image: string, scratch: string, isExt: boolean): Promise<void> {
  for (const name of [SNAPSHOT, cloneName(CLONES)]) {
    const exported = join(scratch, "exported.img");
    await step(async () => {
      await blockspace("export", store, name, exported);
      return { what: `export ${name}` };
    });
    await step(async () => {
      await compareFiles(image, exported);
      return { what: "  the same as the image, byte for byte" };
    });
    if (isExt) {
      await step(async () => {
        if (!(await isCleanExt(exported))) throw new Error(`e2fsck finds damage in ${name}`);
        return { what: "  e2fsck -fn finds nothing" };
      });
    }
    await rm(exported);
  }
}

async function demo(scratch: string): Promise<void> {
  const given = process.argv[2];
  if (given === undefined && !findProgram("mke2fs")) {
    console.log("mke2fs is not installed (Debian has it in e2fsprogs): using a plain file.\n");
  }
  printHeader();
  let image = given === undefined ? "" : resolve(given);
  if (given === undefined) {
    await step(async () => {
      const made = await makeImage(root, scratch);
      image = made.path;
      return { what: made.what };
    });
  }
  const { size } = await stat(image);
  if (placesIn(size) === 0) throw new Error(`${image} is smaller than ${formatSize(STRIDE)}`);
  const isExt = await isCleanExt(image);
  await importImage(image, size);
  await snapshotAndClone();
  await killAndCheck();
  await exportAndCompare(image, scratch, isExt);
  if (!isExt) console.log("e2fsck was not asked: it is not here, or this is no ext file system.");
  const command = relative(process.cwd(), cli);
  const place = relative(process.cwd(), store);
  console.log(`\nNothing was lost. The store is in ${place}; look around in it:\n`);
  console.log(`  node ${command} list ${place}`);
  console.log(`  node ${command} diff ${place} ${SNAPSHOT} ${cloneName(1)}`);
  console.log(`  node ${command} export ${place} ${cloneName(1)} clone.img`);
}

const scratch = await mkdtemp(join(tmpdir(), "blockspace-demo-"));
try {
  await demo(scratch);
} catch (error) {
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  await rm(scratch, { recursive: true });
}
