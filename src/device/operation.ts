/**
 * What a medium in memory announces before it does it, so that a test can count, record or stop it.
 * Every change that a crash could lose has an operation of its own.
 */
import { ioError } from "./medium-error.ts";

export interface Operation {
  kind: "read" | "write" | "flush" | "discard" | "create" | "remove" | "rename" | "sync";
  /** The device or the entry; for `sync` the directory, for `rename` the name that it had. */
  path: string;
  /** Bytes; both for `read`, `write` and `discard`, and the length (the size) for `create`. */
  offset?: number;
  length?: number;
}

/**
 * Called before the operation happens. When it throws, the operation fails with that error (in an
 * `EIO`, unless it is a `BlockspaceError` itself) and has no effect.
 */
export type OnOperation = (operation: Operation) => void;

/** Tells the hook, if there is one, what is about to happen. */
export function announce(hook: OnOperation | undefined, operation: Operation): void {
  if (hook === undefined) return;
  try {
    hook(operation);
  } catch (error) {
    const { kind, ...place } = operation;
    throw ioError(`${kind} of ${place.path}`, place, error);
  }
}
