/**
 * A check from beginning to end: eight phases in order, each named and timed. It writes nothing,
 * not even a lock file, and believes nothing that it reads.
 */
import { checkWhole, show } from "../base/arguments.ts";
import { BlockspaceError, isBlockspaceError, messageOf } from "../base/errors.ts";
import type { Device, LockMode } from "../device/device.ts";
import { formatUuid, type Superblock } from "../format/superblock.ts";
import { journalDirectory } from "../host/store.ts";
import { type JournalIdentity, journalIdentityOf } from "../journal/files.ts";
import { type Geometry, geometryOf } from "../space/geometry.ts";
import { type Candidate, checkCheckpoints, type Chosen, replayAll } from "./candidates.ts";
import { type Contents, readContents } from "./contents.ts";
import { crossCheck } from "./crosscheck.ts";
import { exitBits, exitCodeOf, type Finding } from "./finding.ts";
import { Findings } from "./findings.ts";
import { checkGraph } from "./graph.ts";
import type { Image } from "./image.ts";
import {
  checkDataDevice,
  checkIdentity,
  checkSuperblock,
  type Identity,
} from "./phase-identity.ts";
import { checkJournal, type JournalSurvey } from "./phase-journal.ts";
import { scrub, type ScrubResult } from "./scrub.ts";
import {
  type AccessOptions,
  type EnvironmentName,
  storeAccess,
  type StoreAccess,
} from "./store-access.ts";

/** The phases in their order; a finding is made in one of them. */
export const phaseNames = [
  "identity and lock",
  "superblock and data device",
  "journal",
  "checkpoints",
  "replay",
  "cross-check of maps and space",
  "graph of subvolumes",
  "data",
] as const;

export interface PhaseReport {
  phase: number;
  name: string;
  milliseconds: number;
  /** Findings that it made. */
  findings: number;
}

/** How far a phase is; the unit depends on the phase. */
export interface Progress {
  phase: number;
  name: string;
  done: number;
  total: number;
}

export interface CheckOptions extends AccessOptions {
  /** Phase 7 as well: every block against its checksum. */
  data?: boolean;
  /** The address on the data device where phase 7 begins. */
  dataFrom?: number;
  /** How fast phase 7 reads at most. */
  bytesPerSecond?: number;
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  onFinding?: (finding: Finding) => void;
  onPhase?: (phase: PhaseReport) => void;
}

export interface CheckReport {
  path: string;
  uuid?: string;
  phases: PhaseReport[];
  findings: Finding[];
  /** Findings beyond the first thousand of an id. */
  findingsLeftOut: number;
  /** The state that was checked: the last commit, and what led there. */
  state?: { lsn: number; start: string; subvolumes: number; commits: number; tornBytes: number };
  data?: ScrubResult;
  /** Why the check could not go on. */
  failure?: { code: string; message: string };
  /** Bits as of fsck(8). */
  exitCode: number;
}

/** What a check has seen, for those who go on from there. */
export interface Evidence {
  access: StoreAccess;
  identity: Identity;
  superblock: Superblock;
  geometry: Geometry;
  journalIdentity: JournalIdentity;
  journal: JournalSurvey;
  candidates: Candidate[];
  chosen: Chosen | undefined;
  contents: Contents | undefined;
  /** All blocks that phase 7 could not read, however many findings are kept. */
  badBlocks: BadBlock[];
}

export interface BadBlock {
  pblock: number;
  id: "D001" | "D002";
}

/** Checks the store in a directory; resolves whatever is wrong with it, but for the arguments. */
export async function check(path: string, options: CheckOptions = {}): Promise<CheckReport> {
  checkScrub(options);
  const { report } = await examine(storeAccess(path, options), options);
  return report;
}

/** `EINVAL` for a scrub that begins nowhere, or at whose rate nothing would ever be read. */
export function checkScrub({ dataFrom, bytesPerSecond: rate }: CheckOptions): void {
  if (dataFrom !== undefined) checkWhole("dataFrom", dataFrom);
  if (rate === undefined || (typeof rate === "number" && rate >= 1)) return;
  throw new BlockspaceError("EINVAL", `bytesPerSecond is ${show(rate)}; allowed is 1 or more`);
}

/** As {@link check}, for a store made of any parts; also returns what it has seen. */
export async function examine(
  access: StoreAccess,
  options: CheckOptions = {},
  lockMode: LockMode | "none" = "shared",
): Promise<{ report: CheckReport; evidence: Evidence | undefined }> {
  const findings = new Findings(options.onFinding);
  const report: CheckReport = {
    path: access.directory.path,
    phases: [],
    findings: findings.list,
    findingsLeftOut: 0,
    exitCode: 0,
  };
  const run = new CheckRun(access, options, findings, report);
  try {
    await run.all(lockMode);
  } catch (error) {
    report.failure = failureOf(error, options.signal);
  } finally {
    await run.close();
  }
  report.findingsLeftOut = findings.left;
  report.exitCode = exitCodeOf(findings.list) | failureBits(report.failure);
  return { report, evidence: run.evidence };
}

/** The code and message of whatever ended a run early. */
export function failureOf(error: unknown, signal?: AbortSignal): { code: string; message: string } {
  if (signal?.aborted) return { code: "ECANCELED", message: "cancelled" };
  const message = messageOf(error);
  return { code: isBlockspaceError(error) ? error.code : "EINTERNAL", message };
}

export function failureBits(failure: { code: string } | undefined): number {
  if (!failure) return 0;
  return failure.code === "ECANCELED" ? exitBits.cancelled : exitBits.failure;
}

class CheckRun {
  evidence: Evidence | undefined;
  readonly #access: StoreAccess;
  readonly #options: CheckOptions;
  readonly #findings: Findings;
  readonly #report: CheckReport;
  readonly #closers: (() => Promise<void>)[] = [];

  constructor(access: StoreAccess, options: CheckOptions, findings: Findings, report: CheckReport) {
    this.#access = access;
    this.#options = options;
    this.#findings = findings;
    this.#report = report;
  }

  async all(lockMode: LockMode | "none"): Promise<void> {
    const access = this.#access;
    const findings = this.#findings;
    const report = findings.report();
    const identity = await this.#phase(0, () => this.#identity(lockMode));
    const { superblock: file } = identity;
    if (identity.interrupted || identity.isElsewhere || file === undefined) return;
    const start = await this.#phase(1, async () => {
      const superblock = await checkSuperblock(access, file, report);
      const device = superblock && (await checkDataDevice(access, superblock, report));
      if (device) this.#closers.push(() => device.close());
      return { superblock, device };
    });
    const { superblock, device } = start;
    if (!superblock) return;
    this.#report.uuid = formatUuid(superblock.uuid);
    const geometry = geometryOf(superblock);
    const journalIdentity = journalIdentityOf(superblock);
    const journal = await this.#phase(2, () =>
      checkJournal(journalDirectory(access), journalIdentity, report),
    );
    const { signal } = this.#options;
    const candidates = await this.#phase(3, (onProgress) =>
      checkCheckpoints(access, superblock, findings, { signal, onProgress }),
    );
    const { directory, files } = journal;
    const parts = { geometry, journal: directory, files, identity: journalIdentity };
    const chosen = await this.#phase(4, async () => {
      const found = await replayAll(candidates, signal ? { ...parts, signal } : parts, findings);
      if (found) return found;
      const any = candidates.some(({ contents }) => contents.state ?? contents.closing);
      if (any) report("R004", "no checkpoint can be loaded as it is");
      else report("R003", "there is nothing to replay from");
      return found;
    });
    const evidence = { access, identity, superblock, geometry, journalIdentity, journal };
    this.evidence = { ...evidence, candidates, chosen, contents: undefined, badBlocks: [] };
    if (chosen) await this.#final(chosen, geometry, device);
  }

  async close(): Promise<void> {
    for (const close of this.#closers.toReversed()) await close();
  }

  async #identity(lockMode: LockMode | "none"): Promise<Identity> {
    const report = this.#findings.report();
    const { lock, ...identity } = await checkIdentity(this.#access, lockMode, report);
    this.#closers.push(() => lock.release());
    return identity;
  }

  /** Phases 5 to 7, on the state that a host would have. */
  async #final(chosen: Chosen, geometry: Geometry, device: Device | undefined): Promise<void> {
    const report = this.#findings.report("replayed");
    const { image, restored, lsn, start, commits, end } = chosen.replayed;
    const contents = await this.#phase(5, async () => {
      const read = readContents(image, geometry, report);
      crossCheck({ image, contents: read, geometry }, report);
      return read;
    });
    this.evidence!.contents = contents;
    await this.#phase(6, async () => checkGraph(contents, report));
    const { size: subvolumes } = contents.subvolumes;
    const tornBytes = end?.discardedBytes ?? 0;
    this.#report.state = { lsn, start, subvolumes, commits, tornBytes };
    if (!this.#options.data || !device) return;
    const { dataFrom: from, bytesPerSecond, signal } = this.#options;
    const done = await this.#phase(7, (onProgress) =>
      scrub(
        { device, geometry, contents, restored, checkpoints: this.#checkpoints() },
        {
          onProgress,
          ...(from === undefined ? {} : { from }),
          ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
          ...(signal ? { signal } : {}),
        },
        (id, message, where, atRisk) => {
          if ((id === "D001" || id === "D002") && where?.blocks) {
            const pblock = (where.blocks.address - geometry.dataOffset) / geometry.blockSize;
            this.evidence!.badBlocks.push({ pblock, id });
          }
          report(id, message, where, atRisk);
        },
      ),
    );
    this.#report.data = done;
    if (done.next !== undefined) throw new BlockspaceError("ECANCELED", "the scrub was cut short");
  }

  /** Those that a repair could go back to. */
  #checkpoints(): { name: EnvironmentName; image: Image }[] {
    const whole = this.evidence!.candidates.filter((candidate) => candidate.whole);
    return whole.map(({ name, reading }) => ({ name, image: reading.image }));
  }

  async #phase<T>(
    phase: number,
    work: (onProgress: (done: number, total: number) => void) => Promise<T>,
  ): Promise<T> {
    this.#options.signal?.throwIfAborted();
    const name = phaseNames[phase]!;
    const began = performance.now();
    const before = this.#findings.all;
    const tell = (done: number, total: number): void =>
      this.#options.onProgress?.({ phase, name, done, total });
    tell(0, 1);
    try {
      const result = await work(tell);
      tell(1, 1);
      return result;
    } finally {
      const milliseconds = Math.round((performance.now() - began) * 10) / 10;
      const made = this.#findings.all - before;
      const done = { phase, name, milliseconds, findings: made };
      this.#report.phases.push(done);
      this.#options.onPhase?.(done);
    }
  }
}
