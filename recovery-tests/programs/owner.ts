/** A process that has a store open, or was refused, and does what it is told. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { programAt } from "./oracle.ts";

/** A stopped owner must not make another opener wait: an answer takes seconds at most. */
const ANSWER_MAX_MS = 20_000;

export class Owner {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  private constructor(path: string, mode: "write" | "read", directory: string) {
    const args = [programAt("store-owner.js"), path, mode];
    this.#child = spawn(process.execPath, args, { cwd: directory });
    this.#child.stdin.on("error", () => undefined);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Starts one; `answer` is `open`, or the code of the refusal. */
  static async start(
    path: string,
    mode: "write" | "read" = "write",
    directory: string = process.cwd(),
  ): Promise<{ owner: Owner; answer: string }> {
    const owner = new Owner(path, mode, directory);
    return { owner, answer: await owner.#answer() };
  }

  /** Does what a line says and returns the answer. */
  async tell(line: string): Promise<string> {
    this.#child.stdin.write(`${line}\n`);
    return this.#answer();
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#child.kill(signal);
  }

  /** Kills it, and waits until it is gone. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
  }

  async #answer(): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve("no answer"), ANSWER_MAX_MS);
    });
    try {
      const next = this.#lines.next().then(({ value, done }) => (done ? "ended" : value));
      return await Promise.race([next, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
