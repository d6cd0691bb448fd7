/**
 * Who is told what happens: the log, with the methods and the order of arguments that pino and its
 * like have, and what watches requests.
 */
import type { RequestError } from "./request-error.ts";
import type { Request } from "./wire.ts";

/** A logger; pino is one. */
export interface Log {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
  debug(facts: object, message: string): void;
}

const ignore = (): void => undefined;
export const silent: Log = { info: ignore, warn: ignore, error: ignore, debug: ignore };

/** What a transmission tells of its requests. */
export interface RequestWatcher {
  /** A request begins; what is returned goes to `ended`. */
  began(): number;
  /** A request's reply is on its way; `began` is what `began` had returned. */
  ended(request: Request, began: number, refusal?: RequestError, cause?: unknown): void;
  /** Something that must not happen has. */
  readonly broken: (error: unknown) => void;
}
