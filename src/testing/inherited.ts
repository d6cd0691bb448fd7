/**
 * What the threads of a process share and a forked process gets a copy of, in a system-call trace:
 * its table of descriptors, its memory.
 */
import { wordsOf } from "./call-arguments.ts";
import type { SystemCall } from "./strace-log.ts";

export interface InheritedOptions<T> {
  /** The flag of `clone` with which a new thread shares it. */
  flag: "CLONE_FILES" | "CLONE_VM";
  /** What a process begins with that nobody in the trace has started. */
  first: () => T;
  copy: (value: T) => T;
}

export class Inherited<T> {
  readonly #options: InheritedOptions<T>;
  readonly #values = new Map<number, T>();
  /** The thread that made each thread, and whether the two share. */
  readonly #origins = new Map<number, { parent: number; shared: boolean }>();

  /** Looks for the births of threads ahead, since a child may act before its `clone` returns. */
  constructor(calls: readonly SystemCall[], options: InheritedOptions<T>) {
    this.#options = options;
    for (const call of calls) {
      const { thread, name, result } = call;
      if (!isClone(name) || result === undefined || result <= 0) continue;
      const shared = wordsOf(call).some((word) => word.includes(options.flag));
      this.#origins.set(result, { parent: thread, shared });
    }
  }

  /** Asked for a thread that was just born, it keeps from it what its parent changes later. */
  get(thread: number): T {
    const known = this.#values.get(thread);
    if (known !== undefined) return known;
    const origin = this.#origins.get(thread);
    const value = origin ? this.#from(origin) : this.#options.first();
    this.#values.set(thread, value);
    return value;
  }

  #from({ parent, shared }: { parent: number; shared: boolean }): T {
    const value = this.get(parent);
    return shared ? value : this.#options.copy(value);
  }

  /** From here on the thread has one of its own. */
  set(thread: number, value: T): void {
    this.#values.set(thread, value);
  }

  /** It stops sharing. */
  part(thread: number): void {
    this.set(thread, this.#options.copy(this.get(thread)));
  }
}

/** Whether a call makes a thread or a process. */
function isClone(name: string): boolean {
  return name === "clone" || name === "clone3" || name === "fork" || name === "vfork";
}
