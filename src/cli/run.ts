/**
 * One run of the command line, from arguments to exit code: what was thrown anywhere below ends up
 * here, and nowhere else.
 */
import { isBlockspaceError, reasonIn } from "../base/errors.ts";
import { exitBits } from "../fsck/finding.ts";
import { Command, CommanderError } from "commander";
import { UsageError } from "./arguments.ts";
import { describeFailure, isEcho } from "./failure.ts";
import { Interruption } from "./interruption.ts";
import { buildProgram } from "./program.ts";
import { Session } from "./session.ts";

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;
/** Commands whose exit codes are bits, as those of fsck(8). */
const bitwise: ReadonlySet<string | undefined> = new Set(["check", "repair"]);

export interface RunResult {
  exitCode: number;
  /** A signal, or the end of whoever reads the output, ended it early. */
  interrupted: boolean;
}

export async function run(argv: readonly string[]): Promise<RunResult> {
  const interruption = new Interruption();
  const session = new Session(interruption);
  interruption.listen();
  try {
    const exitCode = await carryOut(buildProgram(new Command(), session), session, argv);
    if (session.exitCode !== undefined && interruption.signal.aborted) {
      return { exitCode: session.exitCode | exitBits.cancelled, interrupted: true };
    }
    const { exitCode: interruptedWith } = interruption;
    return { exitCode: interruptedWith ?? exitCode, interrupted: interruptedWith !== undefined };
  } finally {
    interruption.ignore();
  }
}

async function carryOut(
  program: Command,
  session: Session,
  argv: readonly string[],
): Promise<number> {
  try {
    await program.parseAsync(argv);
    await session.finish();
    return session.exitCode ?? (session.failed ? EXIT_FAILURE : 0);
  } catch (error) {
    const asBits = bitwise.has(commandIn(program, argv));
    // Commander has told the user already; help and version are no errors.
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? 0 : asBits ? exitBits.usage : EXIT_USAGE;
    }
    if (!isEcho(error, session.signal)) {
      const isUsage = error instanceof UsageError;
      const verbose = session.options.verbose === true;
      session.tell(isUsage ? reasonIn(error) : describeFailure(error, verbose));
      if (session.advice !== undefined) session.tell(session.advice);
    }
    // What was found before the error is shown; when the output is the error, it is told above.
    await session.finish().catch(() => undefined);
    if (!asBits) return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILURE;
    // What is wrong with a store is in its report; this is about the arguments.
    return isBlockspaceError(error, "EINVAL") ? exitBits.usage : exitBits.failure;
  } finally {
    session.interruption.tell((message) => session.tell(message));
  }
}

/** The name of the command; a word before it may be the value of an option. */
function commandIn({ args }: Command, argv: readonly string[]): string | undefined {
  const words = args.length > 0 ? args : argv.slice(2);
  return words.find((word) => !word.startsWith("-"));
}
