/** Holds the repository against the rules of the house; the findings name file and line. */
import { describe, expect, it } from "vitest";
import { dependenciesAreExplained, importsAreDeclared, roomsAreExplained, rules } from "./rules.ts";
import { readDocument, readTree, runtimeDependencies } from "./tree.ts";

describe("structure of the repository", () => {
  const files = readTree();
  const dependencies = runtimeDependencies();

  it("is seen whole", () => {
    const folders = new Set(files.map(({ path }) => path.split("/")[0]));
    expect([...folders]).toEqual(expect.arrayContaining(["src", "test", "vitest.config.ts"]));
  });

  it.each(Object.entries(rules))("%s", (_, rule) => {
    expect(rule(files)).toEqual([]);
  });

  it("src/ imports what the package declares", () => {
    expect(importsAreDeclared(dependencies)(files)).toEqual([]);
  });

  it("every runtime dependency is named in ARCHITECTURE.md", () => {
    expect(dependenciesAreExplained(dependencies, readDocument("ARCHITECTURE.md"))).toEqual([]);
  });

  it("every room is in ARCHITECTURE.md, in an order in which imports go one way", () => {
    expect(roomsAreExplained(readDocument("ARCHITECTURE.md"))).toEqual([]);
  });
});
