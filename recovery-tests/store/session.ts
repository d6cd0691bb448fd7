/**
 * A host under work with the model beside it, and the marks that tell an oracle what was promised.
 *
 * Before an operation begins, the model after it is marked as a candidate: from here on a crash may
 * leave it. When a flush has resolved, everything before it is marked durable.
 */
import { setImmediate as immediate } from "node:timers/promises";
import { BlockspaceError, type Host, type Subvolume, type Transaction } from "blockspace";
import type { SimulatedDisk, SimulatedHostOptions } from "blockspace/testing";
import { killedAfter } from "./kill.ts";
import { BLOCK, open, pattern, type Beginning } from "./geometry.ts";
import {
  allowedAfter,
  difference,
  everBegun,
  expectOneOf,
  type Found,
  type Mark,
  marksOn,
  readAll,
  type StoreModel,
} from "./model.ts";
import { allOf, pick, put, within } from "./ranges.ts";
import { type OnWritable, type Step, stepsBetween } from "./steps.ts";

/** Errors that a host answers with, and stays as it was. */
const refusals = ["ENOSPC", "EBUSY", "ESTALE"];

/** Names are given in order, so that the same steps make the same ones. */
export class Session {
  readonly disk: SimulatedDisk;
  host: Host;
  model: StoreModel;
  readonly #prefix: string;
  /** With what it opens the store. */
  readonly #options: SimulatedHostOptions;
  #names = 0;
  /** Changes that failed; and those of them that failed for another reason than a refusal. */
  failures = 0;
  readonly #uncertain = new Set<StoreModel>();
  /** The process was killed, and no other has taken its place. */
  #isDead = false;

  private constructor(
    disk: SimulatedDisk,
    host: Host,
    model: StoreModel,
    { prefix, options }: { prefix: string; options: SimulatedHostOptions },
  ) {
    this.#prefix = prefix;
    this.#options = options;
    this.disk = disk;
    this.host = host;
    this.model = model;
  }

  /**
   * Opens the store of a beginning, or makes one where there is none. Names that it gives begin
   * with `prefix`.
   */
  static async begin(
    disk: SimulatedDisk,
    beginning?: Omit<Beginning, "image"> & { isDurable?: boolean },
    prefix = "v",
  ): Promise<Session> {
    const model = beginning?.model ?? new Map<string, never>();
    disk.mark({ candidate: model });
    if (beginning && beginning.isDurable !== false) disk.mark({ durable: model });
    const { memory, journalSize } = beginning ?? {};
    const options = { ...(memory && { memory }), ...(journalSize && { journalSize }) };
    const host = await open(disk, { ...options, create: !beginning });
    disk.mark({ durable: model });
    return new Session(disk, host, model, { prefix, options });
  }

  /** Carries steps out; then flushes, so that the last is promised, too. */
  async runAll(steps: readonly Step[]): Promise<void> {
    for (const [index, step] of steps.entries()) {
      this.mark({ step: index });
      await this.carryOut(step);
    }
    await this.run({ do: "flush" });
  }

  /** A refusal is an answer; anything else is thrown. */
  async carryOut(step: Step): Promise<void> {
    try {
      await this.run(step);
    } catch (error) {
      if (!(error instanceof BlockspaceError) || !refusals.includes(error.code)) throw error;
    }
  }

  /** Whatever failed for another reason than a refusal has left no trace, as `before` has none. */
  takeBack(before: StoreModel): void {
    for (const model of this.#uncertain) this.mark({ refused: model });
    this.#uncertain.clear();
    this.model = before;
    this.mark({ durable: before });
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** What the process says that is at work; nothing when it was killed. */
  mark(value: Mark): void {
    if (!this.#isDead) this.disk.mark(value);
  }

  async run(step: Step): Promise<void> {
    if (this.#isDead) return undefined;
    switch (step.do) {
      case "together":
        return allOf(step.steps.map((one) => this.run(one)));
      case "flush": {
        const { model } = this;
        await this.host.flush();
        this.mark({ durable: model });
        return;
      }
      case "checkpoint":
        await this.host.checkpoint();
        return;
      case "read":
        return this.#read(step.on);
      case "compact":
        await this.host.compact();
        return;
      case "enlarge":
        await this.host.grow(this.host.statistics().capacity + step.blocks * BLOCK);
        return;
      case "reopen":
        return this.#reopen();
      case "kill":
        return this.#kill(step);
      case "rotate":
        return this.#rotate();
      case "create":
        return this.#create(step.size);
      case "transact":
        return this.#transact(step);
      case "snapshot":
      case "clone":
      case "delete":
      case "rename":
        return this.#onAny(step);
      default:
        return this.#onWritable(step);
    }
  }

  async #reopen(): Promise<void> {
    const { model } = this;
    await this.host.close();
    this.mark({ durable: model });
    this.host = await open(this.disk, this.#options);
  }

  /**
   * Carries steps out until so many operations have reached the disk, and the process is killed
   * there: for what is left of it every operation is in vain. Then another one opens the store. It
   * finds all that was written, little of it durable, and what it does not find is gone for good.
   */
  async #kill({ after, steps }: Extract<Step, { do: "kill" }>): Promise<void> {
    const isDead = (): boolean => this.#isDead;
    const die = (): void => void (this.#isDead = true);
    await killedAfter(this.disk, { after, isDead, die }, async () => {
      for (const step of steps) await this.carryOut(step);
    });
    this.#uncertain.clear();
    this.host = await open(this.disk, this.#options);
    const found = await readAll(this.host);
    // Who cannot read it does not know what is left; a device that fails may fail here, too.
    for (const [name, { errors }] of found) {
      for (const [at] of errors) throw new BlockspaceError("EIO", `"${name}" at ${at}`);
    }
    this.#takeOver(found);
  }

  /** Goes on with what was found; unless that is nothing that there ever was. */
  #takeOver(found: Found): void {
    const marks = marksOn(this.disk);
    this.#isDead = false;
    let allowed = allowedAfter(marks);
    try {
      this.model = expectOneOf(found, allowed);
    } catch (error) {
      this.mark({ lost: String(error) });
      allowed = everBegun(marks);
      this.#isDead = !allowed.some((model) => difference(found, model) === undefined);
      if (this.#isDead) return;
      this.model = expectOneOf(found, allowed);
    }
    for (const model of allowed.slice(allowed.lastIndexOf(this.model) + 1)) {
      this.mark({ refused: model });
    }
  }

  /**
   * Never wrong bytes (promise I6); what cannot be read is a typed error. Where a change that was
   * asked for before has failed meanwhile, it is not known what the read should find.
   */
  async #read(on: number): Promise<void> {
    const name = pick([...this.model.keys()], on);
    if (name === undefined) return;
    const { bytes } = this.model.get(name)!;
    const before = this.failures;
    const found = await this.host.get(name).read(0, bytes.length);
    if (Buffer.compare(found, bytes) === 0) return;
    await immediate();
    if (this.failures > before) return;
    const at = found.findIndex((byte, i) => byte !== bytes[i]);
    this.mark({ wrong: `"${name}" reads ${found[at]} at byte ${at}, not ${bytes[at]}` });
  }

  async #rotate(): Promise<void> {
    const { trace } = this.disk;
    const from = trace.length;
    const hasBegunFile = (): boolean =>
      trace.slice(from).some(({ operation: op }) => {
        return op.kind === "write" && op.offset === 0 && op.path.startsWith("/store/journal/");
      });
    for (let i = 0; i < 64 && !hasBegunFile(); i++) {
      await this.run({ do: "write", on: 0, at: i * BLOCK, length: 2 * BLOCK, salt: 100 + i });
      await this.run({ do: "flush" });
    }
  }

  async #create(size: number): Promise<void> {
    const name = this.#newName();
    const volume = { bytes: new Uint8Array(size), readOnly: false };
    await this.#change(new Map(this.model).set(name, volume), () =>
      this.host.create(name, { size }),
    );
  }

  async #onAny(
    step: Extract<Step, { do: "snapshot" | "clone" | "delete" | "rename" }>,
  ): Promise<void> {
    const name = pick([...this.model.keys()], step.on);
    if (name === undefined) return;
    const volume = this.model.get(name)!;
    const after = new Map(this.model);
    if (step.do === "delete") {
      after.delete(name);
      return this.#change(after, () => this.host.delete(name));
    }
    const other = this.#newName();
    if (step.do === "rename") after.delete(name);
    const readOnly = step.do === "rename" ? volume.readOnly : step.do === "snapshot";
    after.set(other, { ...volume, readOnly });
    return this.#change(after, () => this.host[step.do as "snapshot"](name, other));
  }

  async #onWritable(step: OnWritable): Promise<void> {
    const name = pick(this.writable(), step.on);
    if (name === undefined) return;
    const volume = this.host.get(name);
    const { bytes } = this.model.get(name)!;
    switch (step.do) {
      case "write": {
        const { at, length } = within(step, bytes.length);
        const data = pattern(step.salt, length);
        return this.#change(this.#with(name, put(bytes, at, data)), () => volume.write(at, data));
      }
      case "discard":
      case "writeZeroes": {
        const { at, length } = within(step, bytes.length);
        const after = this.#with(name, put(bytes, at, new Uint8Array(length)));
        return this.#change(after, () => volume[step.do](at, length));
      }
      case "preallocate": {
        const { at, length } = within(step, bytes.length);
        return volume.preallocate(at, length);
      }
      case "resize": {
        const after = new Uint8Array(step.size);
        after.set(bytes.subarray(0, step.size));
        return this.#change(this.#with(name, after), () => volume.resize(step.size));
      }
      case "rollback":
        return this.#rollback(name);
      case "twoPhase":
      case "abandon":
        return this.#twoPhase(name, volume, step);
    }
  }

  async #rollback(name: string): Promise<void> {
    const source = [...this.host.list()].find(
      (info) => info.readOnly && info.source === name && this.model.has(info.name),
    );
    if (!source) return;
    const { bytes } = this.model.get(source.name)!;
    await this.#change(this.#with(name, bytes), () => this.host.rollback(name, source.name));
  }

  async #twoPhase(
    name: string,
    volume: Subvolume,
    step: Extract<Step, { do: "twoPhase" | "abandon" }>,
  ): Promise<void> {
    const blocks = Math.floor(volume.size / BLOCK);
    if (blocks === 0) return;
    const first = Math.floor(step.at / BLOCK) % blocks;
    const count = Math.min(Math.ceil(step.length / BLOCK), blocks - first);
    const cookie = await volume.reserve(count, BLOCK);
    const data = pattern(step.salt, count * BLOCK);
    for (let done = 0; done < data.length;) {
      const offset = first * BLOCK + done;
      const iomap = await volume.allocate(cookie, offset, data.length - done);
      const part = data.subarray(done, done + iomap.length);
      await volume.submit(iomap, part);
      if (step.do === "twoPhase") {
        for (const one of stepsBetween(step)) await this.carryOut(one);
        const mode = iomap.type === "unwritten" ? "unwritten" : "cow";
        await this.#commit(name, { offset, part }, step.durable === true, (durable) =>
          volume.commit(cookie, offset, part.length, mode, { durable }),
        );
      }
      done += part.length;
    }
    if (step.do === "twoPhase" || step.put) cookie.put();
  }

  async #commit(
    name: string,
    { offset, part }: { offset: number; part: Uint8Array },
    durable: boolean,
    commit: (durable: boolean) => Promise<void>,
  ): Promise<void> {
    const { bytes } = this.model.get(name)!;
    const after = this.#with(name, put(bytes, offset, part));
    await this.#change(after, () => commit(durable));
    if (durable) this.mark({ durable: after });
  }

  async #transact(step: Extract<Step, { do: "transact" }>): Promise<void> {
    const [one, other] = this.writable();
    if (one === undefined || other === undefined) return;
    // Into blocks that the transaction has written before: within one, and over the end of one.
    const writes = [
      { at: 0, data: pattern(step.salt, step.length) },
      { at: 3, data: pattern(step.salt + 1, 40) },
      { at: 1004, data: pattern(step.salt + 2, 40) },
    ];
    const last = { at: 7, data: pattern(step.salt + 3, 40) };
    const name = this.#newName();
    const after = new Map(this.model);
    const write = (volume: string, { at, data }: (typeof writes)[number]): void => {
      const { bytes } = after.get(volume)!;
      const part = data.subarray(0, Math.max(0, bytes.length - at));
      if (part.length === 0) return;
      after.set(volume, { readOnly: false, bytes: put(bytes, at, part) });
      calls.push((tx) => tx.write(this.host.get(volume), at, part));
    };
    const calls: ((tx: Transaction) => void)[] = [];
    for (const volume of [one, other]) for (const each of writes) write(volume, each);
    after.set(name, { ...after.get(one)!, readOnly: true });
    calls.push((tx) => tx.snapshot(one, name));
    write(one, last);
    await this.#change(after, () =>
      this.host.transact((tx) => {
        for (const call of calls) call(tx);
      }),
    );
    this.mark({ durable: after });
  }

  /** One operation: a candidate before it begins, and nothing of it when it is refused. */
  async #change(after: StoreModel, work: () => Promise<unknown>): Promise<void> {
    const before = this.model;
    this.model = after;
    this.mark({ candidate: after });
    try {
      await work();
    } catch (error) {
      this.failures++;
      if (this.model === after) this.model = before;
      if (error instanceof BlockspaceError && refusals.includes(error.code)) {
        this.mark({ refused: after });
      } else this.#uncertain.add(after);
      throw error;
    }
  }

  #with(name: string, bytes: Uint8Array): StoreModel {
    return new Map(this.model).set(name, { readOnly: false, bytes });
  }

  /** The names of the subvolumes that may be written. */
  writable(): string[] {
    return [...this.model].filter(([, { readOnly }]) => !readOnly).map(([name]) => name);
  }

  #newName(): string {
    return `${this.#prefix}${this.#names++}`;
  }
}
