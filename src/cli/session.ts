/** What every command of a run shares: the global options, the output, the way to say something. */
import { styleText } from "node:util";
import type { Interruption } from "./interruption.ts";
import { Output } from "./output.ts";

/** Options that every command takes. */
export interface GlobalOptions {
  /** Where the data of the store lies, when not in the store. */
  device?: string;
  /** Bytes for the journal of a store that is opened. */
  journalSize?: number;
  quiet?: boolean;
  verbose?: boolean;
}

/** How text is made to stand out. */
export type Colors = Readonly<Record<"bold" | "red", (text: string) => string>>;

export class Session {
  readonly interruption: Interruption;
  #output: Output | undefined;
  options: GlobalOptions = {};
  /** Something went wrong that the command could go on after; the exit code tells. */
  failed = false;
  /** What the user can do about the error that ends the run. */
  advice: string | undefined;
  /** The exit code of a command that has its own, whatever else was said. */
  exitCode: number | undefined;

  constructor(interruption: Interruption) {
    this.interruption = interruption;
    // Nobody is left to be told when stderr fails.
    process.stderr.on("error", () => undefined);
  }

  /**
   * Opened by the first who needs it: node makes a pipe non-blocking for all who share it, and a
   * server shares that of the program that started it.
   */
  get output(): Output {
    return this.#open();
  }

  /** Where the data of the store lies, as the library takes it; nothing when it is in the store. */
  get dataDevice(): Pick<GlobalOptions, "device"> {
    const { device } = this.options;
    return device === undefined ? {} : { device };
  }

  /** For standard output; they do nothing when that is no terminal. */
  get colors(): Colors {
    return colorsFor(process.stdout);
  }

  /** Text of the command line itself, as help is. */
  show(text: string): void {
    this.#open();
    process.stdout.write(text);
  }

  /** Everything that was put out is out when it resolves. */
  async finish(): Promise<void> {
    await this.#output?.finish();
  }

  /** Aborted when the run is to end early. */
  get signal(): AbortSignal {
    return this.interruption.signal;
  }

  /** Sees to it, too, that nobody reading any more is no error. */
  #open(): Output {
    this.#output ??= new Output(process.stdout, this.interruption);
    return this.#output;
  }

  /** A line on stderr that nothing keeps away. */
  tell(message: string): void {
    process.stderr.write(`${colorsFor(process.stderr).red("blockspace:")} ${message}\n`);
  }

  /** A line on stderr, unless it is to be quiet. */
  note(message: string): void {
    if (!this.options.quiet) process.stderr.write(`blockspace: ${message}\n`);
  }

  /** A line on stderr for those who asked for it. */
  detail(message: string): void {
    if (this.options.verbose) process.stderr.write(`blockspace: ${message}\n`);
  }

  /** What a command has to report: JSON where it is asked for, else lines unless it is quiet. */
  async report(json: boolean | undefined, value: unknown, lines: () => string[]): Promise<void> {
    if (json) await this.output.json(value);
    else if (!this.options.quiet) for (const line of lines()) await this.output.line(line);
  }
}

/** A stream that is no terminal has no `isTTY` at all; without a plain answer CI would decide. */
function colorsFor(stream: { isTTY?: boolean }): Colors {
  const { NO_COLOR, TERM } = process.env;
  const inColor = stream.isTTY === true && !NO_COLOR && TERM !== "dumb";
  const style = (format: "bold" | "red") => (text: string) =>
    inColor ? styleText(format, text, { validateStream: false }) : text;
  return { bold: style("bold"), red: style("red") };
}
