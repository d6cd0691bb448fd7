/** Mistakes in checkpoints: what they hold, and when they are made. */
import type { PlantedBug } from "../bug.ts";

const CHECKPOINTER = "host/checkpointer.js";

export const checkpointBugs: readonly PlantedBug[] = [
  {
    name: "trimmed-to-the-newest-checkpoint",
    file: CHECKPOINTER,
    find: "await journal.recycle(former);",
    replace: "await journal.recycle(this.#environments.lsn);",
    mistake: "the journal is trimmed to the newest checkpoint, not to the older one",
    first: 23,
  },
  {
    name: "trimmed-before-the-checkpoint",
    file: CHECKPOINTER,
    find: "const former = this.#environments.lsn;\n            await this.#write();",
    replace:
      "const former = this.#environments.lsn;\n            await journal.recycle(this.#parts.state.lsn);\n            await this.#write();",
    mistake: "the journal is trimmed before the checkpoint is durable",
    first: 2,
  },
  {
    name: "checkpoint-without-data-flush",
    file: CHECKPOINTER,
    find: "await written;\n        await pending.flush();",
    replace: "await written;",
    mistake: "a checkpoint refers to data that is not flushed",
    first: 1,
  },
  {
    name: "failed-write-before-checkpoint-ignored",
    file: CHECKPOINTER,
    find: "await written;\n        await pending.flush();",
    replace: "await written.catch(() => undefined);\n        await pending.flush();",
    mistake: "a checkpoint is made although its data could not be written",
    first: 8,
  },
  {
    name: "checkpoint-ahead-of-the-journal",
    file: CHECKPOINTER,
    find: "const journalChecksum = await sealed;",
    replace: "sealed.catch(() => undefined);\n        const journalChecksum = journal.checksum;",
    mistake: "a checkpoint does not wait for the journal to reach its LSN",
  },
  {
    name: "frozen-too-late",
    file: CHECKPOINTER,
    find: "const frozen = state.freeze();",
    replace: "await sealed;\n        const frozen = state.freeze();",
    mistake: "the state is frozen when the journal is flushed, not when the batch was sealed",
    first: 2,
  },
  {
    name: "written-out-too-late",
    file: CHECKPOINTER,
    find: "const written = pending.writeOut();\n        written.catch(() => undefined);\n        const frozen = state.freeze();",
    replace:
      "const frozen = state.freeze();\n        await sealed;\n        const written = pending.writeOut();\n        written.catch(() => undefined);",
    mistake: "what a checkpoint writes home is chosen after its state was frozen",
    first: 2,
  },
  {
    name: "frozen-value-changed-in-place",
    file: "checkpoint/table.js",
    find: "this.#frozen.has(id) ? this.#codec.copy(value) : value",
    replace: "value",
    mistake: "a commit changes a value that a running checkpoint has frozen",
  },
  {
    name: "last-turn-left-out",
    file: "checkpoint/delta.js",
    find: "for (const packed of lastChangedKeys) {",
    replace: "for (const packed of lastChangedKeys.slice(0, 0)) {",
    mistake: "an environment does not get what changed while it was not its turn",
  },
  {
    name: "changed-keys-out-of-date",
    file: "replay/state.js",
    find: "this.segments.thaw();\n        this.changedKeys = loadNumbers(environment, kinds.changedKeys);",
    replace: "this.segments.thaw();",
    mistake: "the list of what the last checkpoint changed is not brought up to date",
  },
  {
    name: "stale-environment-not-reset",
    file: CHECKPOINTER,
    find: "if (target && epoch === expected)",
    replace: "if (target)",
    mistake: "an environment that missed more than one turn is not written whole",
    first: 23,
  },
  {
    name: "seal-not-checked",
    file: "format/sealed-value.js",
    find: "if (isSealed(kind, id, value))",
    replace: "if (value.length >= SEAL_BYTES)",
    mistake: "a value of a checkpoint is believed whatever its checksum",
    first: 23,
  },
  {
    name: "missing-values-not-noticed",
    file: "replay/state.js",
    find: "value.allocatedBlocks === this.segments.allocated &&\n            value.busySegments === busySegments;",
    replace: "value.changedKeys === this.changedKeys.length;",
    mistake: "a checkpoint that lacks values is loaded all the same",
    first: 23,
  },
  {
    name: "no-checkpoint-on-closing",
    file: "host/host.js",
    find: "if (engine.state.lsn > engine.checkpointer.lsn)",
    replace: "if (engine.state.lsn > engine.committer.durableLsn)",
    mistake: "closing takes what is in the journal for checkpointed",
  },
];
