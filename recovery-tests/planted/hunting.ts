/** Hunts planted bugs, each in a process of its own, and says what caught them. */
import { type ChildProcess, fork } from "node:child_process";
import type { PlantedBug } from "./bug.ts";
import type { HuntMessage } from "./hunt.ts";

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
}

/** A hunt that says nothing for so long hangs: its cases take milliseconds. */
const HANG_MS = 30_000;

export interface HuntOptions {
  /** Seconds of the processor after which the hunt is given up. */
  seconds: number;
  signal?: AbortSignal;
}

/** Hunts one bug; without one, the store as it is. */
export async function huntOne(
  bug: PlantedBug | undefined,
  { seconds, signal }: HuntOptions,
): Promise<Catch> {
  const began = performance.now();
  const { PLANTED_BUG: _, ...env } = process.env;
  const loader = new URL("loader.ts", import.meta.url).href;
  const child = fork(new URL("hunt.ts", import.meta.url), [String(seconds), String(bug?.first)], {
    execArgv: ["--import", "tsx", "--import", loader],
    env: bug ? { ...env, PLANTED_BUG: bug.name } : env,
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    ...(signal ? { signal } : {}),
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

/** Hunts all, so many at a time. */
export async function huntAll(
  bugs: readonly PlantedBug[],
  options: HuntOptions & { processes: number; onCatch?: (caught: Catch) => void },
): Promise<Catch[]> {
  const catches: Catch[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let at = next++; at < bugs.length; at = next++) {
      const caught = await huntOne(bugs[at], options);
      catches[at] = caught;
      options.onCatch?.(caught);
    }
  };
  await Promise.all(Array.from({ length: options.processes }, lane));
  return catches;
}

/** A change that cannot even run is no bug that somebody would ship. */
export function isBroken({ message }: Catch): boolean {
  return /\b(?:ReferenceError|SyntaxError)\b/.test(message);
}
