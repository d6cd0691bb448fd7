/**
 * `npm run replay -- SEED VECTOR`: one case of the matrix once more, exactly. The two arguments
 * stand beside each violation in the output of a run, as in `npm run replay -- 2:1375 "42,d40-"`.
 */
import { rowOf } from "./matrix.ts";

const [seed = "", vector = ""] = process.argv.slice(2);
const parts = /^(\d+):(\d+)$/.exec(seed);
if (!parts || vector === "") {
  console.error('usage: npm run replay -- SEED VECTOR, as in: npm run replay -- 2:1375 "42,d40-"');
  process.exit(16);
}
const { message, story } = await rowOf(Number(parts[1])).replay(Number(parts[2]), vector);
for (const line of story) console.log(line);
console.log(message === undefined ? "nothing is violated" : `VIOLATION ${message}`);
process.exitCode = message === undefined ? 0 : 1;
