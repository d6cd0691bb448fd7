/**
 * The ways in which a run is ended from outside: a signal, or the end of whoever reads its output.
 * The first one aborts {@link Interruption.signal}, so that the command can undo what it has half
 * done and close the store. A second signal ends the process at once; the store survives that too.
 *
 * One Ctrl-C may arrive twice: the terminal gives it to all processes of a job, and npx, or a shell
 * script, passes on to us what it was given. So a second signal counts from half a second on.
 */
import { constants } from "node:os";

const watched = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Nobody who sees that once was not enough is as quick as this. */
const SAME_MS = 500;

/** What ended the run; `SIGPIPE` stands for output that nobody reads any more. */
export type Cause = (typeof watched)[number] | "SIGPIPE";

export class Interruption {
  readonly #controller = new AbortController();
  #cause: Cause | undefined;
  /** When the first signal came. */
  #signalledMs: number | undefined;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What a shell shows for a process that this signal has ended; nothing without one. */
  get exitCode(): number | undefined {
    return this.#cause && 128 + constants.signals[this.#cause];
  }

  listen(): void {
    for (const name of watched) process.on(name, this.#onSignal);
  }

  /** Signals end the process at once from now on. */
  ignore(): void {
    for (const name of watched) process.off(name, this.#onSignal);
  }

  interrupt(cause: Cause): void {
    this.#cause ??= cause;
    this.#controller.abort();
  }

  /** For a command that runs until it is told to end: a signal is how it ends well. */
  accept(): void {
    if (this.#cause !== "SIGPIPE") this.#cause = undefined;
  }

  /** Says what ended the run, if anything did that the user may wonder about. */
  tell(say: (message: string) => void): void {
    if (this.#cause && this.#cause !== "SIGPIPE") say(`interrupted by ${this.#cause}`);
  }

  readonly #onSignal = (name: NodeJS.Signals): void => {
    const nowMs = performance.now();
    if (this.#signalledMs === undefined) {
      this.#signalledMs = nowMs;
      this.interrupt(name as Cause);
    } else if (nowMs - this.#signalledMs >= SAME_MS) {
      this.ignore();
      process.kill(process.pid, name);
    }
  };
}
