/**
 * The operations of a random history, and the small things that carrying them out takes: ranges cut
 * to fit, bytes put into bytes, and a generator whose seed stands for a crash.
 */

/** One operation; numbers are taken modulo what is there, so any sequence makes sense. */
export type HostOperation =
  | { type: "create"; size: number }
  | { type: "write"; on: number; at: number; length: number; fill: number }
  | { type: "discard" | "writeZeroes" | "preallocate"; on: number; at: number; length: number }
  | { type: "resize"; on: number; size: number }
  /** The store itself is made larger. */
  | { type: "grow"; blocks: number }
  | { type: "snapshot" | "clone" | "rename" | "delete"; on: number }
  | { type: "rollback"; on: number; to: number }
  | {
      type: "transact";
      writes: { on: number; at: number; length: number; fill: number }[];
      on: number;
    }
  | { type: "twoPhase"; on: number; at: number; count: number; fill: number; between: boolean }
  | { type: "flush" | "checkpoint" | "compact" | "reopen" | "kill" }
  | { type: "crash"; seed: number }
  /** A kill, and one of the two checkpoints is gone. */
  | { type: "loseCheckpoint"; name: "a" | "b" }
  /** The power goes at the `after`th operation on the medium from now on. */
  | { type: "cut"; after: number; seed: number };

/** A range cut to fit, and its data. */
export function fitted(
  range: { at: number; length: number; fill: number },
  size: number,
): { at: number; data: Uint8Array } {
  const at = range.at % size;
  const data = new Uint8Array(Math.min(range.length, size - at));
  for (let i = 0; i < data.length; i++) data[i] = range.fill === 0 ? 0 : range.fill + (i >> 9);
  return { at, data };
}

export function withBytes(bytes: Uint8Array, at: number, data: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy.set(data, at);
  return copy;
}

/** A small seeded generator (mulberry32): the same seed gives the same crash. */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
