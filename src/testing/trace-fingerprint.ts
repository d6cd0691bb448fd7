/** One number for all that a program did, to tell whether it did the same again. */
import {
  type Fingerprint,
  fingerprintOf,
  fingerprintOfText,
  NOTHING,
  placed,
  sum,
  toNumber,
} from "./fingerprint.ts";
import type { Effect, TraceEntry } from "./operation.ts";

/**
 * Equal for two traces with the same operations on the same places with the same bytes, in the same
 * order. The values of marks do not count, only where they stand.
 */
export function fingerprintOfTrace(trace: readonly TraceEntry[]): number {
  let total = NOTHING;
  for (const { index, operation, effects } of trace) {
    const words = operation.kind === "mark" ? { kind: "mark" } : operation;
    let own: Fingerprint = fingerprintOfText(JSON.stringify(words));
    for (const effect of effects) own = sum(own, placed(ofEffect(effect), effects.length));
    total = sum(total, placed(own, index));
  }
  return toNumber(placed(total, trace.length));
}

function ofEffect(effect: Effect): Fingerprint {
  if (effect.type === "cell") return fingerprintOfText(`${effect.name} ${effect.cell.fingerprint}`);
  if (effect.type !== "data") return fingerprintOfText(JSON.stringify(effect));
  const { bytes, ...place } = effect;
  const text = fingerprintOfText(JSON.stringify(place));
  return bytes ? sum(text, placed(fingerprintOf(bytes), 1)) : text;
}
