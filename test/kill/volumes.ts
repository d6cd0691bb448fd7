/**
 * Chooses what the load does next, and does it: every verb of the library, on the subvolumes that
 * are there. A subvolume is chosen only once the call that made it has resolved, and no more once
 * the call that takes it away was submitted; everything else overlaps as it likes.
 */
import { setImmediate } from "node:timers/promises";
import type { Host, Subvolume } from "../../src/index.ts";
import { bytesOf, type Operation, type Step } from "./operations.ts";
import { Stagings } from "./stagings.ts";
import type { Submit, Volume } from "./volume.ts";

const KiB = 1024;
const MOST_BYTES = 160 * KiB;
const MOST_VOLUMES = 16;

type Random = (limit: number) => number;

export class Volumes {
  readonly #host: Host;
  readonly #random: Random;
  readonly #submit: Submit;
  readonly #stagings: Stagings;
  readonly #verbs: readonly (() => void | Promise<void>)[];
  #volumes: Volume[];
  /** Subvolumes that are being made. */
  #coming = 0;

  constructor(host: Host, random: Random, submit: Submit) {
    this.#host = host;
    this.#random = random;
    this.#submit = submit;
    this.#stagings = new Stagings(random, submit);
    this.#volumes = host.list().map(({ name, size, readOnly }) => {
      return { name, size, readOnly, handle: host.get(name) };
    });
    const weights: [number, () => void | Promise<void>][] = [
      [30, () => this.#write()],
      [8, () => this.#zero()],
      [4, () => this.#preallocate()],
      [4, () => this.#resize()],
      [2, () => this.#create()],
      [6, () => this.#share("snapshot")],
      [4, () => this.#share("clone")],
      [3, () => this.#rename()],
      [6, () => this.#delete()],
      [4, () => this.#rollback()],
      [8, () => this.#transact()],
      [10, () => this.#stage()],
      [8, () => this.#stagings.commitOne()],
      [2, () => this.#stagings.putOne()],
    ];
    this.#verbs = weights.flatMap(([weight, verb]) => Array.from({ length: weight }, () => verb));
  }

  /** Submits one change, or nothing when there is nothing to change that way. */
  async change(): Promise<void> {
    if (this.#writable().length < 2) this.#create();
    await this.#oneOf(this.#verbs)!();
  }

  #write(): void {
    const volume = this.#oneOf(this.#writable());
    if (!volume) return;
    const step = this.#writeStep(volume);
    const data = bytesOf(step.fill, step.length);
    this.#submit(step, () => volume.handle.write(step.offset, data));
  }

  #zero(): void {
    const volume = this.#oneOf(this.#writable());
    if (!volume) return;
    const step = this.#zeroStep(volume);
    const { offset, length } = step;
    this.#submit(step, () =>
      this.#random(2) === 0
        ? volume.handle.discard(offset, length)
        : volume.handle.writeZeroes(offset, length),
    );
  }

  /** Changes no byte, but lets later writes and commits go to blocks that are there already. */
  #preallocate(): void {
    const volume = this.#oneOf(this.#writable());
    if (!volume) return;
    const { offset, length } = this.#range(volume, 64 * KiB);
    const nothing = { type: "transact", steps: [] } as const satisfies Operation;
    this.#submit(nothing, () => volume.handle.preallocate(offset, length));
  }

  #resize(): void {
    const volume = this.#oneOf(this.#writable());
    if (!volume) return;
    const size = this.#size();
    this.#stagings.drop(volume);
    volume.size = size;
    const { name, handle } = volume;
    this.#submit({ type: "resize", name, size }, () => handle.resize(size));
  }

  #create(): void {
    const name = this.#newName(`v${this.#random(2 ** 31).toString(36)}`);
    const size = this.#size();
    this.#make(size, false, { type: "create", name, size }, () =>
      this.#host.create(name, { size }),
    );
  }

  #share(type: "snapshot" | "clone"): void {
    const source = this.#oneOf(this.#volumes);
    if (!source || this.#volumes.length + this.#coming >= MOST_VOLUMES) return;
    const name = this.#newName(familyOf(source.name));
    const operation = { type, source: source.name, name };
    this.#make(source.size, type === "snapshot", operation, () =>
      this.#host[type](source.name, name),
    );
  }

  #rename(): void {
    const volume = this.#take(this.#volumes);
    if (!volume) return;
    const { name } = volume;
    const to = this.#newName(familyOf(name));
    volume.name = to;
    this.#submit({ type: "rename", name, to }, async () => {
      await this.#host.rename(name, to);
      this.#volumes.push(volume);
    });
  }

  #delete(): void {
    if (this.#volumes.length < MOST_VOLUMES / 2) return;
    const volume = this.#take(this.#volumes);
    if (!volume) return;
    this.#stagings.drop(volume);
    const { name } = volume;
    this.#submit({ type: "delete", name }, () => this.#host.delete(name));
  }

  #rollback(): void {
    const volume = this.#oneOf(this.#writable());
    if (!volume) return;
    const family = familyOf(volume.name);
    const snapshot = this.#oneOf(
      this.#volumes.filter(({ name, readOnly }) => readOnly && familyOf(name) === family),
    );
    if (!snapshot) return;
    this.#stagings.drop(volume);
    volume.size = snapshot.size;
    const operation = { type: "rollback", name: volume.name, snapshot: snapshot.name } as const;
    this.#submit(operation, () => this.#host.rollback(volume.name, snapshot.name));
  }

  /** Two subvolumes and sometimes a snapshot between the writes, as one commit. */
  async #transact(): Promise<void> {
    const writable = this.#writable();
    const first = this.#take(writable);
    const second = this.#take(writable);
    if (!first || !second) return;
    const steps: Step[] = [];
    for (let i = 2 + this.#random(3); i > 0; i--) {
      const volume = i % 2 === 0 ? first : second;
      steps.push(this.#random(3) === 0 ? this.#zeroStep(volume) : this.#writeStep(volume));
    }
    if (this.#random(3) === 0 && this.#volumes.length + this.#coming < MOST_VOLUMES) {
      const name = this.#newName(familyOf(first.name));
      const step = { type: "snapshot", source: first.name, name } as const;
      steps.splice(this.#random(steps.length), 0, step);
    }
    const byName = new Map([first, second].map(({ name, handle }) => [name, handle]));
    this.#submit({ type: "transact", steps }, async (acknowledge) => {
      await this.#runTransaction(steps, byName);
      acknowledge();
    });
    // A transaction is submitted when its callback has returned, not in the call itself.
    await setImmediate();
  }

  async #runTransaction(
    steps: readonly Step[],
    handles: ReadonlyMap<string, Subvolume>,
  ): Promise<void> {
    await this.#host.transact((tx) => {
      for (const step of steps) {
        if (step.type === "snapshot") tx.snapshot(step.source, step.name);
        else if (step.type === "zero") {
          tx.discard(handles.get(step.name)!, step.offset, step.length);
        } else {
          tx.write(handles.get(step.name)!, step.offset, bytesOf(step.fill, step.length));
        }
      }
    });
    for (const step of steps) {
      if (step.type !== "snapshot") continue;
      const handle = this.#host.get(step.name);
      this.#volumes.push({ name: step.name, size: handle.size, readOnly: true, handle });
    }
  }

  async #stage(): Promise<void> {
    const volume = this.#oneOf(this.#writable());
    if (volume) await this.#stagings.stage(volume);
  }

  /** Submits what makes a subvolume; it is chosen from when it is there. */
  #make(
    size: number,
    readOnly: boolean,
    operation: Operation & { name: string },
    make: () => Promise<Subvolume>,
  ): void {
    this.#coming++;
    this.#submit(operation, async () => {
      const handle = await make();
      this.#coming--;
      this.#volumes.push({ name: operation.name, size, readOnly, handle });
    });
  }

  #writeStep(volume: Volume): Step & { type: "write" } {
    const most = this.#random(6) === 0 ? 100 * KiB : 12 * KiB;
    const { offset, length } = this.#range(volume, most);
    this.#stagings.written(volume, offset, length);
    return { type: "write", name: volume.name, offset, length, fill: this.#random(2 ** 31) };
  }

  #zeroStep(volume: Volume): Step & { type: "zero" } {
    this.#stagings.drop(volume);
    return { type: "zero", name: volume.name, ...this.#range(volume, 64 * KiB) };
  }

  /** A range within a subvolume, every other one of whole blocks. */
  #range({ size }: Volume, most: number): { offset: number; length: number } {
    const offset = this.#random(size);
    const length = 1 + this.#random(Math.min(most, size - offset));
    if (this.#random(2) === 0) return { offset, length };
    const start = offset - (offset % 4096);
    const blocks = Math.ceil(length / 4096) * 4096;
    return { offset: start, length: Math.min(blocks, size - start) };
  }

  #size(): number {
    const bytes = 1 + this.#random(MOST_BYTES);
    return this.#random(2) === 0 ? bytes : Math.ceil(bytes / 4096) * 4096;
  }

  #writable(): Volume[] {
    return this.#volumes.filter(({ readOnly }) => !readOnly);
  }

  /** A name that nothing ever had; its first part tells who can be rolled back to whom. */
  #newName(family: string): string {
    return `${family}.${this.#random(2 ** 31).toString(36)}`;
  }

  #oneOf<T>(list: readonly T[]): T | undefined {
    return list[this.#random(list.length)];
  }

  /** Takes one out of the list. */
  #take(list: Volume[]): Volume | undefined {
    return list.splice(this.#random(list.length), 1)[0];
  }
}

function familyOf(name: string): string {
  return name.slice(0, name.indexOf("."));
}
