/** Mistakes in replay and in opening. */
import type { PlantedBug } from "../bug.ts";

const REPLAY = "replay/replay.js";
const OPEN = "host/open.js";

export const recoveryBugs: readonly PlantedBug[] = [
  {
    name: "last-commit-not-replayed",
    file: REPLAY,
    find: "commits.forEach((commit) => applyCommit(",
    replace: "commits.slice(0, Math.max(1, commits.length - 1)).forEach((commit) => applyCommit(",
    mistake: "off by one: the last commit of a frame is not replayed",
  },
  {
    name: "inline-data-not-restored",
    file: OPEN,
    find: "    engine.pending.restore(replayed.restored);\n",
    replace: "",
    mistake: "data that is only in the journal is not taken up on opening",
    first: 6,
  },
  {
    name: "carried-data-outlives-its-block",
    file: REPLAY,
    find: "if (restored.size === 0)\n        return;",
    replace: "return;",
    mistake: "what the journal carried for a block long ago is taken for what it holds now",
    first: 25,
  },
  {
    name: "converted-data-not-restored",
    file: "format/journal-frame.js",
    find: 'record.type === "remap" || record.type === "convert"',
    replace: 'record.type === "remap"',
    mistake: "data of writes to preallocated blocks is not taken up on opening",
    first: 1,
  },
  {
    name: "doubtful-frame-not-waited-for",
    file: OPEN,
    find:
      "if (end.doubtful)\n            " +
      "engine.committer.holdUntil(engine.checkpointer.run(), end.durableLsn);",
    replace: "",
    mistake: "commits become durable behind a frame that may not be",
    first: 9,
  },
  {
    name: "doubtful-frame-not-flushed",
    file: OPEN,
    find: "if (end.doubtful)\n            await journal.secure(end.doubtful);",
    replace: "",
    mistake: "a frame that may not be durable is not flushed on opening",
    first: 23,
  },
  {
    name: "trimmed-on-opening",
    file: OPEN,
    find: "await journal.recycle(environments.olderLsn);",
    replace: "await journal.recycle(environments.lsn);",
    mistake: "an opening host trims the journal to the newest checkpoint",
    first: 23,
  },
  {
    name: "older-checkpoint-preferred",
    file: "replay/environments.js",
    find: "two.epoch - one.epoch",
    replace: "one.epoch - two.epoch",
    mistake: "the older checkpoint is used although the newer one is sound",
  },
  {
    name: "no-second-checkpoint",
    file: REPLAY,
    find: "for (const environments of found.starts) {",
    replace: "for (const environments of found.starts.slice(0, 1)) {",
    mistake: "the older checkpoint is not tried when the newest is damaged",
    first: 23,
  },
  {
    name: "damage-found-late",
    file: REPLAY,
    find: "believing(() => commits.forEach((commit) => applyCommit(state, commit)));",
    replace: "commits.forEach((commit) => applyCommit(state, commit));",
    mistake: "the older checkpoint is not tried when a commit finds the newest to be damaged",
    first: 23,
  },
];
