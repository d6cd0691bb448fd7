/**
 * What one checkpoint has lost, taken from the other. The newer of two that follow one another
 * lists the keys that it has changed: under every other key both hold the same value, so where one
 * is damaged the other is not merely like it. Two checkpoints that are damaged in different places
 * make a whole one between them.
 */
import { copiedKinds, packKey } from "../checkpoint/delta.ts";
import { isSealed } from "../format/sealed-value.ts";
import type { Candidate } from "./candidates.ts";
import type { Image } from "./image.ts";

/** The values of a checkpoint, with those that it has lost and the other one must have as well. */
export function completed(candidate: Candidate, other: Candidate | undefined): Image {
  const { image } = candidate.reading;
  const changed = other && changedBetween(candidate, other);
  if (!changed) return image;
  const found = image.clone();
  for (const kind of copiedKinds) {
    for (const [id, value] of other.reading.image.scan(kind)) {
      if (changed.has(packKey(kind, id)) || !isSealed(kind, id, value)) continue;
      const own = image.get(kind, id);
      if (!own || !isSealed(kind, id, own)) found.set(kind, id, value);
    }
  }
  return found;
}

/** The keys in which two checkpoints may differ; nothing where nobody can say. */
function changedBetween(one: Candidate, other: Candidate): Set<number> | undefined {
  const [older, newer] = [one.contents, other.contents].toSorted(
    (a, b) => (a.closing?.epoch ?? 0) - (b.closing?.epoch ?? 0),
  );
  const { closing, state, changedKeys } = newer!;
  if (!closing || closing.epoch - 1 !== older!.closing?.epoch) return undefined;
  return state?.changedKeys === changedKeys.length ? new Set(changedKeys) : undefined;
}
