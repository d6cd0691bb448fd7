/**
 * Sequences of steps, each named by a number: the same number gives the same steps on every
 * machine. The first ones go through all sequences of one to three kinds of steps, as ACE does
 * (Mohan et al., OSDI 2018); after these the same kinds come round again with other numbers in
 * them.
 */
import { randomBelow, randomFrom, seedFor } from "blockspace/testing";
import { BLOCK } from "./geometry.ts";
import { makers, type Step } from "./steps.ts";

const FLUSH: Step = { do: "flush" };
const kinds: readonly string[] = Object.keys(makers);
const shortSequences = kinds.length + kinds.length ** 2 + kinds.length ** 3;
/** Shares no factor with the number of short sequences, so that it visits them all. */
const STRIDE = 7919;

/** One to three steps, of every kind after every kind. */
export function shortSequence(index: number): Step[] {
  let rest = (index * STRIDE) % shortSequences;
  let length = 1;
  while (rest >= kinds.length ** length) rest -= kinds.length ** length++;
  const steps: Step[] = [];
  for (let i = 0; i < length; i++) {
    steps.push(makeStep(kinds[rest % kinds.length]!, `short ${index} ${i}`));
    rest = Math.floor(rest / kinds.length);
  }
  return steps;
}

/** Changes, and half as often what others must not come between. */
const changes = ["write", "ragged", "big", "discard", "abandon", "twoPhase"];
const together = [...changes, ...changes, "flush", "checkpoint", "transact", "read"];

/**
 * Much that is under way at once, so that much is lost in many ways: writes and discards on one
 * subvolume, blocks staged and submitted on another, then everything written home.
 */
export function wideSequence(index: number): Step[] {
  const below = numbersFor(`wide ${index}`);
  const before = ["write", "ragged", "snapshot", "clone", "transact", "checkpoint"][below(6)]!;
  const steps = Array.from({ length: 6 + below(8) }, (_, i): Step => {
    const kind = together[below(together.length)]!;
    const step = makeStep(kind, `wide ${index} ${i}`);
    const on = kind === "abandon" || kind === "twoPhase" ? 1 : 0;
    return "on" in step ? { ...step, on } : step;
  });
  const after = ["flush", "checkpoint", "reopen", "compact"][below(4)]!;
  const first = makeStep(before, `wide ${index} before`);
  return [first, { do: "together", steps }, makeStep(after, "")];
}

/** What changes whole maps, or moves blocks, in the midst of all the rest. */
const crowded = ["interrupted", "preallocate", "writeZeroes", "compact", "compact", "snapshot"];
const crowd = [...together, ...changes, ...crowded, "rollback", "delete"];

/**
 * Everything at once: the cleaner, snapshots, a rollback and a delete among writes and commits,
 * several times over. What may be refused, or builds upon what is not there yet, stays out: the
 * model beside the host does not know what comes of it.
 */
export function crowdedSequence(index: number): Step[] {
  const below = numbersFor(`crowded ${index}`);
  const before = ["write", "snapshot", "clone", "transact", "checkpoint"][below(5)]!;
  const steps = [makeStep(before, `crowded ${index} before`)];
  /** What comes once in a turn, or once at all. */
  const spent = new Set<string>();
  for (let turn = 0; turn < 1 + below(3); turn++) {
    const names = `crowded ${index} ${turn}`;
    spent.delete("snapshot");
    const some: Step[] = [];
    for (let i = 0; i < 3 + below(7); i++) {
      const kind = crowd[below(crowd.length)]!;
      if (spent.has(kind)) continue;
      if (kind === "snapshot" || kind === "delete") spent.add(kind);
      some.push(inCrowd(makeStep(kind, `${names} ${i}`), below));
    }
    const after = ["flush", "checkpoint", "reopen", "compact", "kill"][below(5)]!;
    steps.push({ do: "together", steps: some }, makeStep(after, `${names} after`));
  }
  return steps;
}

/** On what is there from the beginning: blocks are staged on one of them, the snapshot deleted. */
function inCrowd(step: Step, below: (bound: number) => number): Step {
  if (step.do === "delete") return { ...step, on: 2 };
  if (step.do === "abandon") return { ...step, on: 1 };
  if (step.do === "twoPhase") {
    const { between, ...rest } = step;
    const isPlain = between === "write" || between === "flush";
    return { ...rest, on: 1, ...(isPlain ? { between } : {}) };
  }
  return "on" in step ? { ...step, on: below(2) } : step;
}

/** Enough flushes to fill the files of a journal one after the other, until one is used again. */
export function rotatingSequence(index: number): Step[] {
  const below = numbersFor(`rotating ${index}`);
  const steps: Step[] = [];
  for (let turn = 0; turn < 4; turn++) {
    if (below(2) === 0) steps.push(makeStep(kinds[below(kinds.length)]!, `turn ${index} ${turn}`));
    steps.push({ do: "rotate" }, { do: "checkpoint" });
  }
  for (let i = 0; i < 1 + below(3); i++) {
    steps.push({ do: "write", on: 0, at: i * BLOCK, length: 700, salt: below(250) });
    steps.push({ do: "flush" });
  }
  return steps;
}

/** Much work in one life: what is freed is used again, by frames with data and without. */
export function busySequence(index: number): Step[] {
  const below = numbersFor(`busy ${index}`);
  const works = [...changes, "flush", "checkpoint", "transact", "compact", "snapshot", "delete"];
  return Array.from({ length: 20 + below(30) }, (_, i) =>
    makeStep(works[below(works.length)]!, `busy ${index} ${i}`),
  );
}

/** Many short lives: files of the journal come round soon, and checkpoints lie far behind. */
export function restartingSequence(index: number): Step[] {
  const below = numbersFor(`restarting ${index}`);
  const steps: Step[] = [];
  for (let life = 0; life < 4 + below(5); life++) {
    const work = ["write", "discard", "overwrite", "rotate", "checkpoint"][below(5)]!;
    const end = ["kill", "reopen", "checkpoint"][below(3)]!;
    steps.push(work === "rotate" ? { do: work } : makeStep(work, `life ${index} ${life}`));
    if (below(2) === 0) steps.push(makeStep("write", `more ${index} ${life}`));
    steps.push({ do: "flush" });
    steps.push(makeStep(end, `end ${index} ${life}`));
  }
  return [...steps, makeStep("write", `last ${index}`), { do: "flush" }];
}

/** A process is killed while it begins a file of the journal, and the next one begins another. */
export function cutShortSequence(index: number): Step[] {
  const below = numbersFor(`cut short ${index}`);
  const write = (name: string): Step => makeStep("write", `${name} ${index}`);
  const steps: Step[] = [];
  for (let life = 0; life < 1 + below(2); life++) {
    steps.push({ do: "kill", after: 2 + below(5), steps: [write(`killed ${life}`), FLUSH] });
    if (below(3) > 0) steps.push({ do: "checkpoint" });
  }
  return [...steps, write("last"), FLUSH];
}

/**
 * Preallocated blocks are written under a cookie while a clone of them is made. The clone's map
 * goes on to say that they are unwritten; they hold data all the same, which a checkpoint refers to
 * when only the clone has them.
 */
export function sharedSequence(index: number): Step[] {
  const below = numbersFor(`shared ${index}`);
  const range = { on: 0, at: (8 + below(4)) * BLOCK, length: (1 + below(4)) * BLOCK };
  const maybe = (step: Step): Step[] => (below(2) === 0 ? [step] : []);
  return [
    { do: "preallocate", ...range },
    { do: "twoPhase", ...range, salt: 1 + below(250), between: "clone" },
    { do: "checkpoint" },
    { do: "discard", ...range },
    ...maybe(FLUSH),
    // Of those that may be written the clone is the last.
    { do: "write", ...range, on: 3, salt: 1 + below(250) },
    ...maybe(FLUSH),
    // Only now what was written goes to its place.
    { do: "checkpoint" },
  ];
}

/**
 * A store that is nearly full is made larger while it is worked on, and what it got is written to.
 * The process may be killed while that happens, and the next one makes it larger once more.
 */
export function enlargingSequence(index: number): Step[] {
  const below = numbersFor(`enlarging ${index}`);
  // None that takes space: whatever is refused may come only where it is alone.
  const works = ["flush", "checkpoint", "discard", "snapshot", "compact", "read"];
  const work = (name: string): Step =>
    makeStep(works[below(works.length)]!, `enlarging ${index} ${name}`);
  const big = (name: string): Step => makeStep("big", `${name} ${index}`);
  const steps: Step[] = [];
  for (let turn = 0; turn < 2 + below(2); turn++) {
    // A journal that is under way makes what follows durable soon: perhaps sooner than it may.
    steps.push(makeStep("create", `${turn} name ${index}`), FLUSH);
    const enlarge: Step = { do: "enlarge", blocks: 17 + below(40) };
    const meanwhile = [enlarge, big(`${turn} at once`)];
    const beside = below(2) === 0 ? FLUSH : work(`${turn} beside`);
    const killed: Step = { do: "kill", after: 3 + below(8), steps: meanwhile };
    steps.push(below(2) === 0 ? killed : { do: "together", steps: [...meanwhile, beside] });
    steps.push(big(`${turn} new`), big(`${turn} newer`), work(`${turn} end`), FLUSH);
  }
  return steps;
}

/** A long life: steps of all kinds. */
export function longSequence(index: number, length: number): Step[] {
  const below = numbersFor(`long ${index}`);
  return Array.from({ length }, (_, i) => {
    const isFlush = below(6) === 0;
    if (isFlush) return { do: "flush" };
    return makeStep(kinds[below(kinds.length)]!, `long ${index} ${i}`);
  });
}

export function numbersFor(name: string): (bound: number) => number {
  const random = randomFrom(seedFor(1, name));
  return (bound) => randomBelow(random, bound);
}

function makeStep(kind: string, name: string): Step {
  const below = numbersFor(name);
  return makers[kind]!(below, 1 + below(250));
}
