/** What every command of a run shares: the global options, the output, the way to say something. */
import picocolors from "picocolors";
import type { Interruption } from "./interruption.ts";
import { Output } from "./output.ts";

/** Options that every command takes. */
export interface GlobalOptions {
  /** Where the data of the store lies, when not in the store. */
  device?: string;
  quiet?: boolean;
  verbose?: boolean;
}

type Colors = ReturnType<typeof picocolors.createColors>;

export class Session {
  readonly interruption: Interruption;
  readonly output: Output;
  /** For standard output; they do nothing when that is no terminal. */
  readonly colors: Colors;
  options: GlobalOptions = {};
  /** Something went wrong that the command could go on after; the exit code tells. */
  failed = false;
  /** The exit code of a command that has its own, whatever else was said. */
  exitCode: number | undefined;

  constructor(interruption: Interruption) {
    this.interruption = interruption;
    this.output = new Output(process.stdout, interruption);
    this.colors = colorsFor(process.stdout);
    // Nobody is left to be told when stderr fails.
    process.stderr.on("error", () => undefined);
  }

  /** Aborted when the run is to end early. */
  get signal(): AbortSignal {
    return this.interruption.signal;
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
  return picocolors.createColors(stream.isTTY === true && !NO_COLOR && TERM !== "dumb");
}
