/**
 * Damaged stores kept as seeds: of each it is known what check finds, to the id; repair ends with 1
 * and the check after it with 0; and what was not damaged is the same byte for byte, or stands in
 * the loss report.
 *
 * `damaged-stores.txt` has a line for each: the damage, the exit code of check, the ids. Damage that
 * leaves no trace (a bit that nothing uses) has the code 0, and contents that have not changed; so
 * has damage to the last frame of the journal, which looks like a torn one: `torn`, and the contents
 * are those of an earlier commit. Where a change of the ids is meant,
 * `npx vitest run test/fsck/damaged-stores.test.ts -u` writes the file anew, to be read before it
 * is believed.
 */
import { describe, expect, it } from "vitest";
import { formatDamage } from "../../tools/damage/inflict.ts";
import { allDamage } from "./damage-list.ts";
import { type Outcome, runCase } from "./support/damage-case.ts";

const FATAL = new Set(["I001", "S002", "S005", "S007", "R003"]);

/** What must hold whatever the damage was; empty when all does. */
function broken(outcome: Outcome): string[] {
  const { ids, checkExit, repairExit, afterExit, failure, losses } = outcome;
  const problems = [...outcome.unaccounted];
  if (failure !== undefined) problems.push(failure);
  if (checkExit === 0 || ids.some((id) => FATAL.has(id))) {
    if (repairExit !== (checkExit === 0 ? 0 : 4)) problems.push(`repair ends with ${repairExit}`);
    return problems;
  }
  const unreadable = losses.some(({ kind }) => kind === "unreadable");
  if (repairExit !== (unreadable ? 5 : 1)) problems.push(`repair ends with ${repairExit}`);
  if (afterExit !== 0) problems.push(`the check after it ends with ${afterExit}`);
  return problems;
}

describe("damaged stores", () => {
  it("are found to the id, repaired, and sound afterwards", { timeout: 300_000 }, async () => {
    const lines: string[] = [];
    const problems: string[] = [];
    const counts = { found: 0, repaired: 0 };
    for (const damage of allDamage()) {
      const outcome = await runCase(damage);
      if (!outcome) continue;
      const line = formatDamage(damage);
      const ids = outcome.prefix ? "torn" : outcome.ids.join(" ");
      lines.push(`${line}: ${outcome.checkExit} ${ids}`.trimEnd());
      if (outcome.checkExit !== 0) counts.found++;
      if (outcome.repairExit === 1) counts.repaired++;
      problems.push(...broken(outcome).map((problem) => `${line}: ${problem}`));
    }
    expect(problems).toEqual([]);
    expect(counts.repaired).toBeGreaterThan(250);
    await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot("damaged-stores.txt");
  });

  it("are repaired in place to the same contents", { timeout: 300_000 }, async () => {
    const problems: string[] = [];
    for (const damage of allDamage().filter(({ seed }) => seed === 1)) {
      // The lock that a repair in place takes makes the file.
      if (damage.place === "lock") continue;
      const outcome = await runCase(damage, { inPlace: true });
      if (!outcome) continue;
      problems.push(...broken(outcome).map((problem) => `${formatDamage(damage)}: ${problem}`));
    }
    expect(problems).toEqual([]);
  });
});
