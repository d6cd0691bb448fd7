/**
 * Phases 3 and 4: the two checkpoints, each by itself and with the journal behind it, and from that
 * the choice of the state that the rest of the check looks at.
 */
import { setImmediate } from "node:timers/promises";
import { kinds } from "../format/checkpoint-values.ts";
import { packKey } from "../checkpoint/delta.ts";
import { storeIdOf, type Superblock } from "../format/superblock.ts";
import { geometryOf } from "../space/geometry.ts";
import { type Contents, readContents } from "./contents.ts";
import { crossCheck } from "./crosscheck.ts";
import type { Findings, Report } from "./findings.ts";
import { checkGraph } from "./graph.ts";
import type { Image } from "./image.ts";
import { type Replayed, type ReplayParts, replayFrom, type Start } from "./replay.ts";
import type { EnvironmentName, EnvironmentReading, StoreAccess } from "./store-access.ts";

/** A checkpoint that was found, and what was found in it. */
export interface Candidate {
  name: EnvironmentName;
  reading: EnvironmentReading;
  /** What little of its contents is kept; a repair that needs the rest reads the image again. */
  contents: Pick<Contents, "closing" | "state" | "changedKeys">;
  /** Nothing worse than a leak was found in it. */
  clean: boolean;
  /** Nothing at all was found in it. */
  spotless: boolean;
  /** It is clean, and the journal goes on from it to its end. */
  whole: boolean;
}

export interface CheckpointsOptions {
  signal?: AbortSignal | undefined;
  onProgress?: (done: number, total: number) => void;
}

/** To read each of two checkpoints, and to look at it. */
const STEPS = 4;
/** The epoch of the first checkpoint of a store. */
const FIRST_EPOCH = 2;

/**
 * Phase 3: reads and checks both checkpoints. One that was never written is none; nor is one of
 * another store, which is told of, and not looked at any further: nothing in it is a witness.
 */
export async function checkCheckpoints(
  access: StoreAccess,
  superblock: Superblock,
  findings: Findings,
  { signal, onProgress = () => undefined }: CheckpointsOptions = {},
): Promise<Candidate[]> {
  const geometry = geometryOf(superblock);
  const candidates: Candidate[] = [];
  let foreign = 0;
  let steps = 0;
  const step = (): void => onProgress(++steps, STEPS);
  // Both are read before one is looked at: the process that reads takes memory as well.
  const a = await access.readEnvironment("a", { signal });
  step();
  const b = await access.readEnvironment("b", { signal, twin: a.image });
  step();
  for (const [name, reading] of [["a", a] as const, ["b", b] as const]) {
    signal?.throwIfAborted();
    const report = findings.report(name);
    // The values are as good as they are: a repair may go on from them.
    if (reading.obstacle !== undefined) report("C001", reading.obstacle);
    const [damage, all] = [findings.damage, findings.all];
    reportReading(reading, report);
    const { image } = reading;
    if (!reading.present || (image.size === 0 && !image.closing && !reading.failure)) continue;
    if (image.isForeignTo(storeIdOf(superblock))) {
      report("C015", "the checkpoint belongs to another store");
      foreign++;
      continue;
    }
    const contents = readContents(image, geometry, report);
    if (!reading.failure && !contents.state) {
      if (!image.get(kinds.state, 0)) report("C008", "there is no state value");
    }
    crossCheck({ image, contents, geometry }, report);
    checkGraph(contents, report);
    const [clean, spotless] = [findings.damage === damage, findings.all === all];
    const { closing, state, changedKeys } = contents;
    const kept = { closing, state, changedKeys };
    candidates.push({ name, reading, contents: kept, clean, spotless, whole: false });
    step();
    // A check of a large store takes seconds; whoever cancels it is heard in between.
    await setImmediate();
  }
  candidates.sort((one, two) => epochOf(two) - epochOf(one));
  if (foreign === 0) comparePair(candidates, findings);
  return candidates;
}

function reportReading(reading: EnvironmentReading, report: Report): void {
  if (reading.failure !== undefined) {
    report("C001", `the environment cannot be read: ${reading.failure}`);
  }
  for (const problem of reading.foreignKeys) report("C007", problem);
}

function epochOf({ contents }: Candidate): number {
  return contents.closing?.epoch ?? -1;
}

/** What only both together can tell. */
function comparePair(candidates: readonly Candidate[], findings: Findings): void {
  const [newest, older] = candidates;
  const report = findings.report(newest?.name);
  if (!newest) return;
  const epoch = epochOf(newest);
  if (!older) {
    if (epoch > FIRST_EPOCH) report("C014", "the other checkpoint is missing");
    return;
  }
  if (epochOf(older) === epoch && epoch >= 0) {
    report("C012", `both checkpoints claim the epoch ${epoch}`);
  }
  const comparable = newest.clean && older.clean && epochOf(older) === epoch - 1;
  if (!comparable) return;
  const listed = new Set(newest.contents.changedKeys);
  const missing = differences(newest.reading.image, older.reading.image).filter(
    ({ kind, id }) => !listed.has(packKey(kind, id)),
  );
  if (missing.length === 0) return;
  const what = `${missing.length} values differ from the checkpoint before and are not listed`;
  report("C013", `${what}, the first of them of kind ${missing[0]!.kind}, id ${missing[0]!.id}`);
}

const compared = [
  kinds.subvolume,
  kinds.node,
  kinds.nodeReferences,
  kinds.segment,
  kinds.segmentLive,
  kinds.deadNodes,
];

/** The keys under which two images hold different values. */
function differences(
  one: Image,
  other: Image,
  among: readonly number[] = [...compared, kinds.busy],
): { kind: number; id: number }[] {
  const found: { kind: number; id: number }[] = [];
  for (const kind of among) {
    for (const [id, value] of one.scan(kind)) {
      const twin = other.get(kind, id);
      if (!twin || Buffer.compare(value, twin) !== 0) found.push({ kind, id });
    }
    for (const [id] of other.scan(kind)) if (!one.get(kind, id)) found.push({ kind, id });
  }
  return found;
}

/** The state that a check goes on with, and a repair begins with. */
export interface Chosen {
  replayed: Replayed;
  /** The checkpoint it began with was clean, and the journal was applied to its end. */
  whole: boolean;
  /** Not even a leak was found in that checkpoint. */
  spotless: boolean;
}

/** Phase 4: replays the journal from wherever it can be replayed from. */
export async function replayAll(
  candidates: readonly Candidate[],
  parts: ReplayParts,
  findings: Findings,
): Promise<Chosen | undefined> {
  const told = new Set<string>();
  const attempts: Chosen[] = [];
  const attempt = async (start: Start, from?: Candidate): Promise<void> => {
    const twin = attempts[0]?.replayed.image;
    const replayed = await replayFrom(start, from?.reading.image, { ...parts, twin });
    if ("unusable" in replayed) return;
    const { damage } = replayed;
    const { clean = true, spotless = true } = from ?? {};
    const whole = clean && damage === undefined;
    if (from) from.whole = whole;
    attempts.push({ replayed, whole, spotless });
    if (!damage || start === "creation") return;
    const key = `${damage.id} ${damage.lsn} ${damage.message}`;
    if (!told.has(key)) findings.report(start)(damage.id, damage.message, { lsn: damage.lsn });
    told.add(key);
  };
  for (const candidate of candidates) await attempt(candidate.name, candidate);
  const [one, other] = attempts;
  if (one?.whole && other?.whole) compareStates(one.replayed, other.replayed, findings);
  if (!attempts.some(({ whole }) => whole)) {
    await attempt("creation");
    const fromCreation = attempts.at(-1);
    const { damage } = fromCreation?.replayed ?? {};
    if (candidates.length === 0 && damage) {
      findings.report()(damage.id, damage.message, { lsn: damage.lsn });
    }
    // Without a commit it is no more than an empty store.
    if (fromCreation?.replayed.start === "creation" && damage?.id === "J003") attempts.pop();
  }
  return choose(attempts);
}

/** The whole one that came furthest and began best; else the one that came furthest. */
function choose(attempts: readonly Chosen[]): Chosen | undefined {
  return attempts.toSorted(
    (a, b) =>
      Number(b.whole) - Number(a.whole) ||
      b.replayed.lsn - a.replayed.lsn ||
      Number(b.spotless) - Number(a.spotless),
  )[0];
}

function compareStates(one: Replayed, other: Replayed, findings: Findings): void {
  const [long, short] = one.lsn < other.lsn ? [other, one] : [one, other];
  if (short.lsn < long.lsn) {
    const what = `the journal ends with commit ${short.lsn}, and checkpoint ${long.start} goes on`;
    findings.report(short.start as "a" | "b")("J005", what, { lsn: short.lsn + 1 });
    return;
  }
  const found = differences(one.image, other.image, compared);
  if (found.length === 0) return;
  const what = `${found.length} values are different`;
  findings.report("replayed")("R002", `replay from ${one.start} and from ${other.start}: ${what}`);
}
