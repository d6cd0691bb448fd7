/** Rows 8 to 10, and the half of row 13 that happens at run time: a device that fails or lies. */
import type { FaultKind } from "blockspace/testing";
import { type Case, crashRow, type Row } from "../row.ts";
import { damageCheck, faultCheck } from "../store/checks.ts";
import { strained, usedStore, usedStoreFor } from "../store/geometry.ts";
import { crowdedSequence, shortSequence, wideSequence } from "../store/sequences.ts";

/** Faults that the store is told of; what was acknowledged is there all the same. */
async function noticed(index: number, faults: FaultKind[]): Promise<Case> {
  // A sync that fails is the end of all that is under way, in the order in which it was begun; what
  // is late is overtaken by all that is under way.
  const isWide = faults.every((fault) => fault === "sync" || fault === "delay") && index % 2 === 1;
  const wide = index % 8 < 4 ? wideSequence : crowdedSequence;
  const steps = (isWide ? wide : shortSequence)(index);
  // A wide sequence needs room: what is refused has been built upon by then.
  const beginning = isWide ? strained(await usedStore(), index >> 3) : usedStoreFor(index >> 1);
  const check = faultCheck("noticed faults", steps, await beginning);
  // Little of each workload, so that many are tried.
  return {
    check,
    options: { faults, budget: { states: 2, faults: 30, statesPerFault: 2 } },
  };
}

const failures: FaultKind[] = ["EIO", "ENOSPC", "short", "EMFILE", "delay"];

/** Faults that nobody is told of. */
export async function unnoticed(index: number, faults: FaultKind[]): Promise<Case> {
  const check = damageCheck("unnoticed faults", shortSequence(index), await usedStore());
  return {
    check,
    options: { faults, budget: { states: 4, faults: 40, statesPerFault: 4 } },
  };
}

export const faultRows: readonly Row[] = [
  crashRow(
    {
      number: 8,
      fault: "k-th operation fails: EIO, ENOSPC, short",
      leaves: "P1 I7",
      cases: 40_000,
    },
    (index) => noticed(index, index % 4 === 3 ? ["delay"] : failures),
  ),
  crashRow(
    { number: 9, fault: 'sync fails once, then "succeeds"', leaves: "P1 I7", cases: 15_000 },
    (index) => noticed(index, ["sync"]),
  ),
  crashRow({ number: 10, fault: "flush that lies", leaves: "P2", cases: 10_000 }, (index) =>
    unnoticed(index, ["lie"]),
  ),
];
