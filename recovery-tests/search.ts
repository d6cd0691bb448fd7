/**
 * The search for what nobody knows of yet: hunts in the store as it is, from cases that chance
 * chooses, a few states of each. The matrix tries the same cases in every run, and much of each.
 */
import { randomInt } from "node:crypto";
import { huntOne } from "./planted/hunting.ts";
import { storyOfCatch } from "./planted/table.ts";
import { showProgress } from "./progress.ts";
import { grouped } from "./summary.ts";

/** Of the processor; then a new hunt begins somewhere else. */
const SECONDS_PER_HUNT = 60;
/** Each row has so many cases at least, none of which is another's twin. */
const CASES = 2 ** 30;

export interface SearchOptions {
  minutes: number;
  processes: number;
  /** Those of them that a hunt goes through. */
  rows: readonly number[];
}

/** True when nothing was found. Prints what is, when it is found. */
export async function runSearch({ minutes, processes, rows }: SearchOptions): Promise<boolean> {
  const end = performance.now() + minutes * 60_000;
  const secondsLeft = (): number => (end - performance.now()) / 1000;
  let states = 0;
  let violations = 0;
  const lane = async (): Promise<void> => {
    while (secondsLeft() > 0) {
      const seconds = Math.min(secondsLeft(), SECONDS_PER_HUNT);
      const hunt = await huntOne(undefined, { seconds, rows, from: randomInt(CASES) });
      states += hunt.states;
      if (hunt.row !== undefined) {
        violations++;
        console.log(storyOfCatch(hunt).join("\n"));
      }
      showProgress(`${grouped(states)} cases, ${violations} violations`);
    }
  };
  await Promise.all(Array.from({ length: processes }, lane));
  showProgress("");
  console.log(`${grouped(states)} cases from places chosen by chance, ${violations} violations`);
  return violations === 0;
}
