/** The checks that rows of the matrix are made of: a workload on a store, and what may come out. */
import { type Host, isBlockspaceError } from "blockspace";
import {
  auditHost,
  checkSimulatedStore,
  type CrashCheck,
  type DiskImage,
  fingerprintOfImage,
  type Moment,
  SimulatedDisk,
} from "blockspace/testing";
import { BLOCK, type Beginning, open, pattern } from "./geometry.ts";
import { runDespiteFaults } from "./despite-faults.ts";
import { killedAfter } from "./kill.ts";
import {
  allowedAfter,
  everBegun,
  expectNothingWrong,
  expectOneOf,
  type Found,
  readAll,
} from "./model.ts";
import { type RottenPart, rotNewestCheckpoint } from "./rotten-checkpoint.ts";
import { Session } from "./session.ts";
import type { Step } from "./steps.ts";

/** Of so many recovered stores one is also worked on, closed, opened and compared again. */
const GO_ON_EVERY = 16;
const LEAKS_ONLY = 2;
/** Of so many crash states one is checked by fsck before anybody opens it. */
const CHECK_EVERY = 256;

/** Loss of power: the store holds an allowed state (promises I1 and I2), and all of it adds up. */
export function crashCheck(
  name: string,
  steps: readonly Step[],
  beginning?: Beginning,
): CrashCheck<Found | undefined, Step> {
  return {
    name,
    steps,
    ...(beginning ? { start: beginning.image } : {}),
    workload: async (disk, given) => (await Session.begin(disk, beginning)).runAll(given),
    recover: (disk) => recover(disk),
    oracle: (found, moment) => expectAllowed(found, moment, beginning),
  };
}

/**
 * The same for a store whose maker was killed after so many operations, and which somebody else has
 * opened, or made, before the power goes: what the first one wrote is there and hardly durable.
 */
export function secondCreationCheck(
  steps: readonly Step[],
  after: number,
): CrashCheck<Found | undefined, Step> {
  return {
    ...crashCheck("second creation", steps),
    workload: async (disk, given) => {
      disk.mark({ candidate: new Map() });
      let isDead = false;
      const victim = { after, isDead: () => isDead, die: () => void (isDead = true) };
      await killedAfter(disk, victim, async () => void (await open(disk, { create: true })));
      await (await Session.begin(disk)).runAll(given);
    },
  };
}

/** The same on a disk with faults that are noticed: what is left is allowed in the same way. */
export function faultCheck(
  name: string,
  steps: readonly Step[],
  beginning: Beginning,
): CrashCheck<Found | undefined, Step> {
  return {
    ...crashCheck(name, steps, beginning),
    recover: (disk) => recover(disk, { hasFailed: true }),
    workload: async (disk, given) => {
      const session = await Session.begin(disk, beginning).catch((error: unknown) => {
        if (!isBlockspaceError(error)) throw error;
      });
      if (session) await runDespiteFaults(session, given);
    },
  };
}

/**
 * A medium that does wrong and says nothing. Some state that there was is left, whole, with typed
 * errors in place of blocks that cannot be trusted, or the store refuses to open (promise I6).
 */
export function damageCheck(
  name: string,
  steps: readonly Step[],
  beginning: Beginning,
): CrashCheck<Found | undefined, Step> {
  return {
    ...faultCheck(name, steps, beginning),
    recover: async (disk) => {
      const host = await open(disk);
      return readAll(host);
    },
    oracle: (found, { marks }) => {
      expectNothingWrong(marks);
      expectOneOf(found!, [beginning.model, ...everBegun(marks)]);
    },
    refusal: (error) => isBlockspaceError(error),
  };
}

/**
 * Loss of power, and the newest checkpoint is rotten: there is a second copy, so nothing is lost. A
 * value that only a later read finds to be rotten is a typed error then (promise I6).
 */
export function rottenCheck(
  name: string,
  steps: readonly Step[],
  beginning: Beginning,
  part: RottenPart,
): CrashCheck<Found | undefined, Step> {
  return {
    ...crashCheck(name, steps, beginning),
    recover: async (disk) => {
      rotNewestCheckpoint(disk, part, fingerprintOfImage(disk.start));
      return recover(disk, { isRotten: true, mayBeUnreadable: part === "a value" });
    },
    refusal: (error) => part === "a value" && isBlockspaceError(error),
  };
}

/**
 * Loss of power, and then, so that somebody goes back to the older checkpoint, of the newer one and
 * the journal: every block that either of them refers to holds what it held (promise I4).
 */
export function olderCheck(
  name: string,
  steps: readonly Step[],
  beginning: Beginning,
): CrashCheck<Found | undefined, Step> {
  return {
    ...crashCheck(name, steps, beginning),
    recover: async (disk) => {
      await expectClean(disk.start);
      return recover(disk);
    },
  };
}

interface RecoverOptions {
  /** The newest checkpoint was damaged; else whoever passes it over is wrong. */
  isRotten?: boolean;
  mayBeUnreadable?: boolean;
  /**
   * A sync has failed: the newest checkpoint may hold what the journal has lost, which is damage to
   * the second copy, and nothing else.
   */
  hasFailed?: boolean;
}

/**
 * Opens what a crash left; `undefined` when no store is there yet. A typed error in place of a
 * block is an answer where the medium is rotten, and a loss where only the power went.
 */
export async function recover(
  disk: SimulatedDisk,
  { isRotten = false, mayBeUnreadable = false, hasFailed = false }: RecoverOptions = {},
): Promise<Found | undefined> {
  if (disk.find("/store/superblock") === undefined) return createAnew(disk);
  const number = fingerprintOfImage(disk.start);
  if (!hasFailed && number % CHECK_EVERY === 0) await expectClean(disk.start);
  const host = await (isRotten ? openFromSecondCopy(disk) : open(disk));
  const { damagedCheckpoint } = host.recovery;
  if (!isRotten && damagedCheckpoint !== undefined) {
    throw new Error(`the newest checkpoint was passed over: ${damagedCheckpoint}`);
  }
  auditHost(host);
  const found = await readAll(host);
  if (!mayBeUnreadable) expectReadable(found);
  if (number % GO_ON_EVERY === 0) await goOn(disk, found);
  return found;
}

/** The older checkpoint is sound and the journal reaches back to it: no case for an error. */
async function openFromSecondCopy(disk: SimulatedDisk): Promise<Host> {
  try {
    return await open(disk);
  } catch (cause) {
    throw new Error(`there is a second copy, and the store does not open: ${String(cause)}`, {
      cause,
    });
  }
}

/**
 * What a crash leaves is no damage: fsck finds nothing worse than leaks, and every block that a
 * checkpoint refers to as it was.
 */
async function expectClean(image: DiskImage): Promise<void> {
  const disk = new SimulatedDisk({ image });
  const { exitCode, findings, failure } = await checkSimulatedStore(disk, { data: true });
  if (exitCode === 0 || exitCode === LEAKS_ONLY) return;
  const what = findings.map(({ id, message }) => `${id} ${message}`);
  throw new Error(`fsck exits with ${exitCode}: ${failure?.message ?? ""} ${what.join("; ")}`);
}

function expectReadable(found: Found): void {
  for (const [name, { errors }] of found) {
    for (const [at, code] of errors) throw new Error(`"${name}" cannot be read at ${at}: ${code}`);
  }
}

/** What a creation that was cut short left must not be in the way of another one. */
async function createAnew(disk: SimulatedDisk): Promise<undefined> {
  const host = await open(disk, { create: true });
  if (host.list().length > 0) throw new Error("a new store is not empty");
  await host.create("new", { size: 4 * BLOCK });
  await host.close();
}

/**
 * A recovered store is as good as any: opened once more it holds the same, takes writes, closes,
 * and opens with all there was. On a copy of its disk, so that it is no part of the recovery.
 */
async function goOn(recovered: SimulatedDisk, found: Found): Promise<void> {
  const disk = new SimulatedDisk({ image: recovered.image() });
  const host = await open(disk);
  expectOneOf(await readAll(host), [found]);
  const volume = await host.create("goes on", { size: 4 * BLOCK });
  const data = pattern(200, 4 * BLOCK);
  await volume.write(0, data).catch((error: unknown) => {
    // It may well be full; then nothing was written.
    if (!isBlockspaceError(error, "ENOSPC")) throw error;
    data.fill(0);
  });
  await host.checkpoint();
  await host.close();
  const again = await open(disk);
  auditHost(again);
  if (again.recovery.commits > 0) throw new Error("a closed store has commits to replay");
  const now = new Map(await readAll(again));
  const written = now.get("goes on");
  now.delete("goes on");
  if (!written || Buffer.compare(written.bytes, data) !== 0) {
    throw new Error("what was written after recovery is not there after the next opening");
  }
  expectOneOf(now, [found]);
}

function expectAllowed(found: Found | undefined, { marks }: Moment, beginning?: Beginning): void {
  const allowed = allowedAfter(beginning ? [{ candidate: beginning.model }, ...marks] : marks);
  if (found) expectOneOf(found, allowed);
  else if (beginning || marks.some((mark) => "durable" in (mark as object))) {
    throw new Error("the store is gone");
  }
}
