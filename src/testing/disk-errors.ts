/** Errors of a simulated disk: the shape and the words of those of `node:fs`. */
import { getSystemErrorMap } from "node:util";

/** By code, the number and the words that the system has for it. */
const known: ReadonlyMap<string, { errno: number; meaning: string }> = new Map(
  [...getSystemErrorMap()].map(([errno, [code, meaning]]) => [code, { errno, meaning }]),
);

/** A call of the system, as its errors name it. */
export interface SystemCall {
  syscall: string;
  /** Not for calls on a descriptor. */
  path?: string;
  /** The second path of those that have two. */
  dest?: string;
}

type SystemError = NodeJS.ErrnoException & { code: string };

const made = new WeakSet<Error>();

/** An error as a system call of this name would give it. */
export function systemError(
  code: string,
  syscall: string,
  path?: string,
  dest?: string,
): SystemError {
  const { errno, meaning } = known.get(code) ?? { errno: undefined, meaning: "failed" };
  const from = path === undefined ? "" : ` '${path}'`;
  const to = dest === undefined ? "" : ` -> '${dest}'`;
  const error = Object.assign(new Error(`${code}: ${meaning}, ${syscall}${from}${to}`), {
    ...(errno !== undefined && { errno }),
    code,
    syscall,
    ...(path !== undefined && { path }),
    ...(dest !== undefined && { dest }),
  });
  made.add(error);
  return error;
}

/**
 * Does the work of a call. The disk tells its errors by what it was asked for; the program is told
 * them by the call that it made. What a hook has thrown stays as it is.
 */
export function asCall<T>({ syscall, path, dest }: SystemCall, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Error) || !made.has(error)) throw error;
    throw systemError((error as SystemError).code, syscall, path, dest);
  }
}
