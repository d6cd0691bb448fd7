/** Shows that each structural rule accepts what is right and has been seen to fail. */
import { describe, expect, it } from "vitest";
import {
  dependenciesAreExplained,
  fileSystemStaysBelow,
  filesAreShort,
  importsAreDeclared,
  importsGoOneWay,
  lmdbStaysAtHome,
  namesSayWhat,
  noImportCycles,
  nothingIsLeftForLater,
  purposeComesFirst,
  referencesResolve,
  roomsAreExplained,
  rules,
} from "./rules.ts";
import type { SourceFile } from "./source.ts";

/** A tree in memory: the text of each file by its path. */
function tree(texts: Record<string, string>): SourceFile[] {
  return Object.entries(texts).map(([path, text]) => ({ path, text }));
}

describe("importsGoOneWay", () => {
  const importing = (path: string, statement: string): string[] =>
    importsGoOneWay(tree({ [path]: statement }));

  it("accepts the own room, earlier rooms and packages", () => {
    expect(importing("src/host/host.ts", `import { a } from "./subvolume.ts";`)).toEqual([]);
    expect(importing("src/host/host.ts", `export * from "../base/errors.ts";`)).toEqual([]);
    expect(importing("src/cli/main.ts", `import { fsck } from "../fsck/check.ts";`)).toEqual([]);
    expect(importing("src/index.ts", `export { run } from "./cli/run.ts";`)).toEqual([]);
    expect(importing("src/base/sum.ts", `import { crc32 } from "@node-rs/crc32";`)).toEqual([]);
    expect(importing("test/base/a.test.ts", `import "../../src/host/host.ts";`)).toEqual([]);
    expect(
      importing("src/base/a.ts", `// import "../host/host.ts";\nconst a = "import '../map/b.ts'";`),
    ).toEqual([]);
    expect(
      importing("src/cli/version.ts", `new URL("../../package.json", import.meta.url);`),
    ).toEqual([]);
  });

  it.each([
    ["a static import", `import { a } from "../host/host.ts";`],
    ["an import of a type", `import type { A } from "../host/host.ts";`],
    ["an import for effect", `import "../host/host.ts";`],
    ["an import over several lines", `import {\n  a,\n  b,\n} from "../host/host.ts";`],
    ["an export from", `export { a } from "../host/host.ts";`],
    ["an export of everything", `export * from "../host/host.ts";`],
    ["a dynamic import", `const a = await import("../host/host.ts");`],
    ["a type in place", `export type A = import("../host/host.ts").A;`],
    ["a worker's URL", `new Worker(new URL("../host/host.ts", import.meta.url));`],
  ])("refuses %s of a later room", (_, statement) => {
    expect(importing("src/map/tree.ts", `\n${statement}`)).toEqual([
      "src/map/tree.ts:2: room map imports src/host/host.ts of room host",
    ]);
  });

  it("refuses rooms side by side, unknown rooms, ways out of src/ and computed imports", () => {
    expect(importing("src/fsck/a.ts", `import "../nbd/b.ts";`)).toHaveLength(1);
    expect(importing("src/nbd/a.ts", `import "../fsck/b.ts";`)).toHaveLength(1);
    expect(importing("src/cli/a.ts", `import "../index.ts";`)).toHaveLength(1);
    expect(importing("src/attic/a.ts", "")).toEqual(["src/attic/a.ts: stands in no room of src/"]);
    expect(importing("src/loose.ts", "")).toHaveLength(1);
    expect(importing("src/base/a.ts", `import "../../test/b.ts";`)).toHaveLength(1);
    expect(importing("src/base/a.ts", `await import(name);`)).toHaveLength(1);
  });
});

describe("referencesResolve", () => {
  it("finds what is not there, and leaves packages, documents and dist/ alone", () => {
    const files = tree({
      "src/base/a.ts": `import "./b.ts"; import "lmdb"; new URL("./w.js", import.meta.url);`,
      "src/base/b.ts": `new URL("../../package.json", import.meta.url);`,
      "test/cli.test.ts": `new URL("../dist/cli/main.js", import.meta.url);`,
    });
    expect(referencesResolve(files)).toEqual(["src/base/a.ts:1: src/base/w.js does not exist"]);
  });
});

describe("noImportCycles", () => {
  it("accepts a diamond", () => {
    const files = tree({
      "src/map/a.ts": `import "./b.ts"; import "./c.ts";`,
      "src/map/b.ts": `import "./d.ts";`,
      "src/map/c.ts": `import "./d.ts";`,
      "src/map/d.ts": "",
    });
    expect(noImportCycles(files)).toEqual([]);
  });

  it("refuses a way back, also within a room and by types", () => {
    const files = tree({
      "src/map/a.ts": `import "./b.ts";`,
      "src/map/b.ts": `export * from "./c.ts";`,
      "src/map/c.ts": `import type { B } from "./b.ts";`,
    });
    expect(noImportCycles(files)).toEqual(["src/map/b.ts -> src/map/c.ts -> src/map/b.ts"]);
  });

  it("refuses a file that imports itself", () => {
    expect(noImportCycles(tree({ "src/map/a.ts": `import "./a.ts";` }))).toHaveLength(1);
  });
});

describe("importsAreDeclared", () => {
  const rule = importsAreDeclared(["lmdb", "@node-rs/crc32"]);

  it("accepts builtins, dependencies and the paths in them", () => {
    const text = `import "node:zlib"; import "lmdb"; import "@node-rs/crc32/x"; import "./b.ts";`;
    expect(rule(tree({ "src/base/a.ts": text, "test/a.ts": `import "vitest";` }))).toEqual([]);
  });

  it("refuses what a user would not have", () => {
    const text = `import { it } from "vitest";\nawait import("@fast-check/vitest");`;
    expect(rule(tree({ "src/base/a.ts": text }))).toEqual([
      "src/base/a.ts:1: vitest is not a dependency of the package",
      "src/base/a.ts:2: @fast-check/vitest is not a dependency of the package",
    ]);
  });
});

describe("purposeComesFirst", () => {
  it("accepts a first comment with a sentence in it, also below #!", () => {
    const purpose = "/** What the map is, and why. */\n";
    const files = tree({
      "src/map/a.ts": purpose,
      "src/map/b.ts": "/**\n * What the map is,\n * and why.\n */\n",
      "src/cli/main.ts": `#!/usr/bin/env node\n${purpose}`,
    });
    expect(purposeComesFirst(files)).toEqual([]);
  });

  it.each([
    ["no comment", "export const a = 1;\n"],
    ["code before it", `import "./b.ts";\n/** What the map is, and why. */\n`],
    ["a comment of another kind", "// What the map is, and why.\n"],
    ["an empty comment", "/** */\nconst whatTheMapIs = 1;\n"],
    ["a comment that only says the name", "/** The map. */\n"],
  ])("refuses %s", (_, text) => {
    expect(purposeComesFirst(tree({ "tools/a.ts": text }))).toEqual([
      "tools/a.ts: does not open with a comment that says what it is for",
    ]);
  });
});

describe("filesAreShort", () => {
  it("accepts 400 lines of 100 columns, counted as people count them", () => {
    const line = `${"é".repeat(98)}🙂🙂\n`;
    expect(filesAreShort(tree({ "src/a.ts": line.repeat(400) }))).toEqual([]);
  });

  it("refuses one more of either", () => {
    expect(filesAreShort(tree({ "src/a.ts": "\n".repeat(401) }))).toEqual(["src/a.ts: 401 lines"]);
    expect(filesAreShort(tree({ "src/a.ts": `\n${"x".repeat(101)}\n` }))).toEqual([
      "src/a.ts:2: 101 columns",
    ]);
  });
});

describe("lmdbStaysAtHome", () => {
  it("accepts it in checkpoint/ and its tests, refuses it anywhere else", () => {
    const text = `import { open } from "lmdb";`;
    const files = tree({
      "src/checkpoint/a.js": text,
      "test/checkpoint/a.test.ts": text,
      "src/map/a.ts": text,
      "tools/a.ts": `await import("lmdb");`,
      "src/map/b.ts": `import { open } from "lmdb-twin"; // as "lmdb"`,
    });
    expect(lmdbStaysAtHome(files)).toEqual([
      "src/map/a.ts:1: lmdb is imported outside of checkpoint/",
      "tools/a.ts:1: lmdb is imported outside of checkpoint/",
    ]);
  });
});

describe("fileSystemStaysBelow", () => {
  it("accepts it in the rooms for it and outside of src/, refuses it elsewhere", () => {
    const files = tree({
      "src/device/a.ts": `import { open } from "node:fs/promises";`,
      "src/cli/a.ts": `import { openSync } from "node:fs";`,
      "test/a.ts": `import { openSync } from "node:fs";`,
      "src/host/a.ts": `import { openSync } from "node:fs";\nimport { join } from "node:path";`,
      "src/replay/a.ts": `const { open } = await import("fs/promises");`,
    });
    expect(fileSystemStaysBelow(files).map((finding) => finding.split(" ")[0])).toEqual([
      "src/host/a.ts:1:",
      "src/replay/a.ts:1:",
    ]);
  });
});

describe("nothingIsLeftForLater", () => {
  // Spelled with a dash here, so that this file stands before the rule itself.
  it.each(["TO-DO", "FIX-ME", "X-XX"])("refuses %s without its dash", (spelled) => {
    const mark = spelled.replace("-", "");
    expect(nothingIsLeftForLater(tree({ "src/a.ts": `\n// ${mark}: later\n` }))).toEqual([
      `src/a.ts:2: ${mark}`,
    ]);
  });

  it("accepts words that only contain one", () => {
    const text = "// mkdtemp's XXXXXX, mastodon, fixmeter\n";
    expect(nothingIsLeftForLater(tree({ "src/a.ts": text }))).toEqual([]);
  });
});

describe("namesSayWhat", () => {
  it.each(["utils", "map-helpers", "manager", "journal.types", "Helper"])(
    "refuses %s.ts",
    (name) => {
      expect(namesSayWhat(tree({ [`src/map/${name}.ts`]: "" }))).toHaveLength(1);
    },
  );

  it("accepts names that only contain such a word", () => {
    expect(namesSayWhat(tree({ "src/map/prototypes.ts": "", "src/utils-free/a.ts": "" }))).toEqual(
      [],
    );
  });
});

describe("dependenciesAreExplained", () => {
  const names = ["lmdb", "@node-rs/crc32"];

  it("accepts a page that names all of them", () => {
    expect(dependenciesAreExplained(names, "`lmdb` and `@node-rs/crc32`.")).toEqual([]);
    expect(dependenciesAreExplained(names, "Why lmdb? Why @node-rs/crc32?")).toEqual([]);
  });

  it("refuses a missing page, a missing name, and a name inside another", () => {
    expect(dependenciesAreExplained(names, undefined)).toHaveLength(1);
    expect(dependenciesAreExplained(names, "`lmdb`")).toHaveLength(1);
    expect(dependenciesAreExplained(names, "lmdb-js, @lmdb/lmdb, @node-rs/crc32")).toHaveLength(1);
  });
});

describe("roomsAreExplained", () => {
  const page = (...names: string[]): string =>
    ["## The rooms", ...names.map((name) => `| \`${name}\` | what it is for |`), "## Next"].join(
      "\n",
    );
  const inOrder =
    "base device testing format journal map checkpoint space replay host nbd fsck testing-store cli";

  it("accepts every room behind those that it may import", () => {
    expect(roomsAreExplained(page(...inOrder.split(" ")))).toEqual([]);
  });

  it("refuses a missing page, a missing room, an unknown one, and one that stands too late", () => {
    expect(roomsAreExplained(undefined)).toHaveLength(14);
    expect(roomsAreExplained(page(...inOrder.replace("map ", "").split(" ")))).toHaveLength(1);
    expect(roomsAreExplained(page(...`attic ${inOrder}`.split(" ")))).toHaveLength(1);
    const early = inOrder.replace(" testing-store", "").replace("host", "host testing-store");
    expect(roomsAreExplained(page(...early.split(" ")))).toEqual([
      "ARCHITECTURE.md: the room nbd stands behind testing-store",
    ]);
  });
});

describe("rules", () => {
  it("stand on text that parses, and name the file that does not", () => {
    expect(() => rules["imports make no cycles"]?.(tree({ "src/a.ts": "const =" }))).toThrow(/./);
  });
});
