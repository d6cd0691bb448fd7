/**
 * What a repair will write, decided before a byte is written: the best state that checkpoints and
 * journal lead to, mended where it must be, checked again as hard as any other, and the report of
 * what it costs.
 *
 * A checkpoint that is whole with the journal behind it loses nothing and is taken as it is. Else
 * every checkpoint is completed from the other and salvaged, the journal applied to what is left,
 * and of these attempts the one that comes furthest is taken; of two equal ones, the one that costs
 * less.
 */
import { BlockspaceError } from "../base/errors.ts";
import type { Device } from "../device/device.ts";
import { addressOf } from "../space/geometry.ts";
import type { Candidate } from "./candidates.ts";
import type { Evidence } from "./check.ts";
import { type Contents, readContents } from "./contents.ts";
import { crossCheck } from "./crosscheck.ts";
import { withoutBusy } from "./cutter.ts";
import type { Finding } from "./finding.ts";
import { Findings } from "./findings.ts";
import { checkGraph } from "./graph.ts";
import type { Image } from "./image.ts";
import type { Counters } from "./image-writing.ts";
import { checksumAt, commitsBehind, type JournalPlace } from "./journal-search.ts";
import { costsData, type Loss } from "./loss.ts";
import { type Replayed, replayFrom } from "./replay.ts";
import { salvage } from "./salvage.ts";
import type { Sources } from "./segment-mending.ts";
import { completed } from "./twin-values.ts";

export interface RepairPlan {
  /** The state to be written. */
  image: Image;
  contents: Contents;
  lsn: number;
  /** Of the frame that ends with that commit. */
  checksum: number;
  /** Blocks that must be written to their places. */
  restored: Map<number, Uint8Array>;
  losses: Loss[];
  /** The greatest epoch that any checkpoint claims, and sequence that any journal file does. */
  epoch: number;
  sequence: number;
}

export interface PlanOptions {
  /** The findings of the check. */
  findings: readonly Finding[];
  /** Leaked blocks are freed, and not kept in lost+found. */
  freeLeaks: boolean;
}

interface Attempt {
  replayed: Replayed;
  losses: Loss[];
}

/** Decides what to write; throws `ECORRUPT` when there is nothing to begin with. */
export async function planRepair(
  evidence: Evidence,
  device: Device,
  options: PlanOptions,
): Promise<RepairPlan> {
  const { geometry, candidates, chosen } = evidence;
  const journalHurt = options.findings.some(({ id }) => id.startsWith("J"));
  // What a repair has removed of the journal leaves no gap that could be seen.
  const inPieces = options.findings.some(({ id }) => id === "I003");
  const best =
    chosen?.whole && !journalHurt
      ? { replayed: await withData(chosen.replayed, evidence), losses: [] }
      : await bestSalvage(evidence, device);
  const { replayed } = best;
  const losses = [...best.losses];
  let image = replayed.image;
  if (findingsIn(image, evidence).length > 0) {
    const contents = readContents(image, geometry, () => undefined);
    const counters = await countersOf(contents, evidence);
    const { freeLeaks } = options;
    const sources = { ...sourcesOf(evidence, device, replayed.restored), freeLeaks };
    const salvaged = await salvage(contents, geometry, counters, sources);
    image = salvaged.image;
    losses.push(...salvaged.losses);
  } else image = withoutBusy(image.clone(), replayed.lsn);
  const left = findingsIn(image, evidence);
  if (left.length > 0) {
    const what = left.map(({ id, message }) => `${id} ${message}`).join("; ");
    throw new BlockspaceError("ECORRUPT", `the repaired state would not be sound: ${what}`);
  }
  const contents = readContents(image, geometry, () => undefined);
  if (replayed.damage || journalHurt || inPieces) {
    losses.push(...(await lostCommits(evidence, replayed, contents, inPieces)));
  }
  const epochs = candidates.map((one) => one.contents.closing?.epoch ?? 0);
  const sequences = evidence.journal.files.map(({ header }) => header?.sequence ?? 0);
  return {
    image,
    contents,
    lsn: replayed.lsn,
    checksum: contents.state!.journalChecksum,
    restored: liveOf(replayed.restored, contents, geometry.segmentBlocks),
    losses,
    epoch: Math.max(0, ...epochs),
    sequence: Math.max(0, ...sequences),
  };
}

function findingsIn(image: Image, { geometry }: Evidence): Findings["list"] {
  const findings = new Findings();
  const report = findings.report();
  const contents = readContents(image, geometry, report);
  crossCheck({ image, contents, geometry }, report);
  checkGraph(contents, report);
  return findings.list;
}

async function bestSalvage(evidence: Evidence, device: Device): Promise<Attempt> {
  const attempts: Attempt[] = [];
  const { chosen, candidates } = evidence;
  for (const candidate of candidates) {
    const attempt = await salvageFrom(candidate, evidence, device);
    if (attempt) attempts.push(attempt);
  }
  if (chosen?.replayed.start === "creation") {
    attempts.push({ replayed: await withData(chosen.replayed, evidence), losses: [] });
  }
  const cost = ({ losses }: Attempt): number => losses.filter(costsData).length;
  attempts.sort((a, b) => b.replayed.lsn - a.replayed.lsn || cost(a) - cost(b));
  if (attempts[0]) return attempts[0];
  throw new BlockspaceError("ECORRUPT", "no checkpoint and no journal leads to a state");
}

/** The same state, with the blocks that the journal carries: a check does not keep them. */
async function withData(replayed: Replayed, evidence: Evidence): Promise<Replayed> {
  const { start, lsn } = replayed;
  const image = evidence.candidates.find(({ name }) => name === start)?.reading.image;
  const again = await replayFrom(start, image, { ...replayParts(evidence), search: false }, lsn);
  if ("unusable" in again) throw new BlockspaceError("EIO", `it changed: ${again.unusable}`);
  return { ...replayed, restored: again.restored };
}

/** A checkpoint, mended if need be, and the journal behind it. */
async function salvageFrom(
  candidate: Candidate,
  evidence: Evidence,
  device: Device,
): Promise<Attempt | undefined> {
  const { name, clean } = candidate;
  const parts = replayParts(evidence);
  const other = evidence.candidates.find((one) => one !== candidate);
  const all = clean ? candidate.reading.image : completed(candidate, other);
  if (clean || findingsIn(all, evidence).length === 0) {
    const replayed = await replayFrom(name, all, parts);
    if (!("unusable" in replayed)) return { replayed, losses: [] };
  }
  const contents = readContents(all, evidence.geometry, () => undefined);
  if (!contents.state && !contents.closing) return undefined;
  const counters = await countersOf(contents, evidence);
  const sources = sourcesOf(evidence, device, new Map(), candidate);
  const { image, losses } = await salvage(contents, evidence.geometry, counters, sources);
  const replayed = await replayFrom(name, image, parts);
  return "unusable" in replayed ? undefined : { replayed, losses };
}

function replayParts({
  geometry,
  journal,
  journalIdentity,
}: Evidence): Parameters<typeof replayFrom>[2] {
  const { directory, files } = journal;
  return {
    geometry,
    journal: directory,
    files,
    identity: journalIdentity,
    search: true,
    keepData: true,
  };
}

export function journalPlace({ journal, journalIdentity }: Evidence): JournalPlace {
  return { directory: journal.directory, files: journal.files, identity: journalIdentity };
}

/** The counters of a state, as far as anything is left that says them. */
async function countersOf(contents: Contents, evidence: Evidence): Promise<Counters> {
  const { state, closing } = contents;
  const lsn = closing?.lsn ?? state?.lsn ?? 0;
  const sure = state && state.lsn === lsn;
  return {
    lsn,
    nextNode: state?.nextNode ?? 1,
    nextSubvolume: state?.nextSubvolume ?? 1,
    journalChecksum: sure ? state.journalChecksum : await checksumAt(journalPlace(evidence), lsn),
  };
}

function sourcesOf(
  evidence: Evidence,
  device: Device,
  restored: ReadonlyMap<number, Uint8Array>,
  except?: Candidate,
): Sources {
  const { geometry, candidates } = evidence;
  return {
    twins: candidates
      .filter((one) => one !== except)
      .map(({ reading }) => readContents(reading.image, geometry, () => undefined)),
    async readBlock(pblock) {
      const waiting = restored.get(pblock);
      if (waiting) return waiting;
      const block = new Uint8Array(geometry.blockSize);
      try {
        await device.read(block, addressOf(geometry, pblock));
        return block;
      } catch {
        return undefined;
      }
    },
    freeLeaks: false,
  };
}

/** Restored blocks that the final state has in use. */
function liveOf(
  restored: ReadonlyMap<number, Uint8Array>,
  contents: Contents,
  segmentBlocks: number,
): Map<number, Uint8Array> {
  const live = [...restored].filter(([pblock]) => {
    const record = contents.segments.get(Math.floor(pblock / segmentBlocks));
    const index = pblock % segmentBlocks;
    return record && record.refs.get(index) > 0 && record.written[index] === 1;
  });
  return new Map(live);
}

/** What the commits behind the last one that can be replayed would have changed. */
async function lostCommits(
  evidence: Evidence,
  { lsn, damage }: Replayed,
  contents: Contents,
  inPieces: boolean,
): Promise<Loss[]> {
  const { blockSize } = evidence.geometry;
  const place = journalPlace(evidence);
  const names = new Map([...contents.subvolumes].map(([id, { name }]) => [id, name]));
  const losses: Loss[] = [];
  for (const { lsn: lost, records } of await commitsBehind(place, lsn)) {
    for (const record of records) {
      const note = `commit ${lost} (${record.type}) follows damage in the journal`;
      if (record.type === "remap" || record.type === "convert" || record.type === "unmap") {
        const subvolume = names.get(record.subvolume) ?? `number ${record.subvolume}`;
        const range = { offset: record.vblock * blockSize, length: record.count * blockSize };
        losses.push({ kind: "older", subvolume, ...range, note });
      } else losses.push({ kind: "older", note });
    }
  }
  const isChained = damage === undefined && (lsn === 0 || (await checksumAt(place, lsn)) !== 0);
  if (inPieces || !isChained) {
    losses.push({ kind: "older", note: `what followed commit ${lsn}, if anything did, is lost` });
  }
  return losses;
}
