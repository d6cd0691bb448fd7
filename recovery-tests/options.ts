/** The options of `npm run test:recovery`. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { matrix, rowOf } from "./matrix.ts";
import { bugOf } from "./planted/bugs.ts";

const NIGHTLY = 10;

export const usage = `usage: npm run test:recovery -- [options]

  --nightly          ten times as many cases
  --share FRACTION   that part of the cases, as 0.01
  --rows 1,2,7       these rows only
  --processes N      instead of one for each core
  --json FILE        the summary for programs
  --only PART        matrix or planted
  --bugs NAME,NAME   these planted bugs only
  --write-table      also puts the table of planted bugs into the README

The exit code is 1 when anything was violated or a planted bug got away, and 2 for options that
cannot be understood.
`;

export interface RunOptions {
  /** Of the cases that stand in the matrix. */
  share: number;
  rows: readonly number[];
  processes: number;
  json?: string;
  runsMatrix: boolean;
  runsPlanted: boolean;
  bugs?: readonly string[];
  writesTable: boolean;
}

/** Throws on what is not an option. */
export function parseOptions(args: readonly string[]): RunOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      nightly: { type: "boolean", default: false },
      share: { type: "string", default: "1" },
      rows: { type: "string" },
      processes: { type: "string", default: String(availableParallelism()) },
      json: { type: "string" },
      only: { type: "string" },
      bugs: { type: "string" },
      "write-table": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const { only, json } = values;
  if (only !== undefined && only !== "matrix" && only !== "planted") {
    throw new RangeError(`--only is "${only}"; allowed are matrix and planted`);
  }
  const bugs = values.bugs?.split(",");
  bugs?.forEach(bugOf);
  return {
    share: shareOf(values.share) * (values.nightly ? NIGHTLY : 1),
    rows: rowsOf(values.rows),
    processes: processesOf(values.processes),
    runsMatrix: only !== "planted",
    runsPlanted: only === "planted" || (only === undefined && values.rows === undefined),
    writesTable: values["write-table"] && bugs === undefined,
    ...(json === undefined ? {} : { json }),
    ...(bugs === undefined ? {} : { bugs }),
  };
}

function rowsOf(list: string | undefined): number[] {
  const numbers = list?.split(",").map(Number) ?? matrix.map(({ number }) => number);
  return numbers.map((number) => rowOf(number).number);
}

function shareOf(text: string): number {
  const share = Number(text);
  if (share > 0 && Number.isFinite(share)) return share;
  throw new RangeError(`--share is "${text}"; allowed are numbers above 0, as 0.01`);
}

function processesOf(text: string): number {
  const processes = Number(text);
  if (Number.isInteger(processes) && processes > 0) return processes;
  throw new RangeError(`--processes is "${text}"; allowed are whole numbers from 1 on`);
}
