/** The names of the files of a store, and of those that a repair makes. */

export const SUPERBLOCK = "superblock";
/** What the superblock is called while a repair in place has the store in pieces. */
export const SUPERBLOCK_AWAY = "superblock.fsck";
export const UNFINISHED = "superblock.new";
export const UNDO = "fsck.undo";
export const DATA = "data";
export const LOCK = "lock";
