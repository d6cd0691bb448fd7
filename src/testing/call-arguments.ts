/**
 * Reads the arguments of a system call by what they must be; anything else is an error that says
 * so.
 */
import { resolve } from "node:path";
import { BlockspaceError } from "../base/errors.ts";
import type { Argument, SystemCall } from "./strace-log.ts";

/** A number, decimal or not. */
export function numberOf(call: SystemCall, index: number): number {
  const number = Number(wordOf(call, index));
  return Number.isNaN(number) ? mistaken(call, index, "a number") : number;
}

/** The offset that a call was pointed at, such as `[4096]`; `undefined` where it was not. */
export function offsetOf(call: SystemCall, index: number): number | undefined {
  const arg = call.args[index];
  if (arg?.type === "word" && arg.text === "NULL") return undefined;
  const item = arg?.type === "list" ? arg.items[0] : undefined;
  return item?.type === "word" ? Number(item.text) : mistaken(call, index, "an offset");
}

/** Flags, or any other word. */
export function wordOf(call: SystemCall, index: number): string {
  const arg = call.args[index];
  return arg?.type === "word" ? arg.text : mistaken(call, index, "a word");
}

/** The same in a structure, such as `{flags=O_RDWR}`. */
export function fieldOf(call: SystemCall, index: number, name: string): string {
  const arg = call.args[index];
  const field = arg?.type === "fields" ? arg.fields.get(name) : undefined;
  return field?.type === "word" ? field.text : mistaken(call, index, `a structure with ${name}`);
}

/** All flags and other words, also those in structures. */
export function wordsOf({ args }: SystemCall): string[] {
  const all = args.flatMap((arg) => (arg.type === "fields" ? [...arg.fields.values()] : [arg]));
  return all.flatMap((arg) => (arg.type === "word" ? [arg.text] : []));
}

/** The path of what a descriptor stands for. */
export function openPathOf(call: SystemCall, index: number): string | undefined {
  const arg = call.args[index];
  return arg?.type === "word" ? arg.path : undefined;
}

/** A path; a relative one starts from `base`. */
export function pathOf(call: SystemCall, index: number, base?: string): string {
  const arg = call.args[index];
  if (arg?.type !== "bytes" || !arg.whole) return mistaken(call, index, "a whole path");
  return resolve(base ?? "/", Buffer.from(arg.bytes).toString("utf8"));
}

/** The path stands for the descriptor beside it (`AT_EMPTY_PATH`). */
export function isEmptyPath(call: SystemCall, index: number): boolean {
  const arg = call.args[index];
  return arg?.type === "bytes" && arg.bytes.length === 0;
}

/** The bytes of a buffer, or of the buffers of a list. */
export function bytesOf(call: SystemCall, index: number): Uint8Array {
  const arg = call.args[index];
  if (arg?.type === "list")
    return Buffer.concat(arg.items.map((item) => partOf(call, index, item)));
  return wholeBytes(call, index, arg);
}

function partOf(call: SystemCall, index: number, item: Argument): Uint8Array {
  return wholeBytes(call, index, item.type === "fields" ? item.fields.get("iov_base") : undefined);
}

function wholeBytes(call: SystemCall, index: number, arg: Argument | undefined): Uint8Array {
  // A buffer of no bytes may have no address.
  if (arg?.type === "word" && arg.text === "NULL") return new Uint8Array(0);
  if (arg?.type !== "bytes") return mistaken(call, index, "bytes");
  if (!arg.whole) {
    const message = `line ${call.startedAt} of strace's log: ${call.name} has more than maxBytes`;
    throw new BlockspaceError("EINVAL", message);
  }
  return arg.bytes;
}

function mistaken(call: SystemCall, index: number, expected: string): never {
  const where = `line ${call.startedAt} of strace's log: argument ${index} of ${call.name}`;
  const message = `${where} is not ${expected}`;
  throw new BlockspaceError("EINVAL", message);
}
