/**
 * A workload on a disk that fails. After the first failure the host is asked to flush: either it
 * refuses, and then everything else must be refused as well (promise I7), or it goes on, and then
 * the operation that failed has left no trace. After a failed write or sync it must not go on.
 */
import { setImmediate as immediate } from "node:timers/promises";
import { isBlockspaceError, type Host } from "blockspace";
import type { Operation } from "blockspace/testing";
import type { StoreModel } from "./model.ts";
import type { Session } from "./session.ts";
import type { Step } from "./steps.ts";

/** After the failure of one of these nothing more is to be acknowledged. */
const final: readonly Operation["kind"][] = ["write", "flush", "sync", "commit"];
/** Nothing on a simulated disk takes time: what has not ended by then never will. */
const HANG_TURNS = 20_000;
const KILL: Step = { do: "kill", after: 0, steps: [] };

/** Marks as wrong what no host may do, whatever its disk does: hang, throw what is no answer. */
export async function runDespiteFaults(session: Session, steps: readonly Step[]): Promise<void> {
  let hasEnded = false;
  const run = new Faulted(session).run(steps).then(
    () => (hasEnded = true),
    (error: unknown) => {
      hasEnded = true;
      session.mark({ wrong: `an error that is no answer: ${String(error)}` });
    },
  );
  const watch = async (): Promise<void> => {
    for (let turn = 0; turn < HANG_TURNS && !hasEnded; turn++) await immediate();
    if (!hasEnded) session.mark({ wrong: "the workload does not end" });
  };
  await Promise.race([run, watch()]);
}

class Faulted {
  readonly #session: Session;
  /** A write or sync of this host has failed, whoever was told. */
  #failed: Host | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  async run(steps: readonly Step[]): Promise<void> {
    const session = this.#session;
    this.#watchDisk();
    for (const step of [...steps, { do: "flush" } as const]) {
      const before = session.model;
      let isRefused = false;
      try {
        await session.carryOut(step);
      } catch (error) {
        expectTyped(error);
        isRefused = true;
      }
      if (session.isDead) return;
      if (!isRefused && !this.#hasFailed) continue;
      // Whoever works in the background learns of it in this turn.
      await immediate();
      const goesOn = await this.#goesOn(isRefused ? before : session.model);
      if (!goesOn) {
        await this.#expectRefusals();
        return this.#startOver();
      }
    }
    await this.#close();
  }

  /** A host that has failed is to be opened again: what it left in the system's cache is there. */
  async #startOver(): Promise<void> {
    const write = { do: "write", on: 0, at: 0, length: 700, salt: 77 } as const;
    for (const step of [KILL, write, { do: "flush" } as const]) {
      if (await this.#refuses(() => this.#session.carryOut(step))) return;
    }
  }

  get #hasFailed(): boolean {
    return this.#failed === this.#session.host;
  }

  #watchDisk(): void {
    const { disk } = this.#session;
    const given = disk.onOperation;
    disk.onOperation = (operation) => {
      const fault = given?.(operation);
      const isFailure = fault?.type === "fail" || fault?.type === "short";
      if (isFailure && final.includes(operation.kind)) this.#failed = this.#session.host;
      return fault;
    };
  }

  async #goesOn(before: StoreModel): Promise<boolean> {
    if (await this.#refuses((host) => host.flush())) return false;
    if (this.#hasFailed) this.#tooMuch("a flush was acknowledged");
    this.#session.takeBack(before);
    return true;
  }

  async #expectRefusals(): Promise<void> {
    const [name] = this.#session.writable();
    const attempts: Record<string, (host: Host) => Promise<unknown>> = {
      ...(name === undefined
        ? {}
        : { "a write was accepted": (host) => host.get(name).write(0, new Uint8Array(1)) }),
      "a flush was acknowledged": (host) => host.flush(),
      "a checkpoint was acknowledged": (host) => host.checkpoint(),
    };
    for (const [what, attempt] of Object.entries(attempts)) {
      if (!(await this.#refuses(attempt))) this.#tooMuch(what);
    }
    await this.#close();
  }

  async #refuses(attempt: (host: Host) => Promise<unknown>): Promise<boolean> {
    try {
      await attempt(this.#session.host);
      return false;
    } catch (error) {
      expectTyped(error);
      return true;
    }
  }

  /** A close that resolves has made everything durable that did not fail. */
  async #close(): Promise<void> {
    const { model, failures } = this.#session;
    const isClosed = !(await this.#refuses((host) => host.close()));
    if (isClosed && failures === 0) this.#session.mark({ durable: model });
  }

  #tooMuch(what: string): void {
    this.#session.mark({ wrong: `${what} after a write or sync had failed (I7)` });
  }
}

function expectTyped(error: unknown): void {
  if (!isBlockspaceError(error)) throw error;
}
