/**
 * Programs that answer questions, one line for each line: what a tester lets open crash states that
 * may be damaged beyond what a program survives. Starting a program takes longer than opening most
 * states, so each answers many questions; one that dies of a question is replaced.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { checkWhole } from "../base/arguments.ts";
import type { ProgramToRun } from "./strace.ts";

export interface ProgramPoolOptions extends Omit<ProgramToRun, "input"> {
  /** Programs at once; 2 unless told. */
  size?: number;
  /** One that takes longer over a question is killed; a minute unless told. */
  answerMaxMs?: number;
}

/** A line; or how the program died instead. */
export type Answer = { line: string } | { died: string };

interface Running {
  child: ChildProcess;
  answer: ((answer: Answer) => void) | undefined;
  errors: string;
}

export class ProgramPool {
  readonly #options: ProgramPoolOptions;
  readonly #idle: Running[] = [];
  readonly #all = new Set<Running>();
  readonly #waiting: ((running: Running) => void)[] = [];
  readonly #size: number;

  constructor(options: ProgramPoolOptions) {
    this.#options = options;
    this.#size = checkWhole("size", options.size ?? 2, 1);
    options.signal?.addEventListener("abort", () => this.close());
  }

  /** Questions at once: more of them wait. */
  get size(): number {
    return this.#size;
  }

  async ask(question: string): Promise<Answer> {
    this.#options.signal?.throwIfAborted();
    const running = await this.#take();
    const answer = await new Promise<Answer>((resolve) => {
      const limitMs = this.#options.answerMaxMs ?? 60_000;
      const timer = setTimeout(() => running.child.kill("SIGKILL"), limitMs);
      running.errors = "";
      running.answer = (given) => {
        clearTimeout(timer);
        running.answer = undefined;
        resolve(given);
      };
      running.child.stdin!.write(`${question}\n`);
    });
    if ("line" in answer) this.#give(running);
    return answer;
  }

  /** Ends all programs. */
  close(): void {
    for (const { child } of this.#all) child.kill("SIGKILL");
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #take(): Promise<Running> | Running {
    const idle = this.#idle.pop();
    if (idle) return idle;
    if (this.#all.size < this.#size) return this.#start();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #give(running: Running): void {
    const next = this.#waiting.shift();
    if (next) next(running);
    else this.#idle.push(running);
  }

  #start(): Running {
    const { command, args, env } = this.#options;
    const child = spawn(command, args ?? [], { env: { ...process.env, ...env }, stdio: "pipe" });
    const running: Running = { child, answer: undefined, errors: "" };
    this.#all.add(running);
    child.stderr.setEncoding("utf8").on("data", (text: string) => (running.errors += text));
    // A write to a program that has died is told by its end.
    child.stdin.on("error", () => undefined);
    createInterface({ input: child.stdout }).on("line", (line) => running.answer?.({ line }));
    child.on("error", (error) => this.#end(running, error.message));
    child.on("close", (code, signal) => this.#end(running, signal ?? `code ${code}`));
    return running;
  }

  #end(running: Running, how: string): void {
    if (!this.#all.delete(running)) return;
    const place = this.#idle.indexOf(running);
    if (place >= 0) this.#idle.splice(place, 1);
    const firstLine = running.errors.trim().split("\n", 1)[0];
    running.answer?.({ died: firstLine ? `${how}: ${firstLine}` : how });
    const next = this.#waiting.shift();
    if (next) next(this.#start());
  }
}
