/**
 * A planted bug: a known durability mistake as a change of the text of one built module. It is made
 * while node loads that module, in a process of its own, so the product knows nothing of it.
 */
import { readFileSync } from "node:fs";

export interface PlantedBug {
  name: string;
  /** The module under `dist/`. */
  file: string;
  /** Stands in the module exactly once, so that nobody is in doubt what was changed. */
  find: string;
  replace: string;
  /** What the engineer did who made this mistake, in a few words. */
  mistake: string;
  /** The row that is hunted in first, where the usual order takes long. */
  first?: number;
}

/** Where the module of a bug is. */
export function urlOf({ file }: PlantedBug): string {
  return new URL(`../../dist/${file}`, import.meta.url).href;
}

/** The module's text with the bug in it; throws when the bug has no place there any more. */
export function plant(bug: PlantedBug): string {
  const text = readFileSync(new URL(urlOf(bug)), "utf8");
  const [before, after, ...more] = text.split(bug.find);
  if (after === undefined || more.length > 0) {
    const times = after === undefined ? "not" : `${more.length + 1} times`;
    throw new Error(`"${bug.name}" no longer applies: what it changes is ${times} in ${bug.file}`);
  }
  return `${before}${bug.replace}${after}`;
}
