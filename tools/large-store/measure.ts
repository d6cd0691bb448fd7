/**
 * The time and the memory that a command takes, its children included: all of their resident pages
 * are added up again and again while it runs, those that they share once. A page of a file that is
 * mapped counts, although the system takes it back when it needs it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const SAMPLE_EVERY_MS = 5;

export interface Measured {
  seconds: number;
  /** Resident memory of the process and its children together, at its peak. */
  peakBytes: number;
  /** The peak of that part which is not a file's. */
  peakAnonymousBytes: number;
  code: number | null;
}

export async function measure([program, ...args]: readonly string[]): Promise<Measured> {
  const began = performance.now();
  const child = spawn(program!, args, { stdio: ["ignore", "inherit", "inherit"] });
  let running = true;
  const ended = once(child, "close").then(([code]) => {
    running = false;
    return code as number | null;
  });
  let [peakBytes, peakAnonymousBytes] = [0, 0];
  while (running) {
    const { all, anonymous } = memoryOf(child.pid!);
    peakBytes = Math.max(peakBytes, all);
    peakAnonymousBytes = Math.max(peakAnonymousBytes, anonymous);
    await sleep(SAMPLE_EVERY_MS);
  }
  const seconds = (performance.now() - began) / 1000;
  return { seconds, peakBytes, peakAnonymousBytes, code: await ended };
}

/** Of a process and all below it; one that has just ended has none. */
function memoryOf(pid: number): { all: number; anonymous: number } {
  let [all, anonymous] = [0, 0];
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    const field = (name: string): number =>
      1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(rollup)?.[1] ?? 0);
    all = field("Pss");
    anonymous = field("Pss_Anon");
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    for (const child of children === "" ? [] : children.split(" ")) {
      const more = memoryOf(Number(child));
      all += more.all;
      anonymous += more.anonymous;
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ESRCH") throw error;
  }
  return { all, anonymous };
}
