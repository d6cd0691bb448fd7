/**
 * Measures subjects in turn, A B C A B C, so that what else the machine does meets all of them. A
 * subject that is a process is stopped while others have their turn: work that it puts off is paid
 * in its own time. Between turns everything dirty is written out, on nobody's account.
 */
import { run } from "../demo/programs.ts";
import { progress } from "./progress.ts";
import type { Measured } from "./result.ts";

/** Something that can be measured; `pids` are its processes, stopped while it waits. */
export interface Subject {
  readonly name: string;
  readonly missing?: string;
  readonly pids?: readonly number[];
}

function signal(subject: Subject, name: "SIGSTOP" | "SIGCONT"): void {
  for (const pid of subject.pids ?? []) process.kill(pid, name);
}

/** Lets all of them run, or none. */
export function wake(subjects: readonly Subject[]): void {
  for (const subject of subjects) signal(subject, "SIGCONT");
}

export function rest(subjects: readonly Subject[]): void {
  for (const subject of subjects) signal(subject, "SIGSTOP");
}

export interface TurnOptions {
  rounds: number;
  /** What is measured, for the progress on stderr. */
  title: string;
  /** A file on the file system that everybody writes to. */
  place: string;
}

/** One sample for each subject and round. */
export async function inTurn<S extends Subject>(
  subjects: readonly S[],
  options: TurnOptions,
  measure: (subject: S, round: number) => Promise<number>,
): Promise<Measured[]> {
  const samples = new Map<S, number[]>(subjects.map((subject) => [subject, []]));
  rest(subjects);
  try {
    for (let round = 0; round < options.rounds; round++) {
      for (const subject of subjects) {
        if (subject.missing !== undefined) continue;
        progress(`${options.title}: ${subject.name}, round ${round + 1} of ${options.rounds}`);
        await run("sync", ["--file-system", options.place]);
        signal(subject, "SIGCONT");
        samples.get(subject)!.push(await measure(subject, round));
        signal(subject, "SIGSTOP");
      }
    }
  } finally {
    wake(subjects);
  }
  return subjects.map((subject) => ({
    subject: subject.name,
    samples: samples.get(subject)!,
    ...(subject.missing === undefined ? {} : { missing: subject.missing }),
  }));
}
