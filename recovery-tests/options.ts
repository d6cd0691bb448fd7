/** The options of `npm run test:recovery`. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { matrix, rowOf } from "./matrix.ts";
import { bugOf } from "./planted/bugs.ts";
import { huntedRows } from "./planted/hunted-rows.ts";

const NIGHTLY = 10;

export const usage = `usage: npm run test:recovery -- [options]

  --nightly          ten times as many cases
  --share FRACTION   that part of the cases, as 0.01
  --rows 1,2,7       these rows only
  --processes N      instead of one for each core
  --json FILE        the summary for programs
  --only PART        matrix, planted, or search: a few states each of other cases every time,
                     which is no part of a whole run
  --minutes N        for how long to search, instead of 10
  --bugs NAME,NAME   these planted bugs only
  --write-table      also puts the table of planted bugs into the README

The exit code is 1 when anything was violated or a planted bug got away, and 2 for options that
cannot be understood.
`;

const allParts = ["matrix", "planted", "search"] as const;
type Part = (typeof allParts)[number];

export interface RunOptions {
  /** Of the cases that stand in the matrix. */
  share: number;
  rows: readonly number[];
  processes: number;
  json?: string;
  parts: readonly Part[];
  /** For how long to search. */
  minutes: number;
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
      minutes: { type: "string", default: "10" },
      "write-table": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const { json } = values;
  const bugs = values.bugs?.split(",");
  bugs?.forEach(bugOf);
  const parts = partsOf(values.only, values.rows !== undefined);
  const rows = rowsOf(values.rows);
  if (parts.includes("search")) expectSearchable(rows);
  return {
    share: positive("share", values.share) * (values.nightly ? NIGHTLY : 1),
    rows,
    processes: processesOf(values.processes),
    parts,
    minutes: positive("minutes", values.minutes),
    writesTable: values["write-table"] && bugs === undefined,
    ...(json === undefined ? {} : { json }),
    ...(bugs === undefined ? {} : { bugs }),
  };
}

function rowsOf(list: string | undefined): number[] {
  const numbers = list?.split(",").map(Number) ?? matrix.map(({ number }) => number);
  return numbers.map((number) => rowOf(number).number);
}

function partsOf(only: string | undefined, someRows: boolean): readonly Part[] {
  if (only === undefined) return someRows ? ["matrix"] : ["matrix", "planted"];
  const part = allParts.find((name) => name === only);
  if (part) return [part];
  throw new RangeError(`--only is "${only}"; allowed are ${allParts.join(", ")}`);
}

function expectSearchable(rows: readonly number[]): void {
  const allowed = huntedRows.map(([row]) => row).toSorted((a, b) => a - b);
  if (allowed.some((row) => rows.includes(row))) return;
  const given = rows.join(", ");
  throw new RangeError(`--rows is ${given}; the search goes through rows ${allowed.join(", ")}`);
}

function positive(name: string, text: string): number {
  const number = Number(text);
  if (number > 0 && Number.isFinite(number)) return number;
  throw new RangeError(`--${name} is "${text}"; allowed are numbers above 0, as 0.01`);
}

function processesOf(text: string): number {
  const processes = Number(text);
  if (Number.isInteger(processes) && processes > 0) return processes;
  throw new RangeError(`--processes is "${text}"; allowed are whole numbers from 1 on`);
}
