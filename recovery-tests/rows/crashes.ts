/** Rows 1 to 7, 23, 24, 27 and 28: loss of power, in every way that it can come. */
import { type CrashKind, crashKinds } from "blockspace/testing";
import { type Case, crashRow, type Row } from "../row.ts";
import { crashCheck, olderCheck, rottenCheck, secondCreationCheck } from "../store/checks.ts";
import { type Beginning, strained, usedStore, usedStoreFor } from "../store/geometry.ts";
import type { Mark } from "../store/model.ts";
import { rottenParts } from "../store/rotten-checkpoint.ts";
import {
  crowdedSequence,
  cutShortSequence,
  enlargingSequence,
  numbersFor,
  restartingSequence,
  rotatingSequence,
  sharedSequence,
  shortSequence,
  wideSequence,
} from "../store/sequences.ts";
import type { Step } from "../store/steps.ts";

/** Crashes from the step of this number on: those before it are cases of shorter sequences. */
function fromStep(step: number): { from?: (mark: unknown) => boolean } {
  if (step <= 0) return {};
  return {
    from: (mark) => "step" in (mark as Mark) && (mark as { step: number }).step === step,
  };
}

async function crashesOf(
  steps: Step[],
  kinds: CrashKind[],
  first: number,
  beginning: Beginning,
): Promise<Case> {
  const check = crashCheck("loss of power", steps, beginning);
  return { check, options: { model: { kinds }, ...fromStep(first) } };
}

function ofShort(kinds: CrashKind[]): (index: number) => Promise<Case> {
  return async (index) => {
    const steps = shortSequence(index);
    return crashesOf(steps, kinds, steps.length - 1, await usedStoreFor(index));
  };
}

/** Of each wide sequence, so that many of them are tried. */
const STATES_PER_WIDE = 1000;

/** A rotten checkpoint hurts most where the journal has gone far since the one before. */
const rottenSequences = [wideSequence, restartingSequence, rotatingSequence, restartingSequence];

/** About as many as the creation of a store takes. */
const CREATION_OPERATIONS = 32;

const everyKind = Object.keys(crashKinds) as CrashKind[];

export const crashRows: readonly Row[] = [
  crashRow(
    { number: 1, fault: "power cut at every write boundary", leaves: "P1", cases: 200_000 },
    ofShort(["prefix"]),
  ),
  crashRow(
    { number: 2, fault: "any subset of the unflushed writes", leaves: "P1", cases: 500_000 },
    async (index) => {
      const { check, options } = await crashesOf(
        wideSequence(index),
        ["subset"],
        1,
        await usedStore(),
      );
      return { check, options: { ...options, budget: { states: STATES_PER_WIDE } } };
    },
  ),
  crashRow(
    { number: 3, fault: "writes torn at 512 B, 4 KiB, any byte", leaves: "P1", cases: 200_000 },
    ofShort(["torn"]),
  ),
  crashRow(
    { number: 4, fault: "garbage in the torn sector", leaves: "P1", cases: 50_000 },
    ofShort(["garbage"]),
  ),
  crashRow(
    { number: 5, fault: "names and sizes not persisted", leaves: "P1", cases: 20_000 },
    async (index) => {
      if (index % 4 > 0) {
        // Where space or memory is short, the journal goes round too slowly to make new files.
        return crashesOf(rotatingSequence(index), ["names"], 0, await usedStore());
      }
      const steps = shortSequence(index);
      // Every other creation is the second one: the process of the first was killed.
      const check =
        index % 8 === 0
          ? crashCheck("creation", steps)
          : secondCreationCheck(steps, numbersFor(`creation ${index}`)(CREATION_OPERATIONS));
      return { check, options: { model: { kinds: everyKind } } };
    },
  ),
  crashRow(
    { number: 6, fault: "recycled journal with old records", leaves: "P1", cases: 5_000 },
    async (index) => {
      const sequence = [rotatingSequence, restartingSequence, cutShortSequence][index % 3]!;
      const steps = sequence(index);
      return crashesOf(steps, everyKind, steps.length - 3, await usedStoreFor(index));
    },
  ),
  crashRow(
    { number: 7, fault: "crash inside recovery, 3 deep", leaves: "P4", cases: 50_000 },
    async (index) => {
      const { check, options } = await ofShort(everyKind)(index);
      const model = { kinds: everyKind, recoveryDepth: 3, recoverySamples: 3 };
      return { check, options: { ...options, model, budget: { states: 10 } } };
    },
  ),
  crashRow(
    {
      number: 23,
      fault: "power cut, and the newest checkpoint rotten",
      leaves: "P1",
      cases: 8_000,
    },
    async (index) => {
      const sequence = rottenSequences[index % rottenSequences.length]!;
      const steps = sequence(index);
      const beginning = sequence === wideSequence ? usedStore() : usedStoreFor(index >> 2);
      const part = rottenParts[Math.floor(index / rottenSequences.length) % rottenParts.length]!;
      const check = rottenCheck("rotten checkpoint", steps, await beginning, part);
      return { check, options: { budget: { states: 100 } } };
    },
  ),
  crashRow(
    {
      number: 24,
      fault: "power cut, both checkpoints read by fsck",
      leaves: "P1, I4",
      cases: 8_000,
    },
    async (index) => {
      const sequence = [restartingSequence, sharedSequence, rotatingSequence][index % 3]!;
      const check = olderCheck("checked", sequence(index), await usedStore("tight"));
      return { check, options: { model: { kinds: everyKind }, budget: { states: 100 } } };
    },
  ),
  crashRow(
    { number: 27, fault: "power cut while the store is made larger", leaves: "P1", cases: 10_000 },
    async (index) => {
      const check = crashCheck("larger", enlargingSequence(index), await usedStore("tight"));
      return { check, options: { model: { kinds: everyKind }, budget: { states: 200 } } };
    },
  ),
  crashRow(
    {
      number: 28,
      fault: "power cut while everything happens at once",
      leaves: "P1",
      cases: 10_000,
    },
    async (index) => {
      const beginning = strained(await usedStore(), index);
      const check = crashCheck("crowded", crowdedSequence(index), beginning);
      return { check, options: { model: { kinds: everyKind }, budget: { states: 50 } } };
    },
  ),
];
