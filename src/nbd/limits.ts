/**
 * What a client may ask of the server at most. Each limit is checked before anything is allocated
 * for what the client announces.
 */
import { KiB, MiB } from "../base/units.ts";

/** The most data in one option. */
export const MAX_OPTION_BYTES: number = 4 * KiB + 64;
/** What an option announces over this is no mistake; it is not even passed over. */
export const MAX_SKIPPED_BYTES: number = MiB;
/** Options in one handshake. */
export const MAX_OPTIONS = 1024;
/** Metadata contexts that one connection may select. */
export const MAX_CONTEXTS = 16;
/** The most data in one read or write. */
export const MAX_PAYLOAD: number = 32 * MiB;
/** Data of one connection that is in memory at once, if there is more than one request. */
export const MAX_BYTES_IN_FLIGHT: number = 32 * MiB;
/** Requests of one connection under way at once. */
export const MAX_REQUESTS_IN_FLIGHT = 256;
/** Descriptors of one context in one answer to `BLOCK_STATUS`. */
export const MAX_DESCRIPTORS = 4096;
