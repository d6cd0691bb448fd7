/** How failures are told, and which are no more than the echo of an interruption. */
import { stat } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { BlockspaceError } from "../../src/index.ts";
import { describeFailure, isEcho } from "../../src/cli/failure.ts";

describe("describeFailure", () => {
  it("begins with the code, of our errors and of the system's", async () => {
    expect(describeFailure(new BlockspaceError("EROFS", "no"), false)).toBe("EROFS: no");
    const missing: unknown = await stat("/nowhere/at/all").catch((error: unknown) => error);
    expect(describeFailure(missing, false)).toMatch(/^ENOENT: no such file.*\/nowhere\/at\/all/);
  });

  it("tells the causes to those who want them", () => {
    const cause = new Error("the disk is on fire", { cause: new Error("arson") });
    const error = new BlockspaceError("EIO", "it failed", { cause });
    expect(describeFailure(error, false)).toBe("EIO: it failed");
    expect(describeFailure(error, true).split("\n")).toEqual([
      "EIO: it failed",
      "  because of the disk is on fire",
      "  because of arson",
    ]);
  });

  it("shows where a defect of ours is", () => {
    expect(describeFailure(new TypeError("x is undefined"), false)).toMatch(
      /^internal error: TypeError: x is undefined\n +at .*failure\.test\.ts/,
    );
    expect(describeFailure("what", false)).toBe("internal error: what");
  });
});

describe("isEcho", () => {
  it("is what an aborted call ends with, and nothing else", () => {
    const controller = new AbortController();
    const canceled = new BlockspaceError("ECANCELED", "the caller's signal aborted");
    expect(isEcho(canceled, controller.signal)).toBe(false);
    controller.abort();
    expect(isEcho(canceled, controller.signal)).toBe(true);
    expect(isEcho(controller.signal.reason, controller.signal)).toBe(true);
    const aborted = Object.assign(new Error("aborted"), { name: "AbortError" });
    expect(isEcho(aborted, controller.signal)).toBe(true);
    expect(isEcho(new BlockspaceError("EIO", "no"), controller.signal)).toBe(false);
    expect(isEcho(new Error("no"), controller.signal)).toBe(false);
  });
});
