/**
 * The rules of the house that no linter knows, as pure functions from files to findings: which room
 * may import which, what every file must say first, how long it may be, and where `lmdb` and the
 * file system may be touched. `structure.test.ts` holds the repository against them;
 * `rules.test.ts` shows that each can fail.
 */
import { posix } from "node:path";
import { lmdbTraps } from "./lmdb-traps.ts";
import { packageOf, referencesOf, targetOf, type Reference, type SourceFile } from "./source.ts";

/** One finding for each line: `path[:line]: what is wrong`. */
export type Rule = (files: readonly SourceFile[]) => string[];

/** The rooms of `src/` in the order in which data flows; those of one row do not see each other. */
const rooms: readonly (readonly string[])[] = [
  ["base"],
  ["device"],
  ["testing"],
  ["format"],
  ["journal"],
  ["map"],
  ["checkpoint"],
  ["space"],
  ["replay"],
  ["host"],
  ["fsck", "nbd"],
  ["testing-store"],
  ["cli"],
  ["index"],
];

/** The only places of `src/` that touch the file system themselves, and why. */
const fileSystemRooms: Readonly<Record<string, string>> = {
  device: "the media: files and block devices are read and written here, for every other room",
  testing: "real programs run in directories of their own; the faces take flags and shapes from it",
  checkpoint: "lmdb takes a path, so its directory is made, measured and removed beside it",
  nbd: "socket files get their mode, and what a dead server left of them is removed",
  cli: "reads and writes the user's own files: images, standard input and output",
};

const maxLines = 400;
const maxColumns = 100;
/** The title of a test is a sentence in one string. */
const maxTestColumns = 120;

/** The room of a path in `src/`: its first folder, or `index` for an entry point of the package. */
function roomOf(path: string): string | undefined {
  if (path === "src/index.ts" || path === "src/testing.ts") return "index";
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

function rankOf(room: string | undefined): number {
  return rooms.findIndex((row) => room !== undefined && row.includes(room));
}

function inSource(files: readonly SourceFile[]): SourceFile[] {
  return files.filter((file) => file.path.startsWith("src/"));
}

/** Each reference of each file, with the file it stands in. */
function* allReferences(
  files: readonly SourceFile[],
): Iterable<{ file: SourceFile; reference: Reference; at: string }> {
  for (const file of files) {
    for (const reference of referencesOf(file)) {
      yield { file, reference, at: `${file.path}:${reference.line}` };
    }
  }
}

/** A file of `src/` stands in a known room, and imports from its own room or an earlier one. */
export const importsGoOneWay: Rule = (files) => {
  const findings: string[] = [];
  for (const { path } of inSource(files)) {
    if (rankOf(roomOf(path)) < 0) findings.push(`${path}: stands in no room of src/`);
  }
  for (const { file, reference, at } of allReferences(inSource(files))) {
    if (reference.specifier === undefined) {
      findings.push(`${at}: a computed import hides where it goes`);
      continue;
    }
    const target = targetOf(file, reference.specifier);
    if (target === undefined) continue;
    if (!target.startsWith("src/")) {
      if (reference.kind !== "url") findings.push(`${at}: imports ${target}, outside of src/`);
      continue;
    }
    const from = roomOf(file.path);
    const to = roomOf(target);
    if (from !== to && rankOf(to) >= rankOf(from)) {
      findings.push(`${at}: room ${from} imports ${target} of room ${to}`);
    }
  }
  return findings;
};

/** What a relative reference names is there (the compiler does not look at worker URLs). */
export const referencesResolve: Rule = (files) => {
  const known = new Set(files.map((file) => file.path));
  const findings: string[] = [];
  for (const { file, reference, at } of allReferences(files)) {
    const target = targetOf(file, reference.specifier ?? "");
    if (target === undefined || !/\.[cm]?[jt]s$/.test(target)) continue;
    if (target.startsWith("dist/") || known.has(target)) continue;
    findings.push(`${at}: ${target} does not exist`);
  }
  return findings;
};

/** No file imports itself by way of others, in the same room or not; types count, too. */
export const noImportCycles: Rule = (files) => {
  const graph = new Map<string, string[]>();
  for (const file of files) {
    const imports = referencesOf(file).filter(({ kind }) => kind !== "url");
    const targets = imports.map(({ specifier }) => targetOf(file, specifier ?? ""));
    graph.set(
      file.path,
      targets.filter((target) => target !== undefined),
    );
  }
  const findings: string[] = [];
  const finished = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      findings.push([...trail.slice(trail.indexOf(path)), path].join(" -> "));
      return;
    }
    if (finished.has(path)) return;
    for (const target of graph.get(path) ?? []) visit(target, [...trail, path]);
    finished.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return findings;
};

/** Code that is shipped needs node's builtins and the declared dependencies, nothing else. */
export function importsAreDeclared(dependencies: readonly string[]): Rule {
  return (files) => {
    const findings: string[] = [];
    for (const { file, reference, at } of allReferences(inSource(files))) {
      const { kind, specifier } = reference;
      if (kind === "url" || specifier === undefined || targetOf(file, specifier)) continue;
      if (specifier.startsWith("node:") || dependencies.includes(packageOf(specifier))) continue;
      findings.push(`${at}: ${packageOf(specifier)} is not a dependency of the package`);
    }
    return findings;
  };
}

/** Every file opens with a comment that says what it is for (below the `#!` of a program). */
export const purposeComesFirst: Rule = (files) =>
  files
    .filter(({ text }) => {
      const comment = /^(?:#!.*\n)?\/\*\*(.*?)\*\//s.exec(text)?.[1] ?? "";
      return (comment.match(/\p{L}{2,}/gu) ?? []).length < 4;
    })
    .map(({ path }) => `${path}: does not open with a comment that says what it is for`);

/** No file is longer than what one sitting reads, no line wider than the formatter's. */
export const filesAreShort: Rule = (files) => {
  const findings: string[] = [];
  for (const { path, text } of files) {
    const lines = text.replace(/\n$/, "").split("\n");
    if (lines.length > maxLines) findings.push(`${path}: ${lines.length} lines`);
    for (const [index, line] of lines.entries()) {
      const columns = Array.from(line).length;
      const allowed = path.startsWith("test/") ? maxTestColumns : maxColumns;
      // What a planted bug replaces is quoted as it stands.
      if (path.startsWith("recovery-tests/planted/bugs/")) continue;
      if (columns > allowed) findings.push(`${path}:${index + 1}: ${columns} columns`);
    }
  }
  return findings;
};

/** `lmdb` is imported by the room `checkpoint`, its tests, the example on raw lmdb, and as a peer. */
export const lmdbStaysAtHome: Rule = (files) => {
  const findings: string[] = [];
  for (const { file, reference, at } of allReferences(files)) {
    if (packageOf(reference.specifier ?? "") !== "lmdb") continue;
    if (/^(?:(?:src|test)\/checkpoint|test\/testing\/foreign)\//.test(file.path)) continue;
    if (file.path === "tools/bench/library/lmdb-pages.ts") continue;
    findings.push(`${at}: lmdb is imported outside of checkpoint/`);
  }
  return findings;
};

/** In `src/`, only the rooms listed above touch the file system. */
export const fileSystemStaysBelow: Rule = (files) => {
  const findings: string[] = [];
  for (const { file, reference, at } of allReferences(inSource(files))) {
    if (!/^(?:node:)?fs(?:\/|$)/.test(reference.specifier ?? "")) continue;
    if (Object.hasOwn(fileSystemRooms, roomOf(file.path) ?? "")) continue;
    findings.push(
      `${at}: ${reference.specifier} is for ${Object.keys(fileSystemRooms).join(", ")}`,
    );
  }
  return findings;
};

/** Nothing is left for later: what is known to be missing belongs into the issues. */
export const nothingIsLeftForLater: Rule = (files) => {
  const findings: string[] = [];
  for (const { path, text } of files) {
    for (const [index, line] of text.split("\n").entries()) {
      // The odd classes keep this line from finding itself.
      const mark = /\b(?:TO[D]O|FIX[M]E|X[X]X)\b/.exec(line)?.[0];
      if (mark) findings.push(`${path}:${index + 1}: ${mark}`);
    }
  }
  return findings;
};

/** A file is named for its purpose, never for the fact that it holds code. */
export const namesSayWhat: Rule = (files) => {
  const empty = new Set(["util", "utils", "helper", "helpers", "manager", "types"]);
  return files
    .filter(({ path }) =>
      posix
        .basename(path)
        .toLowerCase()
        .split(/[-._]/)
        .some((word) => empty.has(word)),
    )
    .map(({ path }) => `${path}: the name does not say what the file is for`);
};

/** Every package that users must trust is named, and so argued for, in the architecture. */
export function dependenciesAreExplained(
  dependencies: readonly string[],
  architecture: string | undefined,
): string[] {
  if (architecture === undefined) return ["ARCHITECTURE.md: is missing"];
  return dependencies
    .filter((name) => {
      const word = name.replace(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
      return !new RegExp(String.raw`(?<![\w@/.-])${word}(?![\w/-])`).test(architecture);
    })
    .map((name) => `ARCHITECTURE.md: does not name the dependency ${name}`);
}

/** The architecture has every room, each behind those that it may import. */
export function roomsAreExplained(architecture: string | undefined): string[] {
  const [, section = ""] = /^## The rooms.*?\n(.*?)^## /ms.exec(architecture ?? "") ?? [];
  const listed = Array.from(section.matchAll(/^\| `([\w-]+)`/gm), ([, room]) => room!);
  const findings = rooms
    .flat()
    .filter((room) => room !== "index" && !listed.includes(room))
    .map((room) => `ARCHITECTURE.md: does not name the room ${room}`);
  for (const [i, room] of listed.entries()) {
    if (rankOf(room) < 0) findings.push(`ARCHITECTURE.md: there is no room ${room}`);
    else if (i > 0 && rankOf(room) < rankOf(listed[i - 1])) {
      findings.push(`ARCHITECTURE.md: the room ${room} stands behind ${listed[i - 1]}`);
    }
  }
  return findings;
}

/** Every rule that needs nothing but the files, by what it promises. */
export const rules: Readonly<Record<string, Rule>> = {
  "imports go one way between the rooms": importsGoOneWay,
  "what is referred to exists": referencesResolve,
  "imports make no cycles": noImportCycles,
  "every file opens with its purpose": purposeComesFirst,
  "files and lines are short": filesAreShort,
  "lmdb is imported by checkpoint/ only": lmdbStaysAtHome,
  "only the rooms for it touch the file system": fileSystemStaysBelow,
  "lmdb's traps are not stepped into": lmdbTraps,
  "nothing is left for later": nothingIsLeftForLater,
  "file names say what a file is for": namesSayWhat,
};
