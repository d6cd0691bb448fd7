/** What chance makes of what is not durable, for crashes that are not enumerated. */
import type { Fate, Unit } from "./crash-point.ts";
import { SECTOR_BYTES, sectorsOf } from "./file-bytes.ts";
import type { Random } from "./random.ts";

/**
 * A third of the writes lost, a third torn by sectors, a third kept; half of the sizes; of the
 * names as many as chance will have.
 */
export function randomFate(random: Random): (unit: Unit) => Fate {
  return (unit) => {
    if (unit.type !== "data") return random() < 1 / 2 ? "lost" : "kept";
    const fate = random();
    if (fate < 1 / 3) return "lost";
    if (fate >= 2 / 3) return "kept";
    return sectorsOf(unit.offset, unit.length, SECTOR_BYTES).map((length) => ({
      what: random() < 1 / 2 ? ("lost" as const) : ("kept" as const),
      length,
    }));
  };
}
