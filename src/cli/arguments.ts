/** How arguments become values, and the options that several commands share. */
import { type Command, InvalidArgumentError } from "commander";
import { checkName } from "../base/arguments.ts";
import { BlockspaceError, isBlockspaceError, reasonIn } from "../base/errors.ts";
import { parseSize } from "../base/units.ts";

/** Arguments that make no sense, or not together: told as wrong usage, whatever the exit codes. */
export class UsageError extends BlockspaceError {
  constructor(reason: string) {
    super("EINVAL", reason);
  }
}

/** Looks at arguments before anything is done; what is wrong with them is wrong usage. */
export function asUsage<T>(look: () => T): T {
  return refusedAs(UsageError, look);
}

/** A refusal of `look` is told as an error of another kind, with the same reason. */
function refusedAs<T>(Refusal: new (reason: string) => Error, look: () => T): T {
  try {
    return look();
  } catch (error) {
    if (!isBlockspaceError(error)) throw error;
    throw new Refusal(reasonIn(error));
  }
}

/** A size or an offset in bytes, as `4096`, `512M` or `10GiB`. */
export function sizeArgument(text: string): number {
  return refusedAs(InvalidArgumentError, () => parseSize(text));
}

/** A name that is to be given. */
export function newNameArgument(text: string): string {
  return refusedAs(InvalidArgumentError, () => checkName(text));
}

/** A path; an empty one is most likely a variable that is not set. */
export function pathArgument(text: string): string {
  if (text === "") throw new InvalidArgumentError("allowed is a path");
  return text;
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
