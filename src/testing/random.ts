/**
 * The random numbers of a simulation: a small generator whose whole state is a 32-bit seed, so that
 * a case is the same on every machine (mulberry32, public domain, by Tommy Ettinger).
 */

/** A number from 0 to 1, 1 not included, as from `Math.random`. */
export type Random = () => number;

/** The generator of a seed; the fraction and the bits above 32 of the seed do not count. */
export function randomFrom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number from 0 to `below`, `below` not included. */
export function randomBelow(random: Random, below: number): number {
  return Math.floor(random() * below);
}

/** A seed made of another one and of a name, so that parts of a run are independent. */
export function seedFor(seed: number, name: string): number {
  let mixed = seed | 0;
  for (let i = 0; i < name.length; i++) {
    mixed = Math.imul(mixed ^ name.charCodeAt(i), 0x01000193);
    mixed ^= mixed >>> 15;
  }
  return mixed >>> 0;
}
