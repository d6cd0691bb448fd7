/** Mistakes in group commit and in the way of data to its place. */
import type { PlantedBug } from "../bug.ts";

const COMMITTER = "host/committer.js";
const PENDING = "host/pending.js";

export const commitBugs: readonly PlantedBug[] = [
  {
    name: "acknowledged-before-the-flush",
    file: COMMITTER,
    find: "this.#start();\n        return batch.done;",
    replace: "this.#start();\n        return Promise.resolve();",
    mistake: "those who wait for a batch are told before it is durable",
  },
  {
    name: "flush-ignores-sealed-batches",
    file: COMMITTER,
    find: "const batch = this.#open.commits > 0 ? this.#open : this.#sealed.at(-1);",
    replace: "const batch = this.#open.commits > 0 ? this.#open : undefined;",
    mistake: "a flush does not wait for a batch that is on its way",
    first: 2,
  },
  {
    name: "flush-ignores-the-queue",
    file: "host/engine.js",
    find: "if (this.sequencer.idle)\n            return this.committer.flush(joins);",
    replace: "return this.committer.flush(joins);",
    mistake: "a flush does not wait for changes that wait for their turn",
    first: 2,
  },
  {
    name: "data-not-flushed-before-its-frame",
    file: COMMITTER,
    find: "await batch.written;\n            await pending.flush();",
    replace: "await batch.written;",
    mistake: "a frame becomes durable before the data that it refers to",
    first: 2,
  },
  {
    name: "data-not-written-before-its-frame",
    file: COMMITTER,
    find: "batch.written = this.#parts.pending.writeOut(true);",
    replace: "batch.written = Promise.resolve();",
    mistake: "a batch that does not carry its data does not write it either",
    first: 2,
  },
  {
    name: "data-write-not-awaited",
    file: COMMITTER,
    find: "await batch.written;\n            await pending.flush();",
    replace: "await pending.flush();",
    mistake: "data is flushed before all of it is written",
    first: 2,
  },
  {
    name: "submitted-data-taken-for-inline",
    file: "host/records.js",
    find: 'return plan.changes.some((change) => change.type === "record" && change.submitted === true);',
    replace: "return false;",
    mistake: "a commit of staged blocks does not flush them first",
  },
  {
    name: "submit-acknowledged-early",
    file: "host/staging.js",
    find: "await this.#tracked(cookie, writing);",
    replace: "this.#tracked(cookie, writing).catch(() => undefined);",
    mistake: "submit() resolves before its data has reached the device",
    first: 8,
  },
  {
    name: "earlier-write-out-not-awaited",
    file: PENDING,
    find: "before.then(() => this.#write(runs, durable))",
    replace: "this.#write(runs, durable)",
    mistake: "a write-out does not wait for the one before, which has some of its blocks",
    first: 2,
  },
  {
    name: "pending-data-dropped-at-once",
    file: PENDING,
    find: "this.#writing.unshift(writeOut);",
    replace: "",
    mistake: "data leaves memory when its write begins, not when it has ended",
    first: 2,
  },
  {
    name: "memory-of-pending-data-used-again",
    file: PENDING,
    find: "const written = before.then(() => this.#write(runs, durable));",
    replace:
      "runs.forEach(({ slots }) => slots.forEach((run) => this.memory.release(run)));\n" +
      "        const written = before.then(() => this.#write(runs, durable));",
    mistake: "memory is given to other data before its own has been written",
    first: 2,
  },
  {
    name: "memory-of-a-frame-used-again",
    file: COMMITTER,
    find: "memory.retain(run);",
    replace: "",
    mistake: "the memory of data that is to travel in a frame is given to other data",
    first: 2,
  },
  {
    name: "transaction-not-flushed",
    file: "host/host.js",
    find: "await this.#engine.submit(() => transaction.plan(), options.signal);\n        await untilAborted(this.#engine.flush(), options);",
    replace: "await this.#engine.submit(() => transaction.plan(), options.signal);",
    mistake: "transact() resolves before its commit is durable",
  },
  {
    name: "transaction-in-two-commits",
    file: "host/host.js",
    find: "await this.#engine.submit(() => transaction.plan(), options.signal);",
    replace:
      "const { committed, ...whole } = await transaction.plan();\n" +
      "        for (const change of whole.changes)\n" +
      "            await this.#engine.submit(() => ({ ...whole, changes: [change] }), options.signal);\n" +
      "        committed();",
    mistake: "each call of a transaction is a commit of its own",
    first: 2,
  },
  {
    name: "durable-commit-not-flushed",
    file: "host/subvolume.js",
    find: "if (options.durable)\n            await untilAborted(this.#engine.flush(), options);",
    replace: "",
    mistake: "commit() with durable: true resolves before the flush",
  },
];
