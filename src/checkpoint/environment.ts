/**
 * What a checkpoint environment promises: a durable, atomic table of checksummed values, of which a
 * store has two and writes them in turn. LMDB keeps these promises on disk (`lmdb-environment.ts`),
 * its twin in memory for most of the tests (`memory-environment.ts`).
 *
 * A key is a kind (one byte) and an id (below 2^48). Values are opaque here; each carries its own
 * checksum, which the codec in `format/` puts last. The **closing record** says which state the
 * table holds: it is written in the same transaction as the values, with the count of values and
 * the digest of all their checksums, and it is read back before a commit counts as done.
 */

/** One change of the table; `null` removes the value. */
export interface Change {
  kind: number;
  id: number;
  value: Uint8Array | null;
}

/** What the closing record holds, beside the id of the store. */
export interface Closing {
  /** Counts checkpoints of the store; the greater of two environments is the newer. */
  epoch: number;
  /** The last commit that the values include. */
  lsn: number;
  /** Number of values in the table, this record not counted. */
  count: number;
  /** Sum modulo 2^48 of the digest of each value; see `digest.js`. */
  digest: number;
}

/** What is said of a commit beside its changes. */
export interface CommitOptions {
  epoch: number;
  lsn: number;
  /** Empties the table first. */
  reset: boolean;
  /**
   * Called when all changes were taken: nothing is committed before the changes that it resolves
   * with, or when it rejects.
   */
  last?: LastChanges;
}

/** The last changes of a commit, which are not known before something else has happened. */
export type LastChanges = () => Promise<Iterable<Change>>;

export interface Environment {
  /** `a` or `b`. */
  readonly name: string;
  /**
   * The closing record, or `undefined` when the environment has never been written; `ECORRUPT` when
   * it is damaged or another store's.
   */
  closing(): Closing | undefined;
  /** The value under a key, valid until the next call; synchronous, since `apply` is. */
  get(kind: number, id: number): Uint8Array | undefined;
  /** Every value of one kind in the order of ids; each is valid until the next step. */
  scan(kind: number): Iterable<{ id: number; value: Uint8Array }>;
  /**
   * Applies all changes in one durable transaction and returns the closing record as read back.
   * After a failure the environment must be closed.
   */
  commit(changes: Iterable<Change>, options: CommitOptions): Promise<Closing>;
  close(): Promise<void>;
}

/**
 * Opens (and, unless read-only, creates) the two environments of a store by name. `anew` removes
 * what is there first: the way to be rid of a damaged one, which must be closed before.
 */
export type OpenEnvironment = (name: "a" | "b", anew?: boolean) => Promise<Environment>;
