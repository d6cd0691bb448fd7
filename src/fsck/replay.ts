/**
 * From a checkpoint's image and the journal behind it to the image of the state that a host would
 * have: replay as the host does it, over values that nobody believes.
 */
import { type BlockspaceError, isBlockspaceError } from "../base/errors.ts";
import { emptyEnvironment } from "../checkpoint/empty-environment.ts";
import { MiB } from "../base/units.ts";
import type { Directory } from "../device/device.ts";
import { kinds } from "../format/checkpoint-values.ts";
import { type CarriedBlock, carriedBlocks } from "../format/journal-frame.ts";
import type { JournalFile, JournalIdentity } from "../journal/files.ts";
import { type JournalBatch, type JournalEnd, JournalReader } from "../journal/reader.ts";
import { applyCommit } from "../replay/apply.ts";
import { blocksGiven } from "../replay/carried-blocks.ts";
import { State } from "../replay/state.ts";
import type { Geometry } from "../space/geometry.ts";
import type { FindingId } from "./finding-table.ts";
import { reasonOf } from "./findings.ts";
import { Image } from "./image.ts";
import { chainBehind } from "./journal-search.ts";
import { ImageEnvironment } from "./image-environment.ts";

/** Memory for what replay has decoded. */
const CACHE_BYTES: number = 32 * MiB;

const NO_DATA: Uint8Array = new Uint8Array();

/** Where replay begins: at a checkpoint, or at the creation of the store. */
export type Start = "a" | "b" | "creation";

/** What replay reads beside the checkpoint. */
export interface ReplayParts {
  geometry: Geometry;
  journal: Directory;
  files: readonly JournalFile[];
  identity: JournalIdentity;
  /** Look for frames also where the headers of the files do not lead. */
  search?: boolean;
  /** Also keep the blocks that the journal carries, which may be as much as the journal is long. */
  keepData?: boolean;
  /** An image that is likely to have the same values, whose bytes are used where it has. */
  twin?: Image | undefined;
  signal?: AbortSignal;
}

/** How far replay came. */
export interface Replayed {
  start: Start;
  /** The commit of the checkpoint. */
  checkpointLsn: number;
  /** The last commit that was applied, and the checksum of its frame. */
  lsn: number;
  checksum: number;
  commits: number;
  /** The state after that commit, with a closing record. */
  image: Image;
  /** Blocks that may be nowhere but in the journal; without `keepData` they are all empty. */
  restored: Map<number, Uint8Array>;
  /** How the journal ended; nothing when it is damaged. */
  end?: JournalEnd;
  /** Why replay stopped before the end of the journal. */
  damage?: { id: FindingId; message: string; lsn: number };
}

/** Replays the journal from `image` (nothing: from creation), up to commit `most`. */
export async function replayFrom(
  start: Start,
  image: Image | undefined,
  parts: ReplayParts,
  most: number = Infinity,
): Promise<Replayed | { unusable: string }> {
  const base = image ?? new Image();
  const environment = image ? new ImageEnvironment(start, image) : emptyEnvironment;
  const state = new State(parts.geometry, environment, CACHE_BYTES);
  let checksum = 0;
  try {
    if (image) checksum = state.load();
  } catch (error) {
    return { unusable: reasonOf(error) };
  }
  const from = { lsn: state.lsn, checksum };
  const { keepData = false } = parts;
  const run: Run = { restored: new Map(), keepData, commits: 0, checksum };
  let ending = await applyAll(state, from, parts, run, most);
  if (parts.search && ending.damage?.id !== "R001" && state.lsn < most) {
    const further = await applyChain(state, parts, run, most);
    ending = further ?? ending;
  }
  if (ending.damage?.id === "R001" && ending.damage.lsn <= most) {
    const again = await replayFrom(start, image, parts, ending.damage.lsn - 1);
    return "unusable" in again ? again : { ...again, damage: ending.damage };
  }
  return {
    start,
    checkpointLsn: from.lsn,
    lsn: state.lsn,
    checksum: run.checksum,
    commits: run.commits,
    image: imageAfter(state, base, run.checksum, parts.twin),
    restored: run.restored,
    ...ending,
  };
}

/** What replay gathers on its way. */
interface Run {
  restored: Map<number, Uint8Array>;
  keepData: boolean;
  commits: number;
  checksum: number;
}

async function applyAll(
  state: State,
  from: { lsn: number; checksum: number },
  parts: ReplayParts,
  run: Run,
  most: number,
): Promise<Pick<Replayed, "end" | "damage">> {
  const batches = new JournalReader(parts.journal, parts.identity, from).batches();
  try {
    for (;;) {
      parts.signal?.throwIfAborted();
      const next = await batches.next();
      if (next.done) return { end: next.value };
      const stopped = applyBatch(state, next.value, parts.geometry, run, most);
      if (stopped) return stopped;
    }
  } catch (error) {
    if (!isBlockspaceError(error, "ECORRUPT")) throw error;
    return { damage: journalDamage(error, from, parts.files) };
  } finally {
    await batches.return(undefined as never);
  }
}

/** Goes on with frames that only a search of all files finds. */
async function applyChain(
  state: State,
  parts: ReplayParts,
  run: Run,
  most: number,
): Promise<Pick<Replayed, "damage"> | undefined> {
  const { journal: directory, files, identity, geometry } = parts;
  const start = { lsn: state.lsn, checksum: run.checksum };
  for await (const batch of chainBehind({ directory, files, identity }, start)) {
    const stopped = applyBatch(state, batch, geometry, run, most);
    if (stopped) return stopped;
  }
  return undefined;
}

/** Applies a frame; says why, when it must not or cannot go on. */
function applyBatch(
  state: State,
  batch: JournalBatch,
  geometry: Geometry,
  run: Run,
  most: number,
): Pick<Replayed, "damage"> | undefined {
  const { header, commits } = batch;
  let carried: CarriedBlock[];
  try {
    carried = carriedBlocks(batch, geometry.blockSize);
  } catch (error) {
    return { damage: { id: "J006", message: reasonOf(error), lsn: header.firstLsn } };
  }
  const applied = commits.filter(({ lsn }) => lsn <= most);
  for (const commit of applied) {
    try {
      applyCommit(state, commit);
    } catch (error) {
      const message = `commit ${commit.lsn} cannot be applied: ${reasonOf(error)}`;
      return { damage: { id: "R001", message, lsn: commit.lsn } };
    }
    run.commits++;
  }
  for (const { pblock, count } of blocksGiven(applied)) {
    for (let i = 0; i < count; i++) run.restored.delete(pblock + i);
  }
  for (const { lsn, pblock, data } of carried) {
    if (lsn <= most) run.restored.set(pblock, run.keepData ? data.slice() : NO_DATA);
  }
  if (commits.some(({ lsn }) => lsn > most)) return {};
  run.checksum = header.checksum;
  return undefined;
}

/** Which finding an error of the journal's reader is. */
function journalDamage(
  error: BlockspaceError,
  from: { lsn: number },
  files: readonly JournalFile[],
): { id: FindingId; message: string; lsn: number } {
  const lsn = error.lsn ?? from.lsn + 1;
  const message = error.message.replace(/^ECORRUPT: /, "");
  const reaches = files.some(({ header }) => header && header.firstLsn <= from.lsn + 1);
  if (!reaches) return { id: "J003", message, lsn };
  if (error.cause !== undefined) return { id: "J006", message, lsn };
  return { id: lsn <= from.lsn ? "J004" : "J005", message, lsn };
}

/** All values of a state that was loaded from `base` and has changed since. */
export function imageAfter(state: State, base: Image, checksum: number, twin?: Image): Image {
  const image = base.clone();
  for (const [id] of image.scan(kinds.changedKeys)) image.delete(kinds.changedKeys, id);
  const frozen = state.freeze();
  for (const change of frozen.changes()) image.apply(change, twin);
  image.apply(frozen.stateValue(0, checksum));
  image.close(1, frozen.lsn);
  return image;
}
