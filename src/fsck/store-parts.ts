/** The names of the files of a store that a repair touches, and of those that it makes. */

export { CHECKPOINT, DATA, JOURNAL, LOCK, SUPERBLOCK, UNFINISHED } from "../host/store.ts";
/** What the superblock is called while a repair in place has the store in pieces. */
export const SUPERBLOCK_AWAY = "superblock.fsck";
export const UNDO = "fsck.undo";
/** The undo file before it is whole. */
export const UNDO_DRAFT = "fsck.undo.new";
