/** A process that does one thing, says one line of JSON, and is killed: nothing ends in order. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { CleanUp } from "../clean-up.ts";

/** Starts one of the programs beside this file, waits for its message, and kills it. */
export async function answerOf<T>(
  cleanUp: CleanUp,
  program: string,
  args: readonly (string | number)[],
): Promise<T> {
  const path = fileURLToPath(new URL(program, import.meta.url));
  return cleanUp.within(async (inner) => {
    const child = fork(path, args.map(String), { execArgv: ["--import", "tsx"] });
    await inner.add(() => kill(child));
    const died = once(child, "exit").then(() => {
      throw new Error(`${program} ended without an answer`);
    });
    const [answer] = (await Promise.race([once(child, "message"), died])) as [T];
    died.catch(() => undefined);
    return answer;
  });
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, "close");
  child.kill("SIGKILL");
  await closed;
}
