/**
 * A quick share of the matrix of faults, a minute or so; `npm run test:recovery` runs the whole.
 * Each row begins with the same cases every time, so what fails here fails again.
 */
import { expect, it } from "vitest";
import { matrix } from "./matrix.ts";
import { storyOf } from "./summary.ts";

/** This part of the cases of a whole run. */
const SHARE = 1 / 250;

it.each(matrix.map((row) => [row.number, row.fault, row] as const))(
  "row %i: %s",
  { timeout: 120_000 },
  async (_number, _fault, row) => {
    const seen = new Set<number>();
    const cases = Math.max(20, Math.ceil(row.cases * SHARE));
    const { violations, skipped, ...result } = await row.run({ cases, part: 0, of: 1, seen });
    expect(violations.flatMap(storyOf)).toEqual([]);
    if (skipped === undefined) expect(result.cases).toBeGreaterThanOrEqual(cases);
  },
);
