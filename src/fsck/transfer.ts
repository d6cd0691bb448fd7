/**
 * `dump` and `restore` as a whole: from a store to lines, and from lines to a store over the data
 * that is there.
 */
import { resolve } from "node:path";
import { BlockspaceError, isBlockspaceError } from "../base/errors.ts";
import type { Device, Directory } from "../device/device.ts";
import { decodeDataLabel, DATA_LABEL_SIZE, type Superblock } from "../format/superblock.ts";
import { addressOf, geometryOf } from "../space/geometry.ts";
import { examine } from "./check.ts";
import { readContents } from "./contents.ts";
import { crossCheck } from "./crosscheck.ts";
import { withoutBusy } from "./cutter.ts";
import { type DumpLine, dumpLines, type DumpOptions } from "./dump.ts";
import { Findings } from "./findings.ts";
import { checkGraph } from "./graph.ts";
import { readDump, type Restored } from "./restore.ts";
import { type AccessOptions, storeAccess, type StoreAccess } from "./store-access.ts";
import { CHECKPOINT, DATA, JOURNAL, LOCK, RESTORING, SUPERBLOCK } from "./store-parts.ts";
import { finishStore, writeLabel, writeSuperblock } from "./store-writing.ts";

/** The lines of the metadata of a store that is sound; `ECORRUPT` for one that needs a repair. */
export async function dump(
  path: string,
  options: DumpOptions & AccessOptions = {},
): Promise<Iterable<DumpLine>> {
  return dumpStore(storeAccess(resolve(path), options), options);
}

/** As {@link dump}, for a store made of any parts. */
export async function dumpStore(
  access: StoreAccess,
  options: DumpOptions = {},
): Promise<Iterable<DumpLine>> {
  const { signal, skeleton } = options;
  const { report, evidence } = await examine(access, signal ? { signal } : {});
  if (report.failure) throw failure(report.failure);
  const { chosen, superblock, geometry } = evidence ?? {};
  // A skeleton is for the report of what is wrong, so it takes what there is.
  const wanted = skeleton || report.exitCode === 0;
  if (!wanted || !chosen || !superblock || !geometry) {
    const ids = [...new Set(report.findings.map(({ id }) => id))].join(", ");
    const message = `${report.path} needs a repair before it can be dumped: ${ids}`;
    throw new BlockspaceError("ECORRUPT", message, { path: report.path });
  }
  const image = withoutBusy(chosen.replayed.image.clone(), chosen.replayed.lsn);
  return dumpLines(
    superblock,
    readContents(image, geometry, () => undefined),
    options,
  );
}

function failure({ code, message }: { code: string; message: string }): BlockspaceError {
  const known = ["ELOCKED", "ENOENT", "ENOTSUP", "ECANCELED"] as const;
  const text = message.replace(/^[A-Z]+: /, "");
  return new BlockspaceError(known.find((one) => one === code) ?? "EIO", text);
}

/**
 * Makes the metadata of a store from a dump, in a directory that has none. The data file in it is
 * kept, if it is the one of the dumped store; where there is none, an empty one is made.
 */
export async function restore(
  path: string,
  lines: AsyncIterable<string>,
  options: AccessOptions = {},
): Promise<void> {
  await restoreStore(storeAccess(resolve(path), options), await readDump(lines));
}

/** As {@link restore}, for a store made of any parts. */
export async function restoreStore(access: StoreAccess, restored: Restored): Promise<void> {
  const { superblock, image, lsn } = restored;
  const { directory } = access;
  refuseUnsound(restored);
  const hadData = (await directory.list()).includes(DATA);
  await refuseForeign(directory);
  await directory.ensure();
  const lock = await directory.lock(LOCK, "exclusive");
  const kept = new Set(hadData ? [DATA, LOCK] : [LOCK]);
  try {
    const wasCut = await clearRemains(access);
    await writeSuperblock(directory, RESTORING, superblock);
    const device = await openData(access, superblock, wasCut);
    await device.close();
    const state = { image, lsn, checksum: 0, epoch: 0, sequence: 0 };
    await finishStore(access, superblock, state, RESTORING);
  } catch (error) {
    // What is half done is of no use, and would only keep the next attempt away.
    await access.clear?.(kept).catch(() => undefined);
    throw error;
  } finally {
    await lock.release();
  }
}

/** Nothing is written where something is that may be wanted. */
async function refuseForeign(directory: Directory): Promise<void> {
  const names = await directory.list();
  const allowed = [DATA, LOCK];
  if (isCutRestore(names)) allowed.push(RESTORING, JOURNAL, CHECKPOINT);
  const foreign = names.find((name) => !allowed.includes(name));
  if (foreign === undefined) return;
  const message = `${directory.path} holds "${foreign}"; allowed is nothing but the data file`;
  throw new BlockspaceError("EEXIST", message, { path: directory.path });
}

/** A restore was killed: what it had written so far is in the way of the next one. */
function isCutRestore(names: readonly string[]): boolean {
  return names.includes(RESTORING) && !names.includes(SUPERBLOCK);
}

/** True where there was something; the name by which it is known goes last, when all is done. */
async function clearRemains(access: StoreAccess): Promise<boolean> {
  if (!isCutRestore(await access.directory.list())) return false;
  await access.clear?.(new Set([DATA, LOCK, RESTORING]));
  return true;
}

/** A dump is no more believed than a checkpoint. */
function refuseUnsound({ image, superblock }: Restored): void {
  const geometry = geometryOf(superblock);
  const findings = new Findings();
  const report = findings.report();
  const contents = readContents(image, geometry, report);
  crossCheck({ image, contents, geometry }, report);
  checkGraph(contents, report);
  const [first] = findings.list;
  if (!first) return;
  throw new BlockspaceError("ECORRUPT", `the dump is of no sound store: ${first.message}`);
}

/**
 * The data device of the dumped store, or a new one where there is none, or one that has no label
 * yet since its maker was killed.
 */
async function openData(
  access: StoreAccess,
  superblock: Superblock,
  wasCut: boolean,
): Promise<Device> {
  const { directory } = access;
  const geometry = geometryOf(superblock);
  const size = addressOf(geometry, geometry.capacityBlocks);
  let device: Device;
  try {
    device = await (access.openDevice?.("read") ?? directory.open(DATA, "read"));
  } catch (error) {
    if (!isBlockspaceError(error, "ENOENT") || access.openDevice) throw error;
    const made = await directory.create(DATA, { size, layout: "sparse" });
    await writeLabel(made, superblock.uuid);
    return made;
  }
  const label = new Uint8Array(Math.min(DATA_LABEL_SIZE, device.size));
  await device.read(label, 0);
  const uuid = decodeDataLabel(label);
  if (device.size >= size && uuid && Buffer.compare(uuid, superblock.uuid) === 0) return device;
  await device.close();
  if (wasCut && !access.openDevice && label.every((byte) => byte === 0)) {
    // Whosever it is: nothing in it goes away.
    if (device.size >= size) {
      const unlabelled = await directory.open(DATA, "write");
      await writeLabel(unlabelled, superblock.uuid);
      return unlabelled;
    }
    if (device.size === 0) {
      await directory.remove(DATA);
      return openData(access, superblock, false);
    }
  }
  throw new BlockspaceError("EEXIST", `${device.path} is not the data of the dumped store`);
}
