/** The names of the files of a store that a repair touches, and of those that it makes. */

export { CHECKPOINT, DATA, JOURNAL, LOCK, SUPERBLOCK_AWAY, UNFINISHED } from "../host/store.ts";
export { SUPERBLOCK } from "../host/superblock-slots.ts";
/** What the superblock is called until a restore is done: by it the next one knows what it left. */
export const RESTORING = "superblock.restore";
export const UNDO = "fsck.undo";
/** The undo file before it is whole. */
export const UNDO_DRAFT = "fsck.undo.new";
