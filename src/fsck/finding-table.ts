/**
 * Every finding that a check can make, by its id. Ids are stable: programs may switch on them, and
 * one is never given a second meaning. `docs/fsck.md` shows this table, held against it by a test.
 *
 * The letter says what a finding is about: I identity and lock, S superblock and data device, J
 * journal, C one value of a checkpoint, R replay, X the cross-check of maps and space, G the graph
 * of subvolumes, D the data.
 */

/**
 * - `leak`: space or redundancy that nothing needs; no data is affected
 * - `damage`: something is wrong that a repair can put right
 * - `fatal`: wrong, and no repair of ours can tell what was right
 */
export type Severity = "leak" | "damage" | "fatal";

export type FindingId =
  | `I00${1 | 2 | 3 | 4 | 5 | 6}`
  | `S00${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9}`
  | `J00${1 | 2 | 3 | 4 | 5 | 6 | 7}`
  | `C00${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9}`
  | `C01${0 | 1 | 2 | 3 | 4 | 5}`
  | `R00${1 | 2 | 3 | 4}`
  | `X00${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9}`
  | `X01${0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8}`
  | `G00${1 | 2 | 3 | 4 | 5}`
  | `D00${1 | 2 | 3}`;

export interface FindingKind {
  severity: Severity;
  /** What is wrong. */
  title: string;
  promise: string;
  /** What a repair does about it. */
  repair: string;
}

const damage = "damage";
const leak = "leak";
const fatal = "fatal";

const dump = "none, unless there is a dump to restore";
const device = "none: put its own there, or name that with --device";
const again = "repair --in-place again, or --undo; if neither can, --to";
const byHand = "none: put the file there, or name the data with --device";
const checkpoint = "write both checkpoints anew";
const journal = "begin a new journal behind the last commit that can be believed";
const recount = "count again from the maps";
const cut = "unmap the range, and say so in the loss report";

function kind(severity: Severity, promise: string, title: string, repair: string): FindingKind {
  return { severity, title, promise, repair };
}

export const findingTable: Readonly<Record<FindingId, FindingKind>> = {
  I001: kind(fatal, "I2", "the superblock is missing", dump),
  I002: kind(leak, "I8", "the lock file is missing", "make it"),
  I003: kind(damage, "I2", "a repair in place was cut short", again),
  I004: kind(leak, "I2", "the remains of an unfinished creation", "remove them"),
  I005: kind(fatal, "I6", "a symbolic link in the place of a file", byHand),
  I006: kind(damage, "I1", "the superblock has lost its name", "give it its name"),

  S001: kind(leak, "I6", "a slot of the superblock is damaged", "copy the other; so does opening"),
  S002: kind(fatal, "I6", "both slots of the superblock are damaged", dump),
  S003: kind(
    damage,
    "I6",
    "the slots of the superblock differ",
    "copy the slot that fits the rest",
  ),
  S004: kind(damage, "I6", "the superblock has the wrong size", "write it anew"),
  S005: kind(fatal, "I2", "the data device is missing", device),
  S006: kind(damage, "I6", "the label of the data device is damaged", "write it anew"),
  S007: kind(fatal, "I2", "the data device belongs to another store", device),
  S008: kind(damage, "I1", "the data device was cut short", "make it whole; blocks may be gone"),
  S009: kind(leak, "I1", "the store was being made larger", "complete it; so does opening"),

  J001: kind(damage, "I10", "two journal files have the same sequence", journal),
  J002: kind(damage, "I10", "the journal has no file", journal),
  J003: kind(damage, "I10", "the journal does not reach back to a checkpoint", journal),
  J004: kind(damage, "I10", "the journal does not continue a checkpoint", journal),
  J005: kind(damage, "I10", "a durable journal frame is damaged or missing", journal),
  J006: kind(damage, "I10", "a journal frame with a sound checksum makes no sense", journal),
  J007: kind(damage, "I10", "a journal file cannot be read", journal),

  C001: kind(damage, "I6", "an environment cannot be read", checkpoint),
  C002: kind(damage, "I6", "the closing record is missing", checkpoint),
  C003: kind(damage, "I6", "the closing record is damaged", checkpoint),
  C004: kind(damage, "I6", "count or digest do not match the values", checkpoint),
  C005: kind(damage, "I6", "a value does not match its seal", checkpoint),
  C006: kind(damage, "I6", "a value with a sound seal makes no sense", checkpoint),
  C007: kind(damage, "I6", "a key is malformed or of an unknown kind", checkpoint),
  C008: kind(damage, "I6", "the state value is missing", checkpoint),
  C009: kind(damage, "I6", "the state value contradicts the other values", checkpoint),
  C010: kind(damage, "I6", "a value has an id beyond what was ever given", checkpoint),
  C011: kind(damage, "I6", "a list of pages has a gap", checkpoint),
  C012: kind(damage, "I6", "both checkpoints claim the same epoch", checkpoint),
  C013: kind(damage, "I2", "the list of changed keys is not what changed", checkpoint),
  C014: kind(leak, "I6", "one of the two checkpoints is missing", checkpoint),
  C015: kind(damage, "I6", "a checkpoint belongs to another store", checkpoint),

  R001: kind(damage, "I2", "a commit of the journal cannot be applied", journal),
  R002: kind(damage, "I2", "the two checkpoints lead to different states", checkpoint),
  R003: kind(fatal, "I2", "no checkpoint is left, and the journal begins too late", dump),
  R004: kind(
    damage,
    "I2",
    "no checkpoint can be loaded as it is",
    "salvage what one of them holds",
  ),

  X001: kind(
    damage,
    "I6",
    "a map node is missing",
    "rebuild it from the segment records, or unmap",
  ),
  X002: kind(
    damage,
    "I6",
    "a map node is unreadable",
    "rebuild it from the segment records, or unmap",
  ),
  X003: kind(damage, "I6", "a map node is not at the level of its place", cut),
  X004: kind(damage, "I6", "a map node holds what does not belong below its parent", cut),
  X005: kind(damage, "I6", "a map reaches beyond its subvolume", "make it as large as its map"),
  X006: kind(damage, "I6", "an extent lies outside of the device or across segments", cut),
  X007: kind(
    damage,
    "I4",
    "a block is mapped where it does not belong",
    "follow the better witness",
  ),
  X008: kind(damage, "I4", "a block has more references than are counted", recount),
  X009: kind(
    leak,
    "I5",
    "a block has fewer references than are counted",
    "count again; data goes to lost+found",
  ),
  X010: kind(
    damage,
    "I6",
    "a written extent has blocks that were never written",
    "take them for written",
  ),
  X011: kind(
    damage,
    "I6",
    "a segment record is missing or unreadable",
    "rebuild it from the maps and the data",
  ),
  X012: kind(damage, "I4", "a map node has more references than are counted", recount),
  X013: kind(leak, "I5", "a map node has fewer references than are counted", recount),
  X014: kind(leak, "I5", "nothing refers to a map node", "remove it; its data goes to lost+found"),
  X015: kind(damage, "I4", "the count of a segment's blocks is wrong", recount),
  X016: kind(damage, "I4", "a block is live and busy at once", recount),
  X017: kind(damage, "I5", "a block beyond the capacity is in use", recount),
  X018: kind(damage, "I5", "the list of dead map nodes is wrong", "make it anew"),

  G001: kind(damage, "I2", "a subvolume has a name that cannot be", "give it another name"),
  G002: kind(damage, "I2", "two subvolumes have the same name", "give one another name"),
  G003: kind(damage, "I2", "a subvolume has a size that cannot be", "give it the size of its map"),
  G004: kind(damage, "I2", "a subvolume's source or family cannot be", "take what its map says"),
  G005: kind(damage, "I2", "a subvolume's value is lost", "put its map into lost+found"),

  D001: kind(
    damage,
    "I6",
    "a block does not match its checksum",
    "take it from the journal, or leave it",
  ),
  D002: kind(damage, "I6", "a block cannot be read", "take it from the journal, or leave it"),
  D003: kind(damage, "I4", "a block that only a checkpoint refers to is spoilt", checkpoint),
};
