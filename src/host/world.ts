/**
 * What a store takes from the world besides its files: the time, and a uuid that nobody else has. A
 * simulation gives both itself, so that the same history leaves the same bytes.
 */
import { randomUUID } from "node:crypto";

export interface World {
  /** Milliseconds since 1970. */
  now(): number;
  /** 16 bytes. */
  newUuid(): Uint8Array;
}

export const realWorld: World = {
  now: () => Date.now(),
  newUuid: () => Buffer.from(randomUUID().replaceAll("-", ""), "hex"),
};
