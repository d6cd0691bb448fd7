/**
 * A quick share of the matrix of faults, a minute or so; `npm run test:recovery` runs the whole.
 * Each row begins with the same cases every time, so what fails here fails again.
 */
import { expect, it } from "vitest";
import { matrix, rowOf } from "./matrix.ts";
import { storyOf } from "./summary.ts";

/** This part of the cases of a whole run. */
const SHARE = 1 / 250;

for (const row of matrix) {
  it(`row ${row.number}: ${row.fault}`, { timeout: 180_000 }, async (context) => {
    const cases = row.quickCases ?? Math.max(20, Math.ceil(row.cases * SHARE));
    const result = await row.run({ cases, part: 0, of: 1, seen: new Set() });
    if (result.skipped !== undefined) context.skip(result.skipped);
    expect(result.violations.flatMap(storyOf)).toEqual([]);
    expect(result.cases).toBeGreaterThanOrEqual(cases / 2);
  });
}

// A killed host was at work still when the next one had the store (`store/kill.ts`).
it.each([
  [21, 2320],
  [21, 3192],
  [21, 3992],
  [8, 605_905_735],
])("row %i, case %i, found by a long run", { timeout: 180_000 }, async (row, index) => {
  const one = { part: index, of: 1, cases: 1, statesPerWorkload: 12 };
  const { violations } = await rowOf(row).run({ ...one, seen: new Set() });
  expect(violations.flatMap(storyOf)).toEqual([]);
});
