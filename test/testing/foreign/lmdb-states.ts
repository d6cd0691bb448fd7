/**
 * Every crash state of an lmdb program from its system calls, each opened by a real process: what
 * `lmdb.test.ts` runs with two sets of options.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  crashStates,
  fingerprintOfImage,
  formatVectors,
  ProgramPool,
  runProgram,
  type DiskImage,
  traceSystemCalls,
  writeImage,
} from "../../../src/testing.ts";
import { contentAfter, TRANSACTIONS } from "./lmdb-workload.js";

const fileOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Transactions that are committed before the trace begins. */
const BEFORE = 3;

export type Outcome = "sound" | "corrupt" | "error" | "death" | "lost";

export interface Verdicts {
  states: number;
  distinct: number;
  outcomes: Record<Outcome, number>;
  /** A vector for each kind of outcome. */
  examples: Partial<Record<Outcome, string>>;
}

/** `limit`: about so many states. */
export async function lmdbStates(
  flavour: "default" | "safe",
  directory: string,
  limit: number,
  seed = 1,
): Promise<Verdicts> {
  const program = [fileOf("lmdb-program.js"), flavour];
  const work = join(directory, "work");
  await mkdir(work);
  const command = process.execPath;
  await runProgram({ command, args: [...program, "1", String(BEFORE)] }, work);
  const args = [...program, String(BEFORE + 1), String(TRANSACTIONS)];
  // No crash needs to keep lmdb's lock file, which is mapped memory.
  const mayChangeUnseen = (path: string): boolean => path === "data.mdb-lock";
  const { disk } = await traceSystemCalls({
    command,
    args,
    directory: work,
    mark: Number,
    mayChangeUnseen,
  });

  const verdicts: Verdicts = {
    states: 0,
    distinct: 0,
    outcomes: { sound: 0, corrupt: 0, error: 0, death: 0, lost: 0 },
    examples: {},
  };
  const contents = Array.from({ length: TRANSACTIONS + 1 }, (_, count) =>
    serialize(contentAfter(count)),
  );
  using pool = new ProgramPool({ command, args: [fileOf("lmdb-reader.js"), flavour] });
  const known = new Map<number, Promise<Reading>>();
  const read = async (image: DiskImage): Promise<Reading> => {
    const path = join(directory, `state-${verdicts.distinct++}`);
    await writeImage(image, path);
    await rm(join(path, "data.mdb-lock"), { force: true });
    const answer = await pool.ask(join(path, "data.mdb"));
    await rm(path, { recursive: true });
    if ("died" in answer) return { died: answer.died };
    return JSON.parse(answer.line) as Reading;
  };

  const underWay = new Set<Promise<void>>();
  const recording = { start: disk.start, trace: disk.trace };
  const kinds = ["prefix", "subset", "torn"] as const;
  for (const state of crashStates(recording, { kinds, grains: [512], limit, seed })) {
    const marks = disk.trace
      .slice(0, state.vector.cut)
      .filter(({ operation }) => operation.kind === "mark");
    const acknowledged = BEFORE + marks.length;
    const built = state.image();
    const fingerprint = fingerprintOfImage(built);
    const reading = known.get(fingerprint) ?? read(built);
    known.set(fingerprint, reading);
    verdicts.states++;
    const judging = reading
      .then((found) => {
        const outcome = judge(found, contents, acknowledged);
        verdicts.outcomes[outcome]++;
        verdicts.examples[outcome] ??= formatVectors([state.vector]);
      })
      .finally(() => underWay.delete(judging));
    underWay.add(judging);
    if (underWay.size >= 2 * pool.size) await Promise.race(underWay);
  }
  await Promise.all(underWay);
  return verdicts;
}

interface Reading {
  content?: [string, string][];
  sameAfter?: boolean;
  error?: string;
  died?: string;
}

function judge(found: Reading, contents: readonly string[], acknowledged: number): Outcome {
  if (found.died !== undefined) return "death";
  if (!found.content) return "error";
  const count = contents.indexOf(serialize(new Map(found.content)));
  if (count < 0 || !found.sameAfter) return "corrupt";
  return count < acknowledged ? "lost" : "sound";
}

function serialize(content: ReadonlyMap<string, string>): string {
  return JSON.stringify([...content].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
