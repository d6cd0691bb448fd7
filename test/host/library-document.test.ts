/**
 * Holds `docs/library.md` against the code: no call, option or error is missing there, none that is
 * gone is left, and errors mean what the code says.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { errorCodes } from "../../src/base/errors.ts";
import { Host } from "../../src/host/host.ts";
import { Subvolume } from "../../src/host/subvolume.ts";
import { Transaction } from "../../src/host/transaction.ts";
import { Cookie } from "../../src/space/cookie.ts";

const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const document = read("docs/library.md");

/** The rows of the table whose first column has this title, as trimmed cells. */
function rowsOf(title: string): string[][] {
  const lines = document.split("\n");
  const start = lines.findIndex((line) => line.startsWith(`| ${title} `));
  const end = lines.findIndex((line, i) => i > start && !line.startsWith("|"));
  return lines.slice(start + 2, end).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** The names in the first column, without arguments. */
function namesIn(title: string): string[] {
  return rowsOf(title).flatMap(([call]) =>
    Array.from(call!.matchAll(/`(\w+)/g), ([, name]) => name!),
  );
}

/** The methods of a class that are for everybody: those that are not say so where they stand. */
function methodsOf({ prototype }: { prototype: object }, file: string): string[] {
  const text = read(file);
  return Object.getOwnPropertyNames(prototype).filter((name) => {
    const comment = new RegExp(
      String.raw`/\*\*((?:(?!\*/)[^])*)\*/\s+(?:async |get )*${name}\(`,
    ).exec(text)?.[1];
    return name !== "constructor" && comment?.includes("@internal") !== true;
  });
}

describe("docs/library.md", () => {
  it("has every call on a host, and no other", () => {
    const fields = ["open", "path", "uuid", "recovery"];
    const calls = [...methodsOf(Host, "src/host/host.ts"), ...fields];
    expect(namesIn("on a `Host`").toSorted()).toEqual(calls.toSorted());
  });

  it("has every call on a subvolume, and no other", () => {
    const calls = [...methodsOf(Subvolume, "src/host/subvolume.ts"), "id"];
    expect(namesIn("on a `Subvolume`").toSorted()).toEqual(calls.toSorted());
  });

  it("names every call on a transaction and on a cookie", () => {
    const calls = [
      ...methodsOf(Transaction, "src/host/transaction.ts"),
      ...methodsOf(Cookie, "src/space/cookie.ts"),
    ];
    const [, paragraph = ""] = /\n(A \*\*transaction\*\*.*?)\n\n/s.exec(document) ?? [];
    const named = Array.from(paragraph.matchAll(/`(\w+)/g), ([, name]) => name!);
    expect(new Set(named)).toEqual(new Set([...calls, "remaining"]));
  });

  it("has every option of Host.open, and no other", async () => {
    const known = /allowed are (.*)$/;
    const { message } = (await Host.open("store", { nothing: 1 } as object).catch(
      (error: Error) => error,
    )) as Error;
    const options = known.exec(message)![1]!.split(", ");
    expect(namesIn("option").toSorted()).toEqual(options.toSorted());
  });

  it("has every error, with its meaning", () => {
    const listed = rowsOf("code").map(([code, meaning]) => [code, meaning]);
    expect(listed).toEqual(Object.entries(errorCodes));
  });
});
