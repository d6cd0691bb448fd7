/**
 * What goes over a control socket: a line of JSON for each call and one for each answer, with the
 * number of the call, so that several can be under way. Bytes of data are in base64. The socket is
 * the store owner's alone, but a line has a limit all the same.
 */
import type { Socket } from "node:net";
import { MiB } from "../../base/units.ts";
import {
  type BlockspaceError,
  type ErrorCode,
  type ErrorPlace,
  placeOf,
  reasonIn,
} from "../../base/errors.ts";

/** The control socket of a store, in its directory. */
export const CONTROL_SOCKET = "control.sock";
/** The most that is read or written in one call. */
export const MOST_DATA: number = MiB;

/** Characters in a line; a whole answer has to fit in base64, or a list of many subvolumes. */
const MOST_LINE: number = 256 * MiB;

export interface Call {
  id: number;
  call: string;
  args: unknown[];
}

export interface Answer {
  id: number;
  value?: unknown;
  error?: { code: ErrorCode; message: string; place: ErrorPlace };
}

/** A subvolume as a command knows it: another may have got its name since. */
export interface Reference {
  id: number;
  name: string;
}

/** A part of a series, and where to ask on, unless it was the last. */
export interface Part<T> {
  items: T[];
  next?: number;
}

export function send(socket: Socket, message: Call | Answer): void {
  if (!socket.destroyed) socket.write(`${JSON.stringify(message)}\n`);
}

/** Calls back with each line as an object; what is none, or too long, ends the connection. */
export function receive(socket: Socket, take: (message: Record<string, unknown>) => void): void {
  let line = "";
  socket.setEncoding("utf8").on("data", (text: string) => {
    const lines = (line + text).split("\n");
    line = lines.pop()!;
    try {
      if (line.length > MOST_LINE) throw new RangeError("the line is too long");
      for (const each of lines) take(objectOf(each));
    } catch {
      socket.destroy();
    }
  });
}

function objectOf(line: string): Record<string, unknown> {
  const message: unknown = JSON.parse(line);
  if (typeof message === "object" && message !== null) return message as Record<string, unknown>;
  throw new TypeError("the line is no object");
}

export function errorOf(error: BlockspaceError): NonNullable<Answer["error"]> {
  return { code: error.code, message: reasonIn(error), place: placeOf(error) };
}
