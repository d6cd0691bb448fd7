/**
 * Holds `docs/fsck.md` against the code: every id that a check can make stands in its table, and no
 * other; kinds of losses, phases and exit codes are those of the code.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { phaseNames } from "../../src/fsck/check.ts";
import { exitBits } from "../../src/fsck/finding.ts";
import { findingTable } from "../../src/fsck/finding-table.ts";

const document = readFileSync(new URL("../../docs/fsck.md", import.meta.url), "utf8");

/** The rows of the tables of the document as trimmed cells. */
const rows = document
  .split("\n")
  .filter((line) => line.startsWith("|"))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

describe("docs/fsck.md", () => {
  it("has every finding of the code, and no other", () => {
    const listed = rows.filter(([id]) => /^[A-Z]\d{3}$/.test(id ?? ""));
    const expected = Object.entries(findingTable).map(
      ([id, { severity, promise, title, repair }]) => [id, severity, promise, title, repair],
    );
    expect(listed).toEqual(expected);
  });

  it("has every phase", () => {
    const listed = rows
      .filter(([number]) => /^[0-7]$/.test(number ?? ""))
      .map(([number, name]) => [number, name]);
    for (const [number, name] of phaseNames.entries())
      expect(listed).toContainEqual([String(number), name]);
  });

  it("has every exit code", () => {
    const codes = rows.map(([code]) => code);
    for (const bit of Object.values(exitBits)) expect(codes).toContain(String(bit));
  });

  it("names every kind of loss", () => {
    const source = readFileSync(new URL("../../src/fsck/loss.ts", import.meta.url), "utf8");
    const kinds = Array.from(source.matchAll(/^ {2}\| "(\w+)"/gm), ([, kind]) => `\`${kind}\``);
    const listed = rows.map(([kind]) => kind).filter((kind) => kind?.startsWith("`"));
    expect(kinds.length).toBeGreaterThan(5);
    expect(listed).toEqual(kinds);
  });
});
