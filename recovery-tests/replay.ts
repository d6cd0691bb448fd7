/**
 * `npm run replay -- SEED VECTOR`: one case of the matrix once more, exactly. The two arguments
 * stand beside each violation in the output of a run, as in `npm run replay -- 2:1375 "42,d40-"`.
 */
import { rowOf } from "./matrix.ts";
import type { Row } from "./row.ts";

const usage = 'usage: npm run replay -- SEED VECTOR, as in: npm run replay -- 2:1375 "42,d40-"';

const [seed = "", vector = ""] = process.argv.slice(2);
const { row, number } = caseOf(seed);
const { message, story } = await row.replay(number, vector);
for (const line of story) console.log(line);
console.log(message === undefined ? "nothing is violated" : `VIOLATION ${message}`);
process.exitCode = message === undefined ? 0 : 1;

/** Ends the process where the arguments name no case. */
function caseOf(text: string): { row: Row; number: number } {
  try {
    const parts = /^(\d+):(\d+)$/.exec(text);
    if (!parts || vector === "") throw new RangeError(usage);
    return { row: rowOf(Number(parts[1])), number: Number(parts[2]) };
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(2);
  }
}
