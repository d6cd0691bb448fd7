/**
 * A transaction: calls over several subvolumes, gathered first and then carried out as one commit.
 * Each call sees what the calls before it did; when one cannot be carried out, none is.
 */
import { checkBytes, checkName, checkRange, show } from "../base/arguments.ts";
import { BlockspaceError } from "../base/errors.ts";
import type { SubvolumeEntry } from "../format/checkpoint-values.ts";
import type { Engine } from "./engine.ts";
import { Planner } from "./planner.ts";
import type { Plan } from "./plan.ts";
import type { Staging } from "./staging.ts";
import { Subvolume } from "./subvolume.ts";

type Step = (planner: Planner) => void | Promise<void>;

export class Transaction {
  readonly #engine: Engine;
  readonly #staging: Staging;
  readonly #forget: (id: number) => void;
  readonly #steps: Step[] = [];
  #ended = false;

  /** @internal Transactions come from {@link Host.transact}, which `forget`s what they delete. */
  constructor(engine: Engine, staging: Staging, forget: (id: number) => void) {
    this.#engine = engine;
    this.#staging = staging;
    this.#forget = forget;
  }

  /** As {@link Subvolume.write}; the data is copied. */
  write(subvolume: Subvolume, offset: number, data: Uint8Array): void {
    // Not `slice`, which copies nothing of a Buffer.
    const copy = new Uint8Array(checkBytes("data", data));
    this.#onSubvolume(subvolume, (planner, entry) => {
      checkRange(offset, copy.length, entry.size, entry.name);
      return planner.write(entry, offset, copy);
    });
  }

  /** As {@link Subvolume.discard}. */
  discard(subvolume: Subvolume, offset: number, length: number): void {
    this.#onSubvolume(subvolume, (planner, entry) => {
      checkRange(offset, length, entry.size, entry.name);
      planner.afterwards(() => this.#staging.invalidate(entry.id, offset, length));
      return planner.zero(entry, offset, length);
    });
  }

  /** As {@link Subvolume.writeZeroes}. */
  writeZeroes(subvolume: Subvolume, offset: number, length: number): void {
    this.discard(subvolume, offset, length);
  }

  /** As {@link Host.snapshot}: holds what the calls before it in the transaction wrote. */
  snapshot(source: string, name: string): void {
    this.#share("snapshot", source, name);
  }

  /** As {@link Host.clone}. */
  clone(source: string, name: string): void {
    this.#share("clone", source, name);
  }

  /** As {@link Host.rename}. */
  rename(name: string, to: string): void {
    checkName(name);
    checkName(to);
    this.#step((planner) => planner.rename(name, to));
  }

  /** As {@link Host.delete}. */
  delete(name: string): void {
    checkName(name);
    this.#step((planner) => {
      const { id } = planner.delete(name);
      planner.afterwards(() => this.#forget(id));
    });
  }

  /** @internal The plan of all that was gathered, which each call is checked for only now. */
  async plan(): Promise<Plan> {
    const planner = new Planner(this.#engine);
    for (const step of this.#steps) {
      await step(planner);
      const turn = this.#engine.turns.after(0);
      if (turn) await turn;
    }
    return planner.plan();
  }

  /** @internal No calls are taken any more. */
  end(): void {
    this.#ended = true;
  }

  #share(type: "snapshot" | "clone", source: string, name: string): void {
    checkName(source);
    checkName(name);
    this.#step((planner) => void planner.share(type, source, name));
  }

  #onSubvolume(
    subvolume: Subvolume,
    call: (planner: Planner, entry: SubvolumeEntry) => void | Promise<void>,
  ): void {
    if (!(subvolume instanceof Subvolume) || !subvolume.isOf(this.#engine)) {
      throw new BlockspaceError("EINVAL", `${show(subvolume)} is not a subvolume of this host`);
    }
    this.#step((planner) => call(planner, planner.writable(subvolume.id)));
  }

  #step(step: Step): void {
    if (this.#ended) {
      throw new BlockspaceError("EINVAL", "the transaction has ended; call it inside transact()");
    }
    this.#steps.push(step);
  }
}
