/**
 * Types for what we use of `fs-native-extensions`, a CommonJS package that comes without any.
 * Both functions hand their arguments to the system unchecked: whole numbers only.
 */
declare module "fs-native-extensions" {
  /** Takes an open file description lock on the whole file; `false` when a holder is in the way. */
  export function tryLock(fd: number, options: { shared: boolean }): boolean;
  /** Punches a hole into a file without changing its size. */
  export function trim(fd: number, offset: number, length: number): Promise<void>;
}
