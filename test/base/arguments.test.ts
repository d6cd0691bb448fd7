/** The checks of arguments: what they let pass, what they refuse, and how they say it. */
import { describe, expect, it } from "vitest";
import {
  checkAligned,
  checkBytes,
  checkName,
  checkRange,
  checkSignal,
  checkWhole,
  show,
} from "../../src/base/arguments.ts";
import { BlockspaceError } from "../../src/base/errors.ts";

/** The error that `work` throws. */
function thrownBy(work: () => unknown): BlockspaceError {
  try {
    work();
  } catch (error) {
    if (error instanceof BlockspaceError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("checkWhole", () => {
  it("returns whole numbers from the least allowed one to 2^53 - 1", () => {
    expect(checkWhole("size", 0)).toBe(0);
    expect(checkWhole("size", 7, 7)).toBe(7);
    expect(checkWhole("size", Number.MAX_SAFE_INTEGER)).toBe(Number.MAX_SAFE_INTEGER);
  });

  it.each([
    [-1],
    [0.5],
    [NaN],
    [Infinity],
    [2 ** 53],
    ["4096"],
    [4096n],
    [null],
    [undefined],
    [{}],
  ])("refuses %s and says so", (value) => {
    const error = thrownBy(() => checkWhole("size", value, 0, { subvolume: "disk" }));
    expect(error.code).toBe("EINVAL");
    expect(error.message).toContain(`size is ${show(value)}; allowed are whole numbers from 0`);
    expect(error.subvolume).toBe("disk");
  });

  it("refuses what is below the least allowed one", () => {
    expect(thrownBy(() => checkWhole("count", 6, 7)).code).toBe("EINVAL");
  });
});

describe("checkRange", () => {
  it.each([
    [0, 0],
    [0, 100],
    [100, 0],
    [99, 1],
  ])("accepts %d + %d of 100 bytes", (offset, length) => {
    expect(() => checkRange(offset, length, 100, "disk")).not.toThrow();
  });

  it.each([
    [0, 101],
    [100, 1],
    [101, 0],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  ])("refuses %d + %d of 100 bytes, and names the place", (offset, length) => {
    const error = thrownBy(() => checkRange(offset, length, 100, "disk"));
    expect(error).toMatchObject({ code: "ERANGE", subvolume: "disk", offset, length });
  });

  it("tells wrong numbers from ranges beyond the end", () => {
    expect(thrownBy(() => checkRange(-1, 1, 100, "disk")).code).toBe("EINVAL");
    expect(thrownBy(() => checkRange(0, 1.5, 100, "disk")).code).toBe("EINVAL");
  });
});

describe("checkAligned", () => {
  it("accepts multiples of the block size and refuses anything else", () => {
    for (const value of [0, 4096, 2 ** 52]) {
      expect(() => checkAligned("offset", value, 4096)).not.toThrow();
    }
    const error = thrownBy(() => checkAligned("offset", 512, 4096));
    expect(error.message).toContain("offset is 512; allowed are multiples of the block size");
  });
});

describe("checkBytes", () => {
  it("accepts a Uint8Array and a Buffer as they are", () => {
    for (const bytes of [new Uint8Array(3), Buffer.alloc(3)]) {
      expect(checkBytes("data", bytes)).toBe(bytes);
    }
  });

  it.each([["text"], [[1, 2]], [new ArrayBuffer(4)], [new Uint16Array(4)], [null]])(
    "refuses %s",
    (value) => {
      expect(thrownBy(() => checkBytes("data", value)).message).toContain(
        "allowed is a Uint8Array",
      );
    },
  );
});

describe("checkName", () => {
  it.each([
    ["disk"],
    ["disk@monday"],
    ["a b/c"],
    ["ü".repeat(127)],
    ["x".repeat(255)],
    ["\u{feff}a"],
  ])("accepts %j", (name) => {
    expect(checkName(name)).toBe(name);
  });

  it.each([
    ["nothing", "", "EINVAL"],
    ["what is no text", 5, "EINVAL"],
    ["half a surrogate pair", "a\u{d800}", "EINVAL"],
    ["a line end", "a\nb", "EINVAL"],
    ["a zero byte", "a\0", "EINVAL"],
    ["a C1 control character", "a\u{85}", "EINVAL"],
    ["256 bytes", "x".repeat(256), "ENAMETOOLONG"],
    ["128 letters of two bytes", "ü".repeat(128), "ENAMETOOLONG"],
  ])("refuses %s", (_, name, code) => {
    expect(thrownBy(() => checkName(name)).code).toBe(code);
  });
});

describe("checkSignal", () => {
  it("passes without a signal and with one that has not aborted", () => {
    expect(() => checkSignal(undefined)).not.toThrow();
    expect(() => checkSignal(new AbortController().signal)).not.toThrow();
  });

  it("hands the caller's reason on as the cause", () => {
    const reason = new Error("enough");
    const error = thrownBy(() => checkSignal(AbortSignal.abort(reason)));
    expect(error.code).toBe("ECANCELED");
    expect(error.cause).toBe(reason);
  });
});

describe("show", () => {
  it.each([
    ["text", `"text"`],
    ["x".repeat(200), JSON.stringify("x".repeat(80))],
    [5n, "5n"],
    [null, "null"],
    [undefined, "undefined"],
    [new Map(), "Map"],
    [Object.create(null), "object"],
    [Symbol("a"), "Symbol(a)"],
  ])("makes a short picture of %o", (value, picture) => {
    expect(show(value)).toBe(picture);
  });
});
