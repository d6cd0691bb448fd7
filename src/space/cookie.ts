/**
 * A cookie: a refcounted, cancellable reservation of space, after `struct blkspc_cookie` of
 * D. Chinner's virtual block address space mapping (2018). Whoever holds one may stage as many
 * blocks as it has left, and is never refused for want of space.
 */
import { show } from "../base/arguments.ts";
import { BlockspaceError } from "../base/errors.ts";

export class Cookie implements Disposable {
  /** Blocks reserved and not staged yet. */
  remaining: number;
  #references = 1;
  #cancelled = false;
  readonly #onRelease: (cookie: Cookie) => void;

  constructor(blocks: number, onRelease: (cookie: Cookie) => void) {
    this.remaining = blocks;
    this.#onRelease = onRelease;
  }

  /** One more holder; `null` when the cookie is cancelled or its last holder has put it. */
  get(): Cookie | null {
    if (this.#cancelled || this.#references === 0) return null;
    this.#references++;
    return this;
  }

  /**
   * One holder fewer. The last put gives back what was reserved and not used, and frees what was
   * staged and not committed. A put too many is `EINVAL`.
   */
  put(): void {
    if (this.#references === 0) {
      throw new BlockspaceError("EINVAL", "the cookie was put more often than it was got");
    }
    this.#references--;
    if (this.#references === 0) this.#onRelease(this);
  }

  /** No new holders and no new allocations; what is staged can still be committed. */
  cancel(): void {
    this.#cancelled = true;
  }

  get cancelled(): boolean {
    return this.#cancelled;
  }

  get released(): boolean {
    return this.#references === 0;
  }

  [Symbol.dispose](): void {
    if (this.#references > 0) this.put();
  }
}

/** A cookie, or `EINVAL`. */
export function checkCookie(cookie: unknown): Cookie {
  if (cookie instanceof Cookie) return cookie;
  throw new BlockspaceError("EINVAL", `the cookie is ${show(cookie)}; reserve() returns one`);
}
