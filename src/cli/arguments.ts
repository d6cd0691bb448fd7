/** How arguments become values, and the options that several commands share. */
import { type Command, InvalidArgumentError } from "commander";
import { messageOf } from "../base/errors.ts";
import { parseSize } from "../base/units.ts";

/** A size or an offset in bytes, as `4096`, `512M` or `10GiB`. */
export function sizeArgument(text: string): number {
  try {
    return parseSize(text);
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error).replace(/^EINVAL: /, ""));
  }
}

/** A size that is not nothing. */
export function someSizeArgument(text: string): number {
  const size = sizeArgument(text);
  if (size < 1) throw new InvalidArgumentError("allowed is 1 byte or more");
  return size;
}

/** What a command that reports can be asked for. */
export interface JsonOption {
  json?: boolean;
}

export function addJsonOption(command: Command): Command {
  return command.option("--json", "print JSON for programs");
}

/** Examples below a command's help, each a command line and what it does. */
export function addExamples(command: Command, ...examples: [line: string, what: string][]): void {
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = examples.map(([line, what]) => `  $ ${line.padEnd(width)}  # ${what}`);
  command.addHelpText("after", ["", "Examples:", ...lines].join("\n"));
}
