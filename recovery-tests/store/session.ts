/**
 * A host under work with the model beside it, and the marks that tell an oracle what was promised.
 *
 * Before an operation begins, the model after it is marked as a candidate: from here on a crash may
 * leave it. When a flush has resolved, everything before it is marked durable.
 */
import { setImmediate as immediate } from "node:timers/promises";
import { BlockspaceError, type Host, type Subvolume } from "blockspace";
import type { SimulatedDisk } from "blockspace/testing";
import { BLOCK, open, pattern, type Beginning } from "./geometry.ts";
import type { Mark, StoreModel } from "./model.ts";
import type { Step } from "./steps.ts";

/** Steps on one subvolume that may be written. */
type OnWritable = Extract<
  Step,
  {
    do:
      | "write"
      | "discard"
      | "writeZeroes"
      | "preallocate"
      | "resize"
      | "rollback"
      | "twoPhase"
      | "abandon";
  }
>;

/** Errors that a host answers with, and stays as it was. */
const refusals = ["ENOSPC", "EBUSY", "ESTALE"];
/** Operations after whose failure a host is to acknowledge nothing more (promise I7). */
const final: readonly string[] = ["write", "flush", "sync", "commit"];

/** Names are given in order, so that the same steps make the same ones. */
export class Session {
  readonly disk: SimulatedDisk;
  host: Host;
  model: StoreModel;
  readonly #prefix: string;
  #names = 0;
  /** Changes that failed for another reason than a refusal. */
  readonly #uncertain = new Set<StoreModel>();
  /** A write or sync has failed since the host was opened, whoever was told. */
  #deviceFailed = false;

  private constructor(disk: SimulatedDisk, host: Host, model: StoreModel, prefix: string) {
    this.#prefix = prefix;
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
    beginning?: Pick<Beginning, "model">,
    prefix = "v",
  ): Promise<Session> {
    const model = beginning?.model ?? new Map<string, never>();
    mark(disk, { candidate: model });
    if (beginning) mark(disk, { durable: model });
    const host = await open(disk, { create: !beginning });
    mark(disk, { durable: model });
    return new Session(disk, host, model, prefix);
  }

  /** Carries steps out; then flushes, so that the last one is promised, too. */
  async runAll(steps: readonly Step[]): Promise<void> {
    for (const [index, step] of steps.entries()) {
      mark(this.disk, { step: index });
      await this.#carryOut(step);
    }
    await this.run({ do: "flush" });
  }

  /**
   * The same on a disk that may fail. After the first failure the host is asked to flush: either it
   * refuses, and then everything else must be refused as well (promise I7), or it goes on, and then
   * the operation that failed has left no trace. After a failed write or sync it must not go on.
   */
  async runAllDespiteFaults(steps: readonly Step[]): Promise<void> {
    this.#watchDevice();
    for (const step of [...steps, { do: "flush" } as const]) {
      const before = this.model;
      let failed = false;
      try {
        await this.#carryOut(step);
      } catch (error) {
        expectTyped(error);
        failed = true;
      }
      if (!failed && !this.#deviceFailed) continue;
      // Whoever works in the background learns of it in this turn.
      await immediate();
      if (!(await this.#goesOn(failed ? before : this.model))) return this.#expectRefusals();
    }
    await this.#close();
  }

  /** Notes when a write or sync fails, in the foreground or in the background. */
  #watchDevice(): void {
    const given = this.disk.onOperation;
    this.disk.onOperation = (operation) => {
      const fault = given?.(operation);
      const isFailure = fault?.type === "fail" || fault?.type === "short";
      if (isFailure && final.includes(operation.kind)) this.#deviceFailed = true;
      return fault;
    };
  }

  /** A close that resolves has made everything durable. */
  async #close(): Promise<void> {
    const { model } = this;
    try {
      await this.host.close();
      mark(this.disk, { durable: model });
    } catch (error) {
      expectTyped(error);
    }
  }

  /** A refusal is an answer; anything else is thrown. */
  async #carryOut(step: Step): Promise<void> {
    try {
      await this.run(step);
    } catch (error) {
      if (!(error instanceof BlockspaceError) || !refusals.includes(error.code)) throw error;
    }
  }

  async #goesOn(before: StoreModel): Promise<boolean> {
    try {
      await this.host.flush();
    } catch (error) {
      expectTyped(error);
      return false;
    }
    if (this.#deviceFailed) {
      mark(this.disk, { wrong: "a flush was acknowledged after a write or sync had failed (I7)" });
    }
    for (const model of this.#uncertain) mark(this.disk, { refused: model });
    this.#uncertain.clear();
    this.model = before;
    mark(this.disk, { durable: before });
    return true;
  }

  async #expectRefusals(): Promise<void> {
    for (const what of ["flush", "checkpoint"] as const) {
      try {
        await this.host[what]();
        mark(this.disk, { wrong: `${what} was acknowledged after the device had failed (I7)` });
      } catch (error) {
        expectTyped(error);
      }
    }
    await this.#expectNoWrites();
    await this.#close();
  }

  async #expectNoWrites(): Promise<void> {
    try {
      const [name] = this.#writable();
      if (name === undefined) return;
      await this.host.get(name).write(0, new Uint8Array(1));
      mark(this.disk, { wrong: "a write was accepted after the device had failed (I7)" });
    } catch (error) {
      expectTyped(error);
    }
  }

  async run(step: Step): Promise<void> {
    switch (step.do) {
      case "together":
        await Promise.all(step.steps.map((one) => this.run(one)));
        return;
      case "flush": {
        const { model } = this;
        await this.host.flush();
        mark(this.disk, { durable: model });
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
      case "reopen":
        return this.#reopen();
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
    mark(this.disk, { durable: model });
    this.host = await open(this.disk);
    this.#deviceFailed = false;
  }

  /** Never wrong bytes (promise I6); what cannot be read is a typed error. */
  async #read(on: number): Promise<void> {
    const name = pick([...this.model.keys()], on);
    if (name === undefined) return;
    const { bytes } = this.model.get(name)!;
    const found = await this.host.get(name).read(0, bytes.length);
    if (Buffer.compare(found, bytes) === 0) return;
    const at = found.findIndex((byte, i) => byte !== bytes[i]);
    mark(this.disk, { wrong: `"${name}" reads ${found[at]} at byte ${at}, not ${bytes[at]}` });
  }

  async #rotate(): Promise<void> {
    const files = (): string => this.disk.list("/store/journal").join();
    const before = files();
    for (let i = 0; i < 64 && files() === before; i++) {
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
    const name = pick(this.#writable(), step.on);
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
        await this.#between(step);
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
    if (durable) mark(this.disk, { durable: after });
  }

  async #between(step: Extract<Step, { do: "twoPhase" }>): Promise<void> {
    if (step.between === "snapshot") await this.run({ do: "snapshot", on: step.on });
    if (step.between === "flush") await this.run({ do: "flush" });
    if (step.between === "write") {
      await this.run({ do: "write", on: step.on + 1, at: 0, length: BLOCK, salt: step.salt + 9 });
    }
  }

  async #transact(step: Extract<Step, { do: "transact" }>): Promise<void> {
    const [one, other] = this.#writable();
    if (one === undefined || other === undefined) return;
    const data = pattern(step.salt, step.length);
    const name = this.#newName();
    const after = new Map(this.model);
    for (const volume of [one, other]) {
      const { bytes } = after.get(volume)!;
      after.set(volume, { readOnly: false, bytes: put(bytes, 0, data.subarray(0, bytes.length)) });
    }
    after.set(name, { ...after.get(one)!, readOnly: true });
    await this.#change(after, () =>
      this.host.transact((tx) => {
        for (const volume of [one, other]) {
          const { size } = this.host.get(volume);
          tx.write(this.host.get(volume), 0, data.subarray(0, size));
        }
        tx.snapshot(one, name);
      }),
    );
    mark(this.disk, { durable: after });
  }

  /** One operation: a candidate before it begins, and nothing of it when it is refused. */
  async #change(after: StoreModel, work: () => Promise<unknown>): Promise<void> {
    const before = this.model;
    this.model = after;
    mark(this.disk, { candidate: after });
    try {
      await work();
    } catch (error) {
      if (this.model === after) this.model = before;
      if (error instanceof BlockspaceError && refusals.includes(error.code)) {
        mark(this.disk, { refused: after });
      } else this.#uncertain.add(after);
      throw error;
    }
  }

  #with(name: string, bytes: Uint8Array): StoreModel {
    return new Map(this.model).set(name, { readOnly: false, bytes });
  }

  #writable(): string[] {
    return [...this.model].filter(([, { readOnly }]) => !readOnly).map(([name]) => name);
  }

  #newName(): string {
    return `${this.#prefix}${this.#names++}`;
  }
}

export function mark(disk: SimulatedDisk, value: Mark): void {
  disk.mark(value);
}

function expectTyped(error: unknown): void {
  if (!(error instanceof BlockspaceError)) throw error;
}

function pick<T>(from: readonly T[], index: number): T | undefined {
  return from[index % Math.max(1, from.length)];
}

function within(
  { at, length }: { at: number; length: number },
  size: number,
): { at: number; length: number } {
  const start = at % size;
  return { at: start, length: Math.min(length, size - start) };
}

function put(bytes: Uint8Array, at: number, data: Uint8Array): Uint8Array {
  const after = new Uint8Array(bytes);
  after.set(data, at);
  return after;
}
