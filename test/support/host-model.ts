/**
 * A host, and beside it the simplest thing that behaves the same: byte arrays by name. Random
 * operations go to both. After a crash the host must hold what the model held after one of the
 * commits from the last durable one on, and nothing in between.
 */
import assert from "node:assert/strict";
import { isBlockspaceError } from "../../src/base/errors.ts";
import type { Host } from "../../src/host/host.ts";
import { audit } from "../../src/testing-store/audit.ts";
import { fitted, type HostOperation, randomFrom, withBytes } from "./host-operations.ts";
import type { MemoryStore } from "./memory-store.ts";
import { pictureOf, type StatePicture } from "./state-digest.ts";

interface ModelSubvolume {
  bytes: Uint8Array;
  readOnly: boolean;
  family: number;
}

type Model = Map<string, ModelSubvolume>;

/** Operations on one writable subvolume. */
type OnWritable =
  "write" | "discard" | "writeZeroes" | "preallocate" | "resize" | "rollback" | "twoPhase";

/** The model as it was when commit `lsn` was the last. */
interface Moment {
  lsn: number;
  model: Model;
  digest: StatePicture | undefined;
}

export class HostModel {
  store: MemoryStore;
  host: Host;
  /** Also compare the whole state, reference counts and all, at every LSN. */
  readonly #digests: boolean;
  #model: Model = new Map();
  #moments: Moment[] = [{ lsn: 0, model: new Map(), digest: undefined }];
  #names = 0;
  /** A checkpoint was lost, and not both have been made since. */
  #lost = false;
  #lastAsked = 0;
  #cut: { seed: number; happened: boolean } | undefined;
  /** Operations refused for want of space, by both alike in effect. */
  refused = 0;
  /** Bytes that the store has been promised to have. */
  #capacity = 0;

  private constructor(store: MemoryStore, host: Host, digests: boolean) {
    this.store = store;
    this.host = host;
    this.#digests = digests;
  }

  static async start(store: MemoryStore, digests: boolean): Promise<HostModel> {
    const model = new HostModel(store, await store.open(), digests);
    model.#watch();
    return model;
  }

  /**
   * Notes the LSN of every commit that a caller asked for; the background makes some of its own.
   */
  #watch(): void {
    const engine = this.store.engineOf(this.host);
    const commit = engine.commitNow.bind(engine);
    engine.commitNow = (plan) => {
      const lsn = commit(plan);
      const background = new Set(["reclaim", "relocate"]);
      const asked = plan.changes.some(
        (change) => change.type !== "record" || !background.has(change.record.type),
      );
      if (asked) this.#lastAsked = lsn;
      return lsn;
    };
  }

  /** Carries one operation out on both, and checks what can be checked at once. */
  async run(operation: HostOperation): Promise<void> {
    try {
      await this.#run(operation);
    } catch (error) {
      if (isBlockspaceError(error, "ENOSPC")) this.refused++;
      else if (!this.#cut?.happened || !isBlockspaceError(error, "EIO")) throw error;
    }
    this.#remember();
    if (this.#cut?.happened) await this.#restart(this.store.crash(randomFrom(this.#cut.seed)));
    this.#checkSpace();
  }

  /** Compares every subvolume byte for byte, and the state with itself. */
  async check(): Promise<void> {
    const names = this.host.list().map(({ name }) => name);
    assert.deepEqual(names.toSorted(), [...this.#model.keys()].toSorted());
    for (const [name, expected] of this.#model) {
      const subvolume = this.host.get(name);
      assert.equal(subvolume.size, expected.bytes.length, name);
      assert.equal(subvolume.readOnly, expected.readOnly, name);
      const bytes = await subvolume.read(0, subvolume.size);
      if (Buffer.compare(bytes, expected.bytes) !== 0) {
        const at = bytes.findIndex((byte, i) => byte !== expected.bytes[i]);
        assert.fail(`"${name}" differs at byte ${at}: ${bytes[at]} is not ${expected.bytes[at]}`);
      }
    }
    audit(this.store.engineOf(this.host).state);
  }

  async close(): Promise<void> {
    this.store.onOperation = undefined;
    this.store.onCommit = undefined;
    // It may have come behind the last operation, to what goes on in the background.
    if (this.#cut?.happened) await this.#restart(this.store.crash(randomFrom(this.#cut.seed)));
    await this.check();
    await this.host.close();
  }

  async #run(operation: HostOperation): Promise<void> {
    switch (operation.type) {
      case "create": {
        const name = this.#newName();
        await this.host.create(name, { size: operation.size });
        const bytes = new Uint8Array(operation.size);
        this.#model.set(name, { bytes, readOnly: false, family: this.host.get(name).id });
        return;
      }
      case "flush":
      case "checkpoint":
        await this.host[operation.type]();
        return;
      case "compact":
        await this.host.compact();
        return;
      case "grow":
        return this.#grow(operation.blocks);
      case "reopen":
        await this.host.close();
        this.host = await this.store.open();
        this.#watch();
        return this.check();
      case "kill":
        return this.#restart(this.store.killed());
      case "loseCheckpoint":
        return this.#loseCheckpoint(operation.name);
      case "crash":
        return this.#restart(this.store.crash(randomFrom(operation.seed)));
      case "cut":
        return this.#cutAfter(operation.after, operation.seed);
      case "transact":
        return this.#transact(operation);
      case "snapshot":
      case "clone":
      case "delete":
      case "rename":
        return this.#onName(operation);
      default:
        return this.#onWritable(operation);
    }
  }

  async #grow(blocks: number): Promise<void> {
    const capacity = this.host.statistics().capacity + blocks * this.store.layout.blockSize;
    await this.host.grow(capacity);
    this.#capacity = capacity;
  }

  /** One is promised to be enough; two checkpoints later another may be lost. */
  async #loseCheckpoint(name: "a" | "b"): Promise<void> {
    if (this.#lost) {
      await this.host.checkpoint();
      await this.host.checkpoint();
    }
    this.#lost = true;
    const store = this.store.killed();
    await (await store.environments.open(name, true)).close();
    await this.#restart(store);
  }

  /** From the `after`th operation on nothing reaches the medium any more. */
  #cutAfter(after: number, seed: number): void {
    const cut = { seed, happened: false };
    this.#cut = cut;
    let left = after;
    const strike = (): void => {
      if (left-- > 0) return;
      cut.happened = true;
      throw new Error("the power is gone");
    };
    this.store.onOperation = strike;
    this.store.onCommit = strike;
  }

  async #onName(
    operation: Extract<HostOperation, { type: "snapshot" | "clone" | "delete" | "rename" }>,
  ): Promise<void> {
    const name = this.#pick([...this.#model.keys()], operation.on);
    if (name === undefined) return;
    const entry = this.#model.get(name)!;
    const other = this.#newName();
    if (operation.type === "delete") {
      await this.host.delete(name);
      this.#model.delete(name);
    } else if (operation.type === "rename") {
      await this.host.rename(name, other);
      this.#model.delete(name);
      this.#model.set(other, entry);
    } else {
      await this.host[operation.type](name, other);
      const readOnly = operation.type === "snapshot";
      this.#model.set(other, { ...entry, bytes: entry.bytes.slice(), readOnly });
    }
  }

  async #onWritable(operation: Extract<HostOperation, { type: OnWritable }>): Promise<void> {
    const name = this.#pick(this.#writable(), operation.on);
    if (name === undefined) return;
    const entry = this.#model.get(name)!;
    const subvolume = this.host.get(name);
    const change = (bytes: Uint8Array): void => void this.#model.set(name, { ...entry, bytes });
    switch (operation.type) {
      case "write": {
        const { at, data } = fitted(operation, entry.bytes.length);
        await subvolume.write(at, data);
        return change(withBytes(entry.bytes, at, data));
      }
      case "discard":
      case "writeZeroes":
      case "preallocate": {
        const { at, data } = fitted({ ...operation, fill: 0 }, entry.bytes.length);
        await subvolume[operation.type](at, data.length);
        if (operation.type !== "preallocate") change(withBytes(entry.bytes, at, data));
        return;
      }
      case "resize": {
        await subvolume.resize(operation.size);
        const bytes = new Uint8Array(operation.size);
        bytes.set(entry.bytes.subarray(0, operation.size));
        return change(bytes);
      }
      case "rollback": {
        const snapshots = [...this.#model].filter(
          ([, s]) => s.readOnly && s.family === entry.family,
        );
        const source = this.#pick(snapshots, operation.to);
        if (!source) return;
        await this.host.rollback(name, source[0]);
        return change(source[1].bytes.slice());
      }
      case "twoPhase":
        return this.#twoPhase(name, operation);
    }
  }

  /** All five verbs; something else may happen between the submit and the commit. */
  async #twoPhase(
    name: string,
    operation: Extract<HostOperation, { type: "twoPhase" }>,
  ): Promise<void> {
    const { blockSize } = this.store.layout;
    const subvolume = this.host.get(name);
    const blocks = Math.floor(subvolume.size / blockSize);
    if (blocks === 0) return;
    const first = operation.at % blocks;
    const count = Math.min(operation.count, blocks - first);
    using cookie = await subvolume.reserve(count, blockSize);
    const offset = first * blockSize;
    const data = new Uint8Array(count * blockSize).fill(operation.fill);
    let at = 0;
    while (at < data.length) {
      const iomap = await subvolume.allocate(cookie, offset + at, data.length - at);
      await subvolume.submit(iomap, data.subarray(at, at + iomap.length));
      const entry = this.#model.get(name)!;
      const between = this.#newName();
      if (operation.between) {
        await this.host.snapshot(name, between);
        this.#model.set(between, { ...entry, bytes: entry.bytes.slice(), readOnly: true });
        this.#remember();
      }
      const mode = iomap.type === "unwritten" ? "unwritten" : "cow";
      await subvolume.commit(cookie, iomap.offset, iomap.length, mode);
      const part = data.subarray(at, at + iomap.length);
      this.#model.set(name, { ...entry, bytes: withBytes(entry.bytes, offset + at, part) });
      this.#remember();
      this.#checkSpace();
      at += iomap.length;
    }
  }

  async #transact(operation: Extract<HostOperation, { type: "transact" }>): Promise<void> {
    const draft: Model = new Map(this.#model);
    const snapshot = this.#newName();
    const before = this.#lastAsked;
    try {
      await this.host.transact((tx) => {
        for (const write of operation.writes) {
          const name = this.#pick(this.#writable(), write.on);
          if (name === undefined) return;
          const entry = draft.get(name)!;
          const { at, data } = fitted(write, entry.bytes.length);
          if (write.fill === 0) tx.discard(this.host.get(name), at, data.length);
          else tx.write(this.host.get(name), at, data);
          draft.set(name, { ...entry, bytes: withBytes(entry.bytes, at, data) });
        }
        const source = this.#pick([...draft.keys()], operation.on);
        if (source === undefined) return;
        tx.snapshot(source, snapshot);
        const entry = draft.get(source)!;
        draft.set(snapshot, { ...entry, bytes: entry.bytes.slice(), readOnly: true });
      });
    } finally {
      // It was ordered, then: also when its flush failed, a crash may keep it.
      if (this.#lastAsked > before) this.#model = draft;
    }
  }

  /** What a crash left is opened; the model goes back to the commit that was recovered. */
  async #restart(store: MemoryStore): Promise<void> {
    const { durableLsn } = this.store.engineOf(this.host).committer;
    this.#cut = undefined;
    this.store = store;
    this.host = await store.open();
    this.#watch();
    const { lastLsn } = this.host.recovery;
    const { capacity } = this.host.statistics();
    assert.ok(capacity >= this.#capacity, `it was to have ${this.#capacity}, not ${capacity}`);
    assert.ok(lastLsn >= durableLsn, `I1: ${durableLsn} was durable, ${lastLsn} is there`);
    this.#lastAsked = lastLsn;
    const index = this.#moments.findLastIndex(({ lsn }) => lsn <= lastLsn);
    const moment = this.#moments[index]!;
    this.#model = new Map(moment.model);
    this.#moments = this.#moments.slice(0, index + 1);
    await this.check();
    const now = this.#digest();
    const sameLsn = moment.lsn === lastLsn && moment.digest !== undefined;
    if (sameLsn && this.host.statistics().lastLsn === lastLsn) {
      assert.deepEqual(now, moment.digest, "I2: the state after replay is that at run time");
    }
  }

  #remember(): void {
    const lsn = this.#lastAsked;
    const settled = !this.#cut?.happened && this.store.engineOf(this.host).state.lsn === lsn;
    const digest = settled ? this.#digest() : undefined;
    this.#moments.push({ lsn, model: new Map(this.#model), digest });
  }

  #digest(): StatePicture | undefined {
    return this.#digests ? pictureOf(this.store.engineOf(this.host).state) : undefined;
  }

  #checkSpace(): void {
    const { free, reserved, staged, allocated, busy, capacity } = this.host.statistics();
    assert.equal(free + reserved + staged + allocated + busy, capacity, "I5");
    assert.ok(Math.min(free, reserved, staged, allocated, busy) >= 0, "I5");
  }

  #writable(): string[] {
    return [...this.#model].filter(([, { readOnly }]) => !readOnly).map(([name]) => name);
  }

  #pick<T>(from: readonly T[], index: number): T | undefined {
    return from[index % Math.max(1, from.length)];
  }

  #newName(): string {
    return `v${this.#names++}`;
  }
}
