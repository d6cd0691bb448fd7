/** Hunts, each in a process of its own, for planted bugs and for what nobody knows of. */
import { type ChildProcess, fork } from "node:child_process";
import type { PlantedBug } from "./bug.ts";
import type { HuntJob, HuntMessage } from "./hunt.ts";

/** How a hunt ended. */
export interface Catch {
  bug: string;
  mistake: string;
  /** The row that caught it; `undefined` when it got away. */
  row: number | undefined;
  /** Crash states and other cases that were tried. */
  states: number;
  seconds: number;
  /** What was seen, and where, as far as there is a case to replay. */
  message: string;
  seed?: string;
  vector?: string;
  /** What the store without the bug does wrong in the same case: so the bug was not caught. */
  withoutBug?: string;
}

/** A hunt that says nothing for so long hangs: its cases take milliseconds. */
const HANG_MS = 30_000;

/** Hunts one bug; without one, in the store as it is. */
export async function huntOne(bug: PlantedBug | undefined, job: HuntJob): Promise<Catch> {
  const began = performance.now();
  const { PLANTED_BUG: _, ...env } = process.env;
  const loader = new URL("loader.ts", import.meta.url).href;
  const argument = JSON.stringify({ first: bug?.first, ...job } satisfies HuntJob);
  const child = fork(new URL("hunt.ts", import.meta.url), [argument], {
    execArgv: ["--import", "tsx", "--import", loader],
    env: bug ? { ...env, PLANTED_BUG: bug.name } : env,
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const end = await endOf(child);
  return {
    bug: bug?.name ?? "none",
    mistake: bug?.mistake ?? "none",
    seconds: (performance.now() - began) / 1000,
    ...end,
  };
}

type End = Omit<Catch, "bug" | "mistake" | "seconds">;

function endOf(child: ChildProcess): Promise<End> {
  return new Promise((resolve, reject) => {
    let begun = false;
    let last = { row: 0, states: 0 };
    let errors = "";
    let end: End | undefined;
    let timer: NodeJS.Timeout | undefined;
    const watch = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        end ??= { ...last, message: `nothing happened for ${HANG_MS / 1000} s` };
        child.kill("SIGKILL");
      }, HANG_MS);
    };
    watch();
    child.stderr?.on("data", (text: Buffer) => (errors += text.toString()));
    child.on("message", (message: HuntMessage) => {
      watch();
      if (message.type === "begun") begun = true;
      else if (message.type === "progress") last = { row: message.row, states: message.states };
      else if (message.type === "caught") end = message;
      else end = { row: undefined, states: message.states, message: "was not caught" };
    });
    child.once("error", reject);
    child.once("close", (_code, by) => {
      clearTimeout(timer);
      if (by && !end) reject(new Error(`a hunt was ended from outside, with ${by}`));
      else if (!begun) reject(new Error(`the hunt did not begin: ${errors}`));
      else resolve(end ?? { ...last, message: `the process ended: ${lastError(errors)}` });
    });
  });
}

function lastError(errors: string): string {
  return /^\w*Error.*$/m.exec(errors)?.[0] ?? errors.trim().split("\n")[0] ?? "";
}

/** Hunts all, so many at a time; tries what caught them without them as well. */
export async function huntAll(
  bugs: readonly PlantedBug[],
  options: { seconds: number; processes: number; onCatch?: (caught: Catch) => void },
): Promise<Catch[]> {
  const catches: Catch[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let at = next++; at < bugs.length; at = next++) {
      const caught = await huntOne(bugs[at], { seconds: options.seconds });
      catches[at] = { ...caught, ...(await withoutBug(caught)) };
      options.onCatch?.(caught);
    }
  };
  await Promise.all(Array.from({ length: options.processes }, lane));
  return catches;
}

/** A hang names no case to be tried. */
async function withoutBug({ seed }: Catch): Promise<Pick<Catch, "withoutBug">> {
  if (seed === undefined) return {};
  const { row, message } = await huntOne(undefined, { seconds: 1, only: seed });
  return row === undefined ? {} : { withoutBug: message };
}

/** A change that cannot even run is no bug that somebody would ship. */
export function isBroken({ message }: Catch): boolean {
  return /\b(?:ReferenceError|SyntaxError)\b/.test(message);
}
