/** How much is measured: all of it, or what fits in two minutes. */
import { GiB, MiB } from "blockspace";

export interface Scale {
  /** Turns of every subject at every load. */
  rounds: number;
  /** Random writes before the first load, in working sets: until every log has come round. */
  preconditioning: number;
  nbd: { workingSet: number; durationMs: number };
  library: { workingSet: number; durationMs: number };
  size: {
    extents: readonly number[];
    /** Peers copy so many extents in a second that they are not asked for more. */
    mostPeerExtents: number;
    snapshots: readonly number[];
    virtualSizes: readonly number[];
    /** Bytes of journal that opening after a crash finds. */
    tail: number;
    /** Also a journal of records alone. */
    worstTail: boolean;
    /** Writes in a durable batch where amplification is counted. */
    batches: readonly number[];
    /** Bytes of random writes whose amplification is counted, to as many bytes of pages. */
    amplified: number;
  };
}

export const fullScale: Scale = {
  rounds: 5,
  preconditioning: 4,
  nbd: { workingSet: GiB, durationMs: 3000 },
  library: { workingSet: GiB, durationMs: 1500 },
  size: {
    extents: [1e3, 1e4, 1e5, 1e6],
    mostPeerExtents: 1e5,
    snapshots: [1, 10, 100, 1000, 10_000],
    virtualSizes: [GiB, 16 * GiB, 128 * GiB, 1024 * GiB],
    tail: 64 * MiB,
    worstTail: true,
    batches: [1, 32, 1024],
    amplified: 256 * MiB,
  },
};

export const quickScale: Scale = {
  rounds: 2,
  preconditioning: 1,
  nbd: { workingSet: 256 * MiB, durationMs: 300 },
  library: { workingSet: 64 * MiB, durationMs: 150 },
  size: {
    extents: [1e3, 1e4],
    mostPeerExtents: 1e4,
    snapshots: [1, 100],
    virtualSizes: [1024 * GiB],
    tail: 16 * MiB,
    worstTail: false,
    batches: [32],
    amplified: 16 * MiB,
  },
};

/** The largest maps as well: the peers take half a minute for each copy of theirs. */
export function withLarge(scale: Scale): Scale {
  const extents = [...scale.size.extents, 1e7];
  return { ...scale, size: { ...scale.size, extents, mostPeerExtents: 1e6 } };
}
