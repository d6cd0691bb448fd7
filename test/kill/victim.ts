/**
 * The life and death of one loaded process: started ahead of time, since loading the library takes
 * longer than everything else, given its order, and killed at a chosen moment.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { type Line, type Order, parseLine } from "./operations.ts";

/** When to kill: so many milliseconds after the `count`th line of a kind. */
export interface Moment {
  after: "opening" | "open" | "operation" | "acknowledged" | "checkpoint";
  count: number;
  delay: number;
}

/** What a process said before it died. */
export interface LastWords {
  lines: Line[];
  /** `SIGKILL` unless it ended by itself. */
  signal: NodeJS.Signals | null;
  errors: string;
}

export class Victim {
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown[]>;
  #errors = "";

  constructor(program: string) {
    this.#child = spawn(process.execPath, [program], { stdio: "pipe" });
    this.#exit = once(this.#child, "exit");
    this.#child.stderr!.on("data", (chunk: Buffer) => (this.#errors += chunk.toString()));
    // A write to a process that has ended already is told by its exit.
    this.#child.stdin!.on("error", () => undefined);
  }

  /** Lets it work on a store until the moment comes. */
  async work(order: Order, moment: Moment): Promise<LastWords> {
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
    const lines: Line[] = [];
    let toCome = moment.count;
    for await (const line of wholeLines(this.#child.stdout!)) {
      lines.push(line);
      const kind = line.type === "note" ? line.text : line.type;
      if (kind === moment.after && --toCome === 0) setTimeout(() => this.kill(), moment.delay);
    }
    const [, signal] = (await this.#exit) as [number | null, NodeJS.Signals | null];
    return { lines, signal, errors: this.#errors };
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Resolves when the process is gone. */
  async gone(): Promise<void> {
    await this.#exit;
  }
}

/** The lines that were written to their end; what stands in one that was not was never begun. */
async function* wholeLines(output: Readable): AsyncGenerator<Line, void> {
  let rest = "";
  for await (const chunk of output.setEncoding("utf8")) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    for (const text of lines) yield parseLine(text);
  }
}
