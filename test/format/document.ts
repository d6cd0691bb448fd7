/**
 * Reads the tables of FORMAT.md and holds them against the code. Everything here takes the text of
 * the document and returns findings, so that a test can show that a changed number is found.
 */
import { readdirSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { kinds } from "../../src/format/checkpoint-values.ts";
import { recordCodes } from "../../src/format/records.ts";
import type { Field, Struct } from "../../src/format/struct.ts";

const folder = fileURLToPath(new URL("../../src/format/", import.meta.url));

/** Layouts that are no structure of fixed fields; other tests look at their bytes. */
const otherLayouts: readonly string[] = [
  "checkpoint key",
  "sealed value",
  "map leaf",
  "map branch",
  "live page",
  "busy bitmap",
  "page of numbers",
];

/** A table: the cells of each row by the names of the columns. */
type Row = Record<string, string>;

/** A table of fields with the line above it: `**name** (size bytes)`. */
export interface Layout {
  name: string;
  size: string;
  rows: Row[];
}

/** Everything that the modules of the formats export, by name. */
export async function formatExports(): Promise<Map<string, unknown>> {
  const found = new Map<string, unknown>();
  for (const file of readdirSync(folder)) {
    const loaded = (await import(pathToFileURL(folder + file).href)) as Record<string, unknown>;
    for (const [name, value] of Object.entries(loaded)) found.set(name, value);
  }
  return found;
}

/** The structures among the exports. */
export function structsIn(exported: ReadonlyMap<string, unknown>): Struct<unknown>[] {
  return [...exported.values()].filter(
    (value): value is Struct<unknown> =>
      typeof value === "object" && value !== null && "fields" in value && "read" in value,
  );
}

/** The tables of the document whose first columns have these names. */
export function tables(text: string, ...columns: string[]): Row[][] {
  return allTables(text)
    .map(({ rows }) => rows)
    .filter(([row]) => columns.every((column, i) => Object.keys(row ?? {})[i] === column));
}

/** The tables of fields, with their captions. */
export function layouts(text: string): Layout[] {
  return allTables(text).flatMap(({ above, rows }) => {
    const caption = /^\*\*(.+)\*\* \((.+) bytes\)$/.exec(above);
    return caption ? [{ name: caption[1]!, size: caption[2]!, rows }] : [];
  });
}

/** The text of the block fenced with this language. */
export function fenced(text: string, language: string): string | undefined {
  return new RegExp("```" + language + "\n(.*?)\n```", "s").exec(text)?.[1];
}

function allTables(text: string): { above: string; rows: Row[] }[] {
  return [...text.matchAll(/^(.*)\n\n\|(.+)\|\n\|[-| ]+\|\n((?:\|.+\|\n)+)/gm)].map(
    ([, above, head, body]) => {
      const names = cells(head!);
      const rows = body!
        .trim()
        .split("\n")
        .map((line) => cells(line.slice(1, -1)))
        .map((values) => Object.fromEntries(names.map((name, i) => [name, values[i] ?? ""])));
      return { above: above!, rows };
    },
  );
}

function cells(line: string): string[] {
  return line.split("|").map((cell) => cell.trim());
}

/** Every table of fields is one we know, and every structure has one that says the same. */
export function layoutFindings(text: string, structs: readonly Struct<unknown>[]): string[] {
  const findings: string[] = [];
  const documented = layouts(text);
  for (const { name, fields, size } of structs) {
    const found = documented.filter((layout) => layout.name === name);
    if (found.length !== 1) findings.push(`${name}: has ${found.length} tables`);
    for (const layout of found) findings.push(...compare(layout, fields, size));
  }
  const known = new Set([...otherLayouts, ...structs.map(({ name }) => name)]);
  for (const { name } of documented) if (!known.has(name)) findings.push(`${name}: is not written`);
  for (const name of otherLayouts) {
    if (!documented.some((layout) => layout.name === name)) findings.push(`${name}: has no table`);
  }
  return findings.concat(...documented.map(holes));
}

/** Fixed fields have plain numbers; what follows them has a size that depends. */
function isFixed(row: Row): boolean {
  return /^\d+$/.test(row["offset"]!) && /^\d+$/.test(row["size"]!);
}

function compare({ name, size, rows }: Layout, fields: readonly Field[], bytes: number): string[] {
  const fixed = rows.filter(isFixed).map((row) => {
    return `${row["offset"]} + ${row["size"]}: ${row["field"]}`;
  });
  const expected = fields.map((field) => `${field.offset} + ${field.size}: ${field.name}`);
  const findings: string[] = [];
  for (let i = 0; i < Math.max(fixed.length, expected.length); i++) {
    if (fixed[i] === expected[i]) continue;
    findings.push(`${name}: the document says ${fixed[i]}, the code ${expected[i]}`);
  }
  if (size !== String(bytes)) findings.push(`${name}: the caption says ${size}, the code ${bytes}`);
  const next = rows.find((row) => !isFixed(row));
  if (next && next["offset"] !== String(bytes))
    findings.push(`${name}: something follows too late`);
  return findings;
}

/**
 * Fields that overlap or leave a hole, also before what follows them or the end; and reserved ones
 * of which it is not said what is in them.
 */
function holes({ name, size, rows }: Layout): string[] {
  const findings: string[] = [];
  let end = 0;
  for (const row of rows.filter(isFixed)) {
    if (Number(row["offset"]) !== end) findings.push(`${name}.${row["field"]}: not at ${end}`);
    end = Number(row["offset"]) + Number(row["size"]);
    const reserved = row["field"]!.startsWith("reserved");
    if (reserved && row["meaning"] !== "zero")
      findings.push(`${name}: ${row["field"]} is not zero`);
  }
  const next = rows.find((row) => !isFixed(row))?.["offset"] ?? size;
  if (/^\d+$/.test(next) && Number(next) !== end) findings.push(`${name}: ends at ${end}`);
  return findings;
}

/** The kinds of values and the codes of records are those of the code, no more and no fewer. */
export function codeFindings(text: string): string[] {
  const [records = []] = tables(text, "code", "record", "structure");
  const [values = []] = tables(text, "kind", "value", "id");
  const documented = new Set([
    ...records.map((row) => `record ${row["record"]} = ${row["code"]}`),
    ...values.map((row) => `kind ${row["value"]} = ${row["kind"]}`),
  ]);
  const known = new Set([
    ...Object.entries(recordCodes).map(([name, code]) => `record ${name} = ${code}`),
    ...Object.entries(kinds).map(([name, kind]) => `kind ${name} = ${kind}`),
  ]);
  return [
    ...[...known].filter((entry) => !documented.has(entry)).map((entry) => `${entry}: missing`),
    ...[...documented].filter((entry) => !known.has(entry)).map((entry) => `${entry}: unknown`),
  ];
}

/** Every limit is a constant of the formats with this value, and none is left out. */
export function limitFindings(text: string, exported: ReadonlyMap<string, unknown>): string[] {
  const [rows = []] = tables(text, "limit", "value");
  const findings = rows
    .filter((row) => exported.get(row["limit"]!) !== Number(row["value"]))
    .map((row) => `${row["limit"]}: the code says ${String(exported.get(row["limit"]!))}`);
  const listed = new Set(rows.map((row) => row["limit"]));
  for (const name of exported.keys()) {
    if (/^(MIN|MAX)_/.test(name) && !listed.has(name)) findings.push(`${name}: missing`);
  }
  return findings;
}
