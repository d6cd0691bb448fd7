/**
 * The subvolumes as a whole: names, sizes, where each says that it comes from. The entries' own
 * values have been decoded; here is what no codec sees.
 */
import { checkName } from "../base/arguments.ts";
import type { SubvolumeEntry } from "../format/checkpoint-values.ts";
import type { Contents } from "./contents.ts";
import type { FindingPlace } from "./finding.ts";
import { reasonOf, type Report } from "./findings.ts";

/** Names, sizes, sources and families that cannot be. */
export function checkGraph(contents: Contents, report: Report): void {
  const holders = new Map<string, number>();
  for (const entry of contents.subvolumes.values()) {
    const where: FindingPlace = { value: `subvolume ${entry.id}`, subvolume: entry.name };
    const problem = nameProblem(entry.name);
    if (problem !== undefined) report("G001", `subvolume ${entry.id}: ${problem}`, where);
    const holder = holders.get(entry.name);
    if (holder !== undefined) {
      report("G002", `subvolumes ${holder} and ${entry.id} are both named "${entry.name}"`, where);
    }
    holders.set(entry.name, entry.id);
    if (entry.size < 1) report("G003", `subvolume "${entry.name}" has ${entry.size} bytes`, where);
    checkDescent(entry, contents, report, where);
  }
  for (const id of contents.lostSubvolumes) {
    report("G005", `the value of subvolume ${id} makes no sense`, { value: `subvolume ${id}` });
  }
}

function checkDescent(
  entry: SubvolumeEntry,
  contents: Contents,
  report: Report,
  where: FindingPlace,
): void {
  const { id, source, family, name } = entry;
  const next = contents.state?.nextSubvolume ?? Infinity;
  if (source >= id) {
    report(
      "G004",
      `subvolume "${name}" (${id}) was made from the later subvolume ${source}`,
      where,
    );
  }
  if (family < 1 || family >= next) {
    report("G004", `subvolume "${name}" is of family ${family}, which never was`, where);
  }
}

/** Why a name cannot be one. */
export function nameProblem(name: string): string | undefined {
  try {
    checkName(name);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}
