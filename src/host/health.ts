/**
 * Whether the host may still acknowledge anything (promise I7). The first failed write or sync of
 * journal, data or checkpoint is final: everything after it is refused with that cause, and nothing
 * is tried a second time. Reopening replays.
 */
import { BlockspaceError, isBlockspaceError, messageOf } from "../base/errors.ts";

export class Health {
  #failure: BlockspaceError | undefined;
  #torn = false;

  get failure(): BlockspaceError | undefined {
    return this.#failure;
  }

  /** Remembers the first failure, and returns the error to hand on. */
  fail(what: string, cause: unknown): BlockspaceError {
    const isDamage = isBlockspaceError(cause, "ECORRUPT");
    const advice = isDamage ? "let fsck look at the store" : "reopen it to replay";
    this.#failure ??= new BlockspaceError(
      "EIO",
      `${what} failed and the host is read-only now; ${advice}: ${messageOf(cause)}`,
      { cause },
    );
    return this.#failure;
  }

  /** Work whose failure is noted when it happens: who waits for it may have to wait for more. */
  async final(what: string, work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (cause) {
      throw this.fail(what, cause);
    }
  }

  /** As {@link fail}, when the state in memory cannot be believed either: reads are refused too. */
  tear(what: string, cause: unknown): BlockspaceError {
    this.#torn = true;
    return this.fail(what, cause);
  }

  checkWritable(): void {
    if (this.#failure) throw this.#failure;
  }

  checkReadable(): void {
    if (this.#torn && this.#failure) throw this.#failure;
  }
}
