/**
 * A repair from beginning to end: check, plan, write, check again. It consumes what the check has
 * found; what to write is decided before a byte is written, and the check afterwards is the same as
 * before.
 *
 * By default the repaired store is a new one in another directory, and the damaged one is only
 * read. In place, an undo file is written first (`undo.ts` says why it may be killed at any time).
 */
import { randomUUID } from "node:crypto";
import { BlockspaceError } from "../base/errors.ts";
import type { Device } from "../device/device.ts";
import { liesBelow } from "../device/directory-paths.ts";
import type { SegmentRecord } from "../format/segment-record.ts";
import { DATA_LABEL_SIZE } from "../format/superblock.ts";
import { journalDirectory } from "../host/store.ts";
import { addressOf } from "../space/geometry.ts";
import {
  type CheckOptions,
  type CheckReport,
  checkScrub,
  type Evidence,
  examine,
  failureBits,
  failureOf,
} from "./check.ts";
import { copyData, type DataCopy } from "./data-copy.ts";
import { exitBits, exitCodeOf, type Finding } from "./finding.ts";
import { blocksInJournal } from "./journal-search.ts";
import { type Loss, unreadable } from "./loss.ts";
import { linksIn, lockForRepair } from "./phase-identity.ts";
import { journalPlace, planRepair, type RepairPlan } from "./repair-plan.ts";
import { placeOf } from "./scrub.ts";
import { storeAccess, type StoreAccess } from "./store-access.ts";
import { DATA, LOCK, SUPERBLOCK, SUPERBLOCK_AWAY, UNDO, UNFINISHED } from "./store-parts.ts";
import {
  finishStore,
  writeCheckpoints,
  writeJournal,
  writeLabel,
  type WrittenState,
  writeSuperblock,
} from "./store-writing.ts";
import {
  collectPieces,
  dropUndo,
  readUndo,
  rollBack,
  takeApart,
  whyNoWayBack,
  writeUndo,
} from "./undo.ts";

export interface RepairOptions extends CheckOptions {
  /** The directory of the new store; it must be empty or not be there. */
  to?: string;
  /** Change the store itself, behind an undo file. */
  inPlace?: boolean;
  /**
   * `leaks`: correct nothing worse than leaks; where there is damage, do nothing. `safe`: do
   * nothing that costs data, or puts it elsewhere.
   */
  only?: "leaks" | "safe";
}

export interface RepairReport {
  path: string;
  /** Where the repaired store is. */
  target?: string;
  before: CheckReport;
  /** The check of what was written. */
  after?: CheckReport;
  /** Findings that are gone, and that are not. */
  corrected: number;
  uncorrected: number;
  losses: Loss[];
  failure?: { code: string; message: string };
  /** Bits as of fsck(8). */
  exitCode: number;
}

/**
 * Repairs the store in a directory; resolves whatever is wrong with it. `EINVAL` for a target
 * within the store.
 */
export async function repair(path: string, options: RepairOptions): Promise<RepairReport> {
  const { to } = options;
  checkScrub(options);
  const access = storeAccess(path, options);
  const target = to === undefined ? undefined : storeAccess(to);
  if (target) await refuseWithin(access.directory.path, target.directory.path);
  return repairStore(access, target, options);
}

/** A store must not be written into the one that it is made from, whatever links lead there. */
async function refuseWithin(store: string, to: string): Promise<void> {
  if (!(await liesBelow(to, store))) return;
  const message = `${to} is within the damaged store; allowed is a directory outside of it`;
  throw new BlockspaceError("EINVAL", message, { path: to });
}

/** As {@link repair}, for stores made of any parts; without a target in place. */
export async function repairStore(
  access: StoreAccess,
  target: StoreAccess | undefined,
  options: RepairOptions = {},
): Promise<RepairReport> {
  const path = access.directory.path;
  const nothing: CheckReport = { path, phases: [], findings: [], findingsLeftOut: 0, exitCode: 0 };
  const report: RepairReport = {
    path,
    before: nothing,
    corrected: 0,
    uncorrected: 0,
    losses: [],
    exitCode: 0,
  };
  try {
    const lock = await lockForRepair(access, target ? "shared" : "exclusive");
    try {
      await carryOut(access, target, options, report);
    } finally {
      await lock.release();
    }
  } catch (error) {
    report.failure = failureOf(error, options.signal);
    // Nothing was looked at, which must not be taken for a clean store.
    if (report.before === nothing) nothing.failure = report.failure;
  }
  const { before, corrected, uncorrected } = report;
  const failure = report.failure ?? before.failure;
  if (failure) report.failure = failure;
  report.exitCode =
    (corrected > 0 ? exitBits.corrected : 0) |
    (uncorrected > 0 ? leftBits(report) : 0) |
    failureBits(report.failure);
  return report;
}

/** What is left: leaks, or worse. */
function leftBits({ before, after, losses }: RepairReport): number {
  if (losses.some(({ kind }) => kind === "unreadable")) return exitBits.uncorrected;
  return exitCodeOf((after ?? before).findings);
}

/** Also those that were not kept. */
function countOf({ findings, findingsLeftOut }: CheckReport): number {
  return findings.length + findingsLeftOut;
}

async function carryOut(
  access: StoreAccess,
  target: StoreAccess | undefined,
  options: RepairOptions,
  report: RepairReport,
): Promise<void> {
  const interrupted = target === undefined && (await rollBackInterrupted(access));
  const { report: before, evidence } = await examine(access, options, "none");
  report.before = before;
  const { findings } = before;
  report.uncorrected = countOf(before);
  if (before.failure || !evidence) return;
  if (findings.some(({ severity }) => severity === "fatal")) return;
  if (options.only === "leaks" && findings.some(({ severity }) => severity !== "leak")) return;
  if (findings.length > 0) await write(access, target, evidence, report, options);
  if (interrupted) {
    await dropIfIdle(access, findings);
    report.corrected++;
  }
}

/** After a rollback that left nothing to repair, the undo file is of no use. */
async function dropIfIdle(access: StoreAccess, findings: readonly Finding[]): Promise<void> {
  if (findings.length === 0) await dropUndo(access);
}

async function write(
  access: StoreAccess,
  target: StoreAccess | undefined,
  evidence: Evidence,
  report: RepairReport,
  options: RepairOptions,
): Promise<void> {
  const { findings } = report.before;
  const mode = target ? "read" : "write";
  const device = await (access.openDevice?.(mode) ?? access.directory.open(DATA, mode));
  try {
    const freeLeaks = options.only === "leaks";
    const plan = await planRepair(evidence, device, { findings, freeLeaks });
    const bad = await restoreFromJournal(evidence, plan);
    // A copy compares every block, and tells of these itself.
    report.losses.push(...plan.losses, ...(target ? [] : bad));
    const harmless = new Set(["rebuilt", "resized"]);
    if (options.only === "safe" && plan.losses.some(({ kind }) => !harmless.has(kind))) return;
    const { losses } = report;
    const copy = { plan, source: device, losses, signal: options.signal };
    if (target) await writeNewStore(target, evidence, copy);
    else await writeInPlace(access, evidence, plan, device, findings);
  } finally {
    await device.close();
  }
  const result = target ?? access;
  report.target = result.directory.path;
  const { signal } = options;
  const { report: after } = await examine(result, signal ? { signal } : {}, "none");
  report.after = after;
  const lost = report.losses.filter(({ kind }) => kind === "unreadable").length;
  report.uncorrected = countOf(after) + lost;
  report.corrected = countOf(report.before) - Math.min(evidence.badBlocks.length, lost);
  if (after.failure) throw new BlockspaceError("EIO", after.failure.message);
}

/** Blocks that the data device has lost and the journal still carries; the others are told of. */
async function restoreFromJournal(evidence: Evidence, plan: RepairPlan): Promise<Loss[]> {
  const { geometry, badBlocks: bad } = evidence;
  const { blockSize, segmentBlocks } = geometry;
  const { contents } = plan;
  const recordOf = (pblock: number): SegmentRecord | null | undefined =>
    contents.segments.get(Math.floor(pblock / segmentBlocks));
  const wanted = new Map<number, number>();
  for (const { pblock } of bad) {
    const record = recordOf(pblock);
    const index = pblock % segmentBlocks;
    if (record && record.refs.get(index) > 0) wanted.set(pblock, record.checksums[index]!);
  }
  const found = await blocksInJournal(journalPlace(evidence), wanted, blockSize);
  for (const [pblock, block] of found) plan.restored.set(pblock, block);
  const left = bad.filter(({ pblock }) => !found.has(pblock));
  return left.map(({ pblock, id }) => {
    const record = recordOf(pblock);
    const place = record ? placeOf({ geometry, contents }, record, pblock) : {};
    const what = id === "D001" ? "does not match its checksum" : "cannot be read";
    return unreadable(place, `block ${pblock} ${what}`);
  });
}

function stateOf({ image, lsn, checksum, epoch, sequence }: RepairPlan): WrittenState {
  return { image, lsn, checksum, epoch, sequence };
}

async function writeNewStore(
  target: StoreAccess,
  evidence: Evidence,
  copy: Omit<DataCopy, "superblock">,
): Promise<void> {
  const { directory } = target;
  if ((await directory.list()).length > 0) {
    const message = `${directory.path} is not empty; allowed is an empty or new directory`;
    throw new BlockspaceError("EEXIST", message, { path: directory.path });
  }
  await directory.ensure();
  const uuid = Buffer.from(randomUUID().replaceAll("-", ""), "hex");
  const superblock = { ...evidence.superblock, uuid };
  const lock = await directory.lock(LOCK, "exclusive");
  try {
    await writeSuperblock(directory, UNFINISHED, superblock);
    await copyData(target, { superblock, ...copy });
    const state = { ...stateOf(copy.plan), sequence: 0 };
    await finishStore(target, superblock, state, UNFINISHED);
  } catch (error) {
    // What is half done is of no use, and would only keep the next attempt away.
    await target.clear?.().catch(() => undefined);
    throw error;
  } finally {
    await lock.release();
  }
}

async function writeInPlace(
  access: StoreAccess,
  evidence: Evidence,
  plan: RepairPlan,
  device: Device,
  findings: readonly Finding[],
): Promise<void> {
  const { directory } = access;
  const { superblock, geometry } = evidence;
  const has = (pattern: RegExp): boolean => findings.some(({ id }) => pattern.test(id));
  if (has(/^S008$/)) {
    const message =
      "a data device that was cut short is not repaired in place; " +
      "allowed is a repair into a new directory (--to)";
    throw new BlockspaceError("ENOTSUP", message, { path: device.path });
  }
  const metadata = has(/^[JCRXG]|^D003/);
  const blocks = metadata || has(/^D/) ? [...plan.restored] : [];
  const ranges = blocks.map(([pblock, { length }]) => ({
    address: addressOf(geometry, pblock),
    length,
  }));
  if (has(/^S006$/)) ranges.push({ address: 0, length: DATA_LABEL_SIZE });
  const left = { epoch: metadata ? plan.epoch + 2 : plan.epoch, lsn: plan.lsn };
  if (has(/^I006$/)) {
    // In one step, as its creation would have: from here on it is a store like any other.
    await directory.rename(UNFINISHED, SUPERBLOCK);
    await directory.sync();
  }
  const journal = journalDirectory(access);
  const odd = unreadableIn(findings);
  const pieces = await collectPieces(access, device, ranges, odd);
  // As long as the store is in one piece: where one cannot be put aside, it stays so. What cannot
  // be read now may be of worth to somebody who can, so it is kept, under no journal file's name.
  for (const name of odd) await journal.rename(name, `${name}.unreadable`);
  await writeUndo(access, pieces, left);
  await takeApart(access);
  for (const [pblock, block] of blocks) await device.write([block], addressOf(geometry, pblock));
  await device.flush();
  if (has(/^S006$/)) await writeLabel(device, superblock.uuid);
  if (metadata) {
    await writeJournal(journal, superblock, stateOf(plan));
    await writeCheckpoints(access, superblock, stateOf(plan));
  }
  const names = await directory.list();
  if (names.includes(UNFINISHED)) await directory.remove(UNFINISHED);
  await writeSuperblock(directory, SUPERBLOCK_AWAY, superblock);
  await directory.rename(SUPERBLOCK_AWAY, SUPERBLOCK);
  await directory.sync();
}

/** The names in the journal that are no files, or whose beginning cannot be read. */
function unreadableIn(findings: readonly Finding[]): Set<string> {
  const bad = findings.filter(({ id }) => id === "J007");
  return new Set(bad.map(({ where }) => where.file!.replace(/^journal\//, "")));
}

/** Where a repair was cut short, the store is put back as it was before. */
async function rollBackInterrupted(access: StoreAccess): Promise<boolean> {
  if ((await linksIn(access)).size > 0) return false;
  const names = await access.directory.list();
  if (names.includes(SUPERBLOCK) || !names.includes(SUPERBLOCK_AWAY)) return false;
  const obstacle = await whyNoWayBack(access);
  if (obstacle !== undefined) {
    const { path } = access.directory;
    const message =
      `a repair in place of ${path} was cut short, and cannot be rolled back: ${obstacle}; ` +
      "allowed is a repair into a new directory (--to)";
    throw new BlockspaceError("ENOTSUP", message, { path });
  }
  await withDevice(access, (device) => rollBack(access, device));
  return true;
}

async function withDevice(
  access: StoreAccess,
  work: (device: Device) => Promise<void>,
): Promise<void> {
  const device = await (access.openDevice?.("write") ?? access.directory.open(DATA, "write"));
  try {
    await work(device);
  } finally {
    await device.close();
  }
}

/** Takes a repair in place back; only while nothing was written to the store since. */
export async function undoRepair(access: StoreAccess): Promise<void> {
  const lock = await lockForRepair(access, "exclusive");
  try {
    if (await rollBackInterrupted(access)) return await dropUndo(access);
    const names = await access.directory.list();
    if (!names.includes(UNDO)) {
      const { path } = access.directory;
      throw new BlockspaceError("ENOENT", `${path} has no repair to be undone`, { path });
    }
    const { epoch, lsn } = await readUndo(access);
    const { report, evidence } = await examine(access, {}, "none");
    const epochs = evidence?.candidates.map(({ contents }) => contents.closing?.epoch ?? 0) ?? [];
    if (report.state?.lsn !== lsn || Math.max(0, ...epochs) !== epoch) {
      const message = "the store was written to since its repair, which can no longer be undone";
      throw new BlockspaceError("EBUSY", message, { path: access.directory.path });
    }
    await withDevice(access, (device) => rollBack(access, device));
    await dropUndo(access);
  } finally {
    await lock.release();
  }
}
