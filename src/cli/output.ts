/**
 * Standard output: bytes and lines, with backpressure. Where nobody reads any more (`| head`), the
 * run is interrupted quietly; any other failure of the output is an error like every other.
 */
import type { Writable } from "node:stream";
import { KiB } from "../base/units.ts";
import type { Interruption } from "./interruption.ts";

/** Lines are gathered up to about this many characters before they are written. */
const GATHER: number = 64 * KiB;

export class Output {
  readonly #stream: Writable;
  readonly #interruption: Interruption;
  #lines: string[] = [];
  #gathered = 0;
  #failure: Error | undefined;
  #insists = false;

  constructor(stream: Writable, interruption: Interruption) {
    this.#stream = stream;
    this.#interruption = interruption;
    stream.on("error", (error: NodeJS.ErrnoException) => {
      this.#failure ??= this.#failureOf(error);
    });
  }

  /** What is still to be put out is, though the run is interrupted; a second signal ends it. */
  insist(): void {
    this.#insists = true;
  }

  /** Writes bytes and resolves when the system has taken them. */
  async bytes(chunk: Uint8Array): Promise<void> {
    await this.#flushLines();
    await this.#write(chunk);
  }

  async line(text: string): Promise<void> {
    this.#lines.push(text);
    this.#gathered += text.length + 1;
    if (this.#gathered >= GATHER) await this.#flushLines();
  }

  /** A line that whoever reads along has at once. */
  async lineNow(text: string): Promise<void> {
    await this.line(text);
    await this.#flushLines();
  }

  /** One document of JSON, indented for people. */
  async json(value: unknown): Promise<void> {
    await this.line(JSON.stringify(value, null, 2));
  }

  /** An array of JSON, an element on each line, however many there are. */
  async jsonArray(values: Iterable<unknown> | AsyncIterable<unknown>): Promise<void> {
    let former: string | undefined;
    for await (const value of values) {
      if (former !== undefined) await this.line(`${former},`);
      former = `${former === undefined ? "[" : " "}${JSON.stringify(value)}`;
    }
    await this.line(former === undefined ? "[]" : `${former}]`);
  }

  /** Everything is out when it resolves. */
  async finish(): Promise<void> {
    await this.#flushLines();
  }

  async #flushLines(): Promise<void> {
    if (this.#lines.length === 0) return;
    const text = this.#lines.join("\n") + "\n";
    this.#lines = [];
    this.#gathered = 0;
    await this.#write(text);
  }

  async #write(chunk: Uint8Array | string): Promise<void> {
    const signal = this.#insists ? new AbortController().signal : this.#interruption.signal;
    signal.throwIfAborted();
    if (this.#failure) throw this.#failure;
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => reject(signal.reason as Error);
      signal.addEventListener("abort", abort, { once: true });
      this.#stream.write(chunk, (error) => {
        signal.removeEventListener("abort", abort);
        if (!error) resolve();
        else reject(signal.aborted ? (signal.reason as Error) : this.#failureOf(error));
      });
    });
  }

  /** What a failed write comes to: who has left is an interruption, and nobody is told of it. */
  #failureOf(error: NodeJS.ErrnoException): Error {
    if (error.code !== "EPIPE") return error;
    this.#interruption.interrupt("SIGPIPE");
    return this.#interruption.signal.reason as Error;
  }
}
