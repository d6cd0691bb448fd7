/**
 * The steps of a workload: everything that a host can be asked for, one after the other or several
 * at once, each carried out on the host and on the model beside it.
 *
 * Numbers are taken modulo what is there, so any sequence of steps makes sense: that is what lets a
 * violation be shrunk by leaving steps out.
 */

/** A step on a subvolume, by its place among those that may be written; offsets in bytes. */
interface OnRange {
  on: number;
  at: number;
  length: number;
}

/** What happens between submit and commit; `fill` goes round all the space there is. */
type Between = "snapshot" | "clone" | "write" | "fill" | "flush";
const betweens: readonly Between[] = ["snapshot", "clone", "write", "fill", "flush"];

export type Step =
  | ({ do: "write"; salt: number } & OnRange)
  | ({ do: "discard" | "writeZeroes" | "preallocate" } & OnRange)
  /** All of a subvolume, compared with what it should hold at this moment. */
  | { do: "read"; on: number }
  /** The five verbs; something else may happen between submit and commit. */
  | ({
      do: "twoPhase";
      salt: number;
      between?: Between;
      /** The commit is asked to be durable. */
      durable?: boolean;
    } & OnRange)
  /** Staged and submitted, never committed; the cookie is put or forgotten. */
  | ({ do: "abandon"; salt: number; put: boolean } & OnRange)
  | { do: "resize"; on: number; size: number }
  | { do: "snapshot" | "clone" | "delete" | "rename"; on: number }
  | { do: "rollback"; on: number }
  | { do: "create"; size: number }
  /** One commit over two subvolumes and a snapshot. */
  | { do: "transact"; at: number; length: number; salt: number }
  | { do: "flush" | "checkpoint" | "compact" | "reopen" }
  /** The store itself is made larger by so many blocks. */
  | { do: "enlarge"; blocks: number }
  /** The process is killed when so many operations of the steps have reached the disk. */
  | { do: "kill"; after: number; steps: Step[] }
  /** Writes and flushes until the journal has gone on to another file. */
  | { do: "rotate" }
  /** Steps that are begun before any of them has ended. */
  | { do: "together"; steps: Step[] };

/** Steps on one subvolume that may be written. */
export type OnWritable = Extract<
  Step,
  {
    do:
      | "write"
      | "discard"
      | "writeZeroes"
      | "preallocate"
      | "resize"
      | "rollback"
      | "twoPhase"
      | "abandon";
  }
>;

/** The kinds of steps that sequences are made of, each with its own way to choose numbers. */
export type StepMaker = (below: (bound: number) => number, salt: number) => Step;

const BLOCK = 512;

function range(below: (bound: number) => number, blocks: number): OnRange {
  return { on: below(2), at: below(12) * BLOCK, length: (1 + below(blocks)) * BLOCK };
}

/** A range that begins and ends within blocks. */
function ragged(below: (bound: number) => number): OnRange {
  return { on: below(2), at: below(10) * BLOCK + 1 + below(500), length: 30 + below(1400) };
}

export const makers: Readonly<Record<string, StepMaker>> = {
  write: (below, salt) => ({ do: "write", salt, ...range(below, 3) }),
  overwrite: (_below, salt) => ({ do: "write", salt, on: 0, at: 0, length: 2 * BLOCK }),
  ragged: (below, salt) => ({ do: "write", salt, ...ragged(below) }),
  big: (below, salt) => ({ do: "write", salt, on: below(2), at: 0, length: 16 * BLOCK }),
  discard: (below) => ({ do: "discard", ...range(below, 6) }),
  writeZeroes: (below) => ({ do: "writeZeroes", ...ragged(below) }),
  preallocate: (below) => ({ do: "preallocate", ...range(below, 6) }),
  prepared: (below, salt) => {
    const where = range(below, 4);
    const steps: Step[] = [
      { do: "preallocate", ...where },
      { do: "write", salt, ...where },
    ];
    return { do: "together", steps };
  },
  shrink: (below) => ({ do: "resize", on: below(2), size: (1 + below(12)) * BLOCK }),
  cut: (below) => ({ do: "resize", on: below(2), size: 1 + below(12 * BLOCK) }),
  grow: (below) => ({ do: "resize", on: below(2), size: (17 + below(12)) * BLOCK }),
  snapshot: (below) => ({ do: "snapshot", on: below(4) }),
  clone: (below) => ({ do: "clone", on: below(4) }),
  rollback: (below) => ({ do: "rollback", on: below(4) }),
  delete: (below) => ({ do: "delete", on: below(4) }),
  rename: (below) => ({ do: "rename", on: below(4) }),
  create: (below) => ({ do: "create", size: (1 + below(20)) * BLOCK }),
  transact: (below, salt) => ({ do: "transact", salt, at: below(9) * BLOCK, length: 700 }),
  twoPhase: (below, salt) => ({ do: "twoPhase", salt, ...range(below, 3) }),
  interrupted: (below, salt) => {
    const between = betweens[below(betweens.length)]!;
    return { do: "twoPhase", salt, between, durable: below(2) === 0, ...range(below, 3) };
  },
  abandon: (below, salt) => ({ do: "abandon", salt, put: below(2) === 0, ...range(below, 3) }),
  read: (below) => ({ do: "read", on: below(4) }),
  flush: () => ({ do: "flush" }),
  checkpoint: () => ({ do: "checkpoint" }),
  compact: () => ({ do: "compact" }),
  reopen: () => ({ do: "reopen" }),
  kill: (below, salt) => {
    const last = (["flush", "flush", "checkpoint"] as const)[below(3)]!;
    const steps: Step[] = [{ do: "write", salt, ...range(below, 3) }, { do: last }];
    return { do: "kill", after: below(8), steps };
  },
};

/** The steps between submit and commit. */
export function stepsBetween({ between, on, salt }: Extract<Step, { do: "twoPhase" }>): Step[] {
  const write = (blocks: number, more: number): Step => {
    return { do: "write", on: on + 1, at: 0, length: blocks * BLOCK, salt: salt + more };
  };
  switch (between) {
    case "snapshot":
    case "clone":
    case "flush":
      return [between === "flush" ? { do: between } : { do: between, on }];
    case "write":
      return [write(1, 9)];
    case "fill":
      return [write(16, 1), write(16, 2), write(16, 3)];
    default:
      return [];
  }
}
