/** All planted bugs, by theme. */
import type { PlantedBug } from "./bug.ts";
import { checkpointBugs } from "./bugs/checkpoint.ts";
import { commitBugs } from "./bugs/commit.ts";
import { creationBugs } from "./bugs/creation.ts";
import { failureBugs } from "./bugs/failure.ts";
import { growthBugs } from "./bugs/growth.ts";
import { journalBugs } from "./bugs/journal.ts";
import { mapBugs } from "./bugs/maps.ts";
import { operationBugs } from "./bugs/operations.ts";
import { recoveryBugs } from "./bugs/recovery.ts";
import { spaceBugs } from "./bugs/space.ts";

export const bugs: readonly PlantedBug[] = [
  ...journalBugs,
  ...commitBugs,
  ...failureBugs,
  ...recoveryBugs,
  ...checkpointBugs,
  ...spaceBugs,
  ...mapBugs,
  ...operationBugs,
  ...creationBugs,
  ...growthBugs,
];

/** The bug of a name; `RangeError` when there is none. */
export function bugOf(name: string): PlantedBug {
  const bug = bugs.find((one) => one.name === name);
  if (bug) return bug;
  throw new RangeError(`there is no planted bug "${name}"`);
}
