/**
 * The records of the segments, made again from the maps. Counts and owners follow from what the
 * maps use; for each block somebody must vouch for the map, and for the checksum:
 *
 *  1. the record itself, where it names the same place;
 *  2. the other checkpoint's record, where that does;
 *  3. the data, where it has the checksum of a record that names another place, or none;
 *  4. where the record of the whole segment is lost: the map alone, and the data as it is now,
 *     which is then told of as unverified.
 *
 * A block that nobody vouches for is *denied*: the map is wrong there, and is cut.
 */
import { crc32 } from "../base/checksum.ts";
import { newSegmentRecord, type SegmentRecord } from "../format/segment-record.ts";
import type { Geometry } from "../space/geometry.ts";
import type { Claim, Claims, SegmentClaims } from "./claims.ts";
import type { Contents } from "./contents.ts";
import type { Loss } from "./loss.ts";

/** Where a repair finds what an image has lost. */
export interface Sources {
  /** The other checkpoint, where it makes sense. */
  twins: readonly Contents[];
  /** The data of a block as it is now; nothing when it cannot be read. */
  readBlock(pblock: number): Promise<Uint8Array | undefined>;
  /** Blocks that nothing uses are freed, and not kept in lost+found. */
  freeLeaks: boolean;
}

export interface SegmentMending {
  contents: Contents;
  geometry: Geometry;
  claims: Claims;
  sources: Sources;
  losses: Loss[];
}

export interface MendedSegments {
  records: Map<number, SegmentRecord>;
  /** The map is wrong there. */
  denied: Claim[];
}

/** A record for every segment that is used or had one. */
export async function mendSegments(mending: SegmentMending): Promise<MendedSegments> {
  const { contents, geometry, claims } = mending;
  const mended: MendedSegments = { records: new Map(), denied: [] };
  const numbers = new Set([...contents.segments.keys(), ...claims.segments.keys()]);
  for (const number of [...numbers].toSorted((a, b) => a - b)) {
    if (number >= geometry.segments) continue;
    const used = claims.segments.get(number);
    if (used) {
      mended.records.set(number, await mendSegment(number, used, mending, mended));
    } else if (contents.segments.get(number)) {
      mended.records.set(number, newSegmentRecord(geometry.segmentBlocks));
    }
  }
  return mended;
}

async function mendSegment(
  number: number,
  used: SegmentClaims,
  { contents, geometry, sources, losses }: SegmentMending,
  mended: MendedSegments,
): Promise<SegmentRecord> {
  const { segmentBlocks, blockSize } = geometry;
  const record = newSegmentRecord(segmentBlocks);
  const own = contents.segments.get(number) ?? undefined;
  const twins = sources.twins.map(({ segments }) => segments.get(number) ?? undefined);
  let unverified = 0;
  for (let i = 0; i < segmentBlocks; i++) {
    if (used.refs.get(i) === 0) continue;
    const pblock = number * segmentBlocks + i;
    const claim = { family: used.families.get(i), vblock: used.vblocks.get(i), pblock };
    record.refs.set(i, used.refs.get(i));
    record.families.set(i, claim.family);
    record.vblocks.set(i, claim.vblock);
    const written = used.written[i] === 1;
    const beside = agreesBeside(own, used, i);
    const verdict = await judge(claim, i, written, { own, twins, sources, beside });
    if (verdict === "denied") mended.denied.push(claim);
    else if (verdict !== "unwritten") {
      record.written[i] = 1;
      record.checksums[i] = verdict.checksum;
      if (verdict.unverified) unverified++;
    }
  }
  if (unverified > 0) {
    const note =
      `the checksums of ${unverified} blocks of segment ${number} were lost, ` +
      "and are those of the data as it is now";
    losses.push({ kind: "unverified", length: unverified * blockSize, note });
  }
  return record;
}

type Verdict = "denied" | "unwritten" | { checksum: number; unverified: boolean };

interface Witnesses {
  own: SegmentRecord | undefined;
  twins: readonly (SegmentRecord | undefined)[];
  sources: Sources;
  /** The blocks beside it are mapped in one run with it, and their records agree. */
  beside: boolean;
}

async function judge(
  claim: Claim,
  i: number,
  written: boolean,
  { own, twins, sources, beside }: Witnesses,
): Promise<Verdict> {
  const counted = own !== undefined && own.refs.get(i) > 0;
  if (counted && isPlace(own, i, claim)) {
    if (own.written[i] === 1) return { checksum: own.checksums[i]!, unverified: false };
    if (!written) return "unwritten";
  } else if (!written) return counted ? "denied" : "unwritten";
  const twin = twins.find(
    (one) => one && one.refs.get(i) > 0 && one.written[i] === 1 && isPlace(one, i, claim),
  );
  const block = await sources.readBlock(claim.pblock);
  const checksum = block ? crc32(block) : 0;
  if (twin && (!own || twin.checksums[i] === checksum || isPlace(own, i, claim))) {
    return { checksum: twin.checksums[i]!, unverified: false };
  }
  if (!own) return { checksum, unverified: true };
  const same = block !== undefined && own.checksums[i] === checksum;
  if (isPlace(own, i, claim)) return { checksum, unverified: !same };
  return same && beside ? { checksum, unverified: false } : "denied";
}

/** A block next to this one lies beside it in the map, too, and its record agrees with the map. */
function agreesBeside(own: SegmentRecord | undefined, used: SegmentClaims, i: number): boolean {
  if (!own) return false;
  return [i - 1, i + 1].some(
    (j) =>
      used.refs.get(j) > 0 &&
      used.families.get(j) === used.families.get(i) &&
      j - i === used.vblocks.get(j) - used.vblocks.get(i) &&
      own.refs.get(j) > 0 &&
      own.families.get(j) === used.families.get(j) &&
      own.vblocks.get(j) === used.vblocks.get(j),
  );
}

function isPlace(record: SegmentRecord, i: number, { family, vblock }: Claim): boolean {
  return record.families.get(i) === family && record.vblocks.get(i) === vblock;
}
