/**
 * Damages a store, so that a check and a repair have something to show. What it does follows from
 * a seed: the same line does the same damage to the same store. Work on a copy.
 *
 *     npx tsx tools/damage.ts STORE "flip @ superblock # 7"
 *     npx tsx tools/damage.ts STORE "field leaf pblock @ newest # 3"
 *     npx tsx tools/damage.ts --verbs
 *
 * `damage/inflict.ts` has the table of verbs and places. On disk, count and digest of a checkpoint
 * are made right again whatever the verb.
 */
import { byteVerbs } from "./damage/byte-verbs.ts";
import { diskTarget } from "./damage/disk-target.ts";
import { fieldVerbs } from "./damage/field-verbs.ts";
import { inflict, parseDamage } from "./damage/inflict.ts";

const [store, line] = process.argv.slice(2);
if (store === "--verbs") {
  for (const verb of Object.keys(byteVerbs)) console.log(verb);
  for (const verb of Object.keys(fieldVerbs)) console.log(`field ${verb}`);
} else if (store === undefined || line === undefined) {
  console.error('usage: tsx tools/damage.ts STORE "VERB @ PLACE # SEED", or --verbs');
  process.exitCode = 2;
} else {
  const done = await inflict(diskTarget(store), parseDamage(line));
  console.log(done ? `${store}: ${line}` : `${store} has no place for: ${line}`);
  if (!done) process.exitCode = 1;
}
