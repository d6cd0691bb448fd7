/**
 * The tests of the tests: hunts every planted bug with the rows of the matrix, and says what caught
 * each. Part of `npm run test:recovery`; alone with `--only planted`.
 */
import { showProgress } from "../progress.ts";
import { bugOf, bugs } from "./bugs.ts";
import { huntAll, huntOne, isBroken } from "./hunting.ts";
import { formatCatches, storyOfCatch, writeTable } from "./table.ts";

/** Of the processor; most are caught within a second or two. */
const SECONDS_PER_BUG = 60;
const SECONDS_WITHOUT_BUG = 5;

/** True when all were caught. Prints the table, and what was seen where it matters. */
export async function runPlanted({
  processes,
  writeTable: isKept,
  names,
}: {
  processes: number;
  writeTable: boolean;
  names?: readonly string[];
}): Promise<boolean> {
  const innocent = await huntOne(undefined, { seconds: SECONDS_WITHOUT_BUG });
  if (innocent.row !== undefined) {
    console.log(["the store as it is fails:", ...storyOfCatch(innocent)].join("\n"));
    return false;
  }
  const chosen = names?.map(bugOf) ?? bugs;
  let done = 0;
  const catches = await huntAll(chosen, {
    seconds: SECONDS_PER_BUG,
    processes,
    onCatch: ({ bug }) => {
      done++;
      showProgress(`${done}/${chosen.length}: ${bug}`);
    },
  });
  showProgress("");
  console.log(formatCatches(catches));
  const broken = catches.filter(isBroken);
  for (const one of broken) console.log(`"${one.bug}" cannot run: ${one.message}`);
  const known = catches.filter((one) => one.withoutBug !== undefined);
  for (const { bug, seed, withoutBug } of known) {
    console.log(`"${bug}" was not what case ${seed} caught: without it as well, ${withoutBug}`);
  }
  if (isKept) writeTable(catches);
  return [...broken, ...known].length === 0 && catches.every(({ row }) => row !== undefined);
}
