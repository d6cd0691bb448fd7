/**
 * The environment below a state that has no checkpoint yet, or none that can be believed: there is
 * nothing in it, and nothing can be put there.
 */
import { BlockspaceError } from "../base/errors.ts";
import type { Closing, Environment } from "./environment.ts";

export const emptyEnvironment: Environment = {
  name: "empty",
  closing: () => undefined,
  get: () => undefined,
  scan: () => [],
  commit: (): Promise<Closing> =>
    Promise.reject(new BlockspaceError("EINVAL", "the empty environment cannot be written")),
  close: () => Promise.resolve(),
};
