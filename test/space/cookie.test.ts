/** A cookie: get, put, cancel, and that its last put is its end. */
import { describe, expect, it } from "vitest";
import { Cookie } from "../../src/space/cookie.ts";

function cookieOf(blocks = 3): { cookie: Cookie; released: Cookie[] } {
  const released: Cookie[] = [];
  return { cookie: new Cookie(blocks, (cookie) => released.push(cookie)), released };
}

describe("Cookie", () => {
  it("is released by the last put, once", () => {
    const { cookie, released } = cookieOf();
    expect(cookie.get()).toBe(cookie);
    cookie.put();
    expect(released).toEqual([]);
    expect(cookie.released).toBe(false);
    cookie.put();
    expect(released).toEqual([cookie]);
    expect(cookie.released).toBe(true);
  });

  it("refuses a put too many, and is not released again by it", () => {
    const { cookie, released } = cookieOf();
    cookie.put();
    expect(() => cookie.put()).toThrow(expect.objectContaining({ code: "EINVAL" }));
    expect(released).toHaveLength(1);
  });

  it("has no new holders when it is cancelled or released", () => {
    const { cookie } = cookieOf();
    cookie.cancel();
    expect(cookie.cancelled).toBe(true);
    expect(cookie.get()).toBeNull();
    expect(cookie.released).toBe(false);
    const { cookie: other } = cookieOf();
    other.put();
    expect(other.get()).toBeNull();
    expect(other.cancelled).toBe(false);
  });

  it("is put by the end of its block, unless it was put before", () => {
    const { cookie, released } = cookieOf();
    {
      using held = cookie;
      expect(held.remaining).toBe(3);
    }
    expect(released).toEqual([cookie]);
    cookie[Symbol.dispose]();
    expect(released).toHaveLength(1);
  });
});
