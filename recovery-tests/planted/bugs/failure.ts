/** Mistakes in what a host does when its device has failed (promise I7). */
import type { PlantedBug } from "../bug.ts";

export const failureBugs: readonly PlantedBug[] = [
  {
    name: "journal-sync-retried",
    file: "device/device.js",
    find: "await device.write(chunks, offset);\n        await device.flush();",
    replace:
      "await device.write(chunks, offset);\n        await device.flush().catch(() => device.flush());",
    mistake: "a failed sync of the journal is tried once more",
    first: 9,
  },
  {
    name: "data-sync-retried",
    file: "host/pending.js",
    find: "await this.#final(this.#device.flush());",
    replace: "await this.#final(this.#device.flush().catch(() => this.#device.flush()));",
    mistake: "a failed sync of the data is tried once more",
    first: 9,
  },
  {
    name: "failed-data-write-ignored",
    file: "host/pending.js",
    find: "await this.#final(this.#device.write(chunks, address));",
    replace: "await this.#final(this.#device.write(chunks, address).catch(() => undefined));",
    mistake: "data whose write failed counts as written",
    first: 8,
  },
  {
    name: "failed-journal-write-ignored",
    file: "journal/journal.js",
    find: "this.#failure = error;\n            throw error;",
    replace: "this.#failure = error;",
    mistake: "a frame whose write failed counts as durable",
    first: 8,
  },
  {
    name: "goes-on-after-a-failed-checkpoint",
    file: "host/checkpointer.js",
    find: 'throw health.failure ?? health.fail("a checkpoint", cause);',
    replace: "throw cause;",
    mistake: "a failed checkpoint is told to its caller, and the host goes on",
    first: 8,
  },
  {
    name: "goes-on-after-a-failed-data-write",
    file: "host/health.js",
    find: "throw this.fail(what, cause);",
    replace: "throw cause;",
    mistake: "a failed write of data is told to who waits for it, and the host goes on",
    first: 8,
  },
  {
    name: "failed-data-write-noted-late",
    file: "host/health.js",
    find: "throw this.fail(what, cause);",
    replace:
      "for (let turn = 0; turn < 20; turn++)\n                " +
      "await new Promise(setImmediate);\n            " +
      "throw this.fail(what, cause);",
    mistake: "a host goes on for a while after a data write has failed",
    first: 8,
  },
  {
    name: "goes-on-after-a-failed-journal-write",
    file: "host/committer.js",
    find: 'const error = this.#parts.health.fail("a journal write", cause);',
    replace: "const error = cause;",
    mistake: "a failed journal write is told to those who wait, and the host takes more changes",
    first: 8,
  },
  {
    name: "waiters-left-alone",
    file: "host/committer.js",
    find: "for (const batch of [...this.#sealed, this.#open])",
    replace: "for (const batch of this.#sealed.slice(0, 1))",
    mistake: "only the first batch is told that the journal has failed",
    first: 9,
  },
  {
    name: "rejection-unhandled",
    file: "host/checkpointer.js",
    find: "written.catch(() => undefined);",
    replace: "",
    mistake: "two parts of a checkpoint may fail, and one of them is not listened to",
    first: 8,
  },
  {
    name: "close-hides-a-failure",
    file: "host/host.js",
    find: "if (failure && engine.state.lsn > engine.committer.durableLsn)\n                throw failure;",
    replace: "",
    mistake: "a failed host closes without a word, although commits are lost",
    first: 8,
  },
];
