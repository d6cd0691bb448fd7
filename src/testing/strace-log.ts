/**
 * Reads the log of `strace -f -xx -y -o FILE` back into system calls, with every byte of their
 * arguments.
 *
 * A line is `THREAD NAME(ARGUMENTS) = RESULT`. A call that another thread's line interrupts stands
 * on two: `THREAD NAME(ARGUMENTS <unfinished ...>`, later `THREAD <... NAME resumed>) = RESULT`. So
 * each call has two moments, and between them it may have happened at any time. Strings are written
 * as `\x..` throughout, also the paths that `-y` puts behind descriptors; nothing within them can
 * be taken for punctuation. What is not understood is an error with the number of its line: a call
 * that is overlooked would make the trace of a program wrong without a word.
 */
import { BlockspaceError } from "../base/errors.ts";

export type Argument =
  /** A string; not `whole` when strace cut it. */
  | { type: "bytes"; bytes: Uint8Array; whole: boolean }
  | { type: "list"; items: readonly Argument[] }
  | { type: "fields"; fields: ReadonlyMap<string, Argument> }
  /** A number, flags or `NULL`; a descriptor has the path of what is open. */
  | { type: "word"; text: string; path?: string };

export interface SystemCall {
  thread: number;
  name: string;
  args: readonly Argument[];
  /** `undefined` when the call never returned, or was interrupted to be started again. */
  result: number | undefined;
  /** The code of its error, such as `EIO`. */
  error: string | undefined;
  /** The path of a descriptor that was returned. */
  resultPath: string | undefined;
  /** The numbers of its first and its last line; without an end `Infinity`. */
  startedAt: number;
  endedAt: number;
}

/** Also where strace found, with half a line written, that its process had been killed. */
const UNFINISHED = / *<(?:unfinished \.\.\.|ptrace\([^()]*\):[^<>]*)>$/;
const UNSEEN = /^(?:<\.\.\. )?\?\?\?/;
const RESUMED = /^<\.\.\. (\w+) resumed>/;

/** The calls in the order in which they began. */
export function parseStraceLog(lines: Iterable<string>): SystemCall[] {
  const calls: SystemCall[] = [];
  const unfinished = new Map<number, { call: SystemCall; text: string }>();
  let at = 0;
  for (const line of lines) {
    at++;
    const [, tid, text] = /^(\d+) +(.*)$/s.exec(line) ?? [];
    if (text === undefined) {
      if (line === "") continue;
      throw unreadable(line, at);
    }
    // Signals and the ends of threads.
    if (text.startsWith("+++ ") || text.startsWith("--- ")) continue;
    // A call of a thread that died before strace could look at it.
    if (UNSEEN.test(text)) continue;
    const thread = Number(tid);
    const resumed = RESUMED.exec(text);
    if (resumed) {
      const begun = unfinished.get(thread);
      if (!begun || begun.call.name !== resumed[1]) throw unreadable(line, at);
      unfinished.delete(thread);
      const whole = begun.text + text.slice(resumed[0].length);
      Object.assign(begun.call, parseCall(whole, thread, at), { startedAt: begun.call.startedAt });
    } else if (UNFINISHED.test(text)) {
      const begin = text.replace(UNFINISHED, "");
      const call = parseCall(`${begin.replace(/, *$/, "")}) = ?`, thread, at);
      call.endedAt = Infinity;
      unfinished.set(thread, { call, text: begin });
      calls.push(call);
    } else {
      calls.push(parseCall(text, thread, at));
    }
  }
  return calls;
}

function parseCall(text: string, thread: number, at: number): SystemCall {
  const cursor = new Cursor(text, at);
  const name = cursor.match(/\w+/y);
  cursor.expect("(");
  const args = cursor.list(")");
  cursor.match(/ *= */y);
  const [result = "?", error] = cursor.match(/(?:-?\w+|\?)(?: E[A-Z0-9]+)?/y).split(" ");
  const path = cursor.annotation();
  return {
    thread,
    name,
    args,
    result: result === "?" ? undefined : Number(result),
    error,
    resultPath: path,
    startedAt: at,
    endedAt: at,
  };
}

function unreadable(line: string, at: number): BlockspaceError {
  const shown = line.length > 200 ? `${line.slice(0, 200)}...` : line;
  return new BlockspaceError("EINVAL", `line ${at} of strace's log is not understood: ${shown}`);
}

/** A place in one line. */
class Cursor {
  readonly #text: string;
  readonly #line: number;
  #at = 0;

  constructor(text: string, line: number) {
    this.#text = text;
    this.#line = line;
  }

  /** Takes what a sticky expression matches. */
  match(expression: RegExp): string {
    expression.lastIndex = this.#at;
    const found = expression.exec(this.#text)?.[0];
    if (found === undefined) throw unreadable(this.#text, this.#line);
    this.#at += found.length;
    return found;
  }

  expect(text: string): void {
    if (!this.#take(text)) throw unreadable(this.#text, this.#line);
  }

  /** Values with commas between them, to the bracket that ends them. */
  list(end: ")" | "]" | "}"): Argument[] {
    const items: Argument[] = [];
    for (;;) {
      this.match(/[ ,]*/y);
      if (this.#take(end)) return items;
      items.push(this.#value());
    }
  }

  /** The path in `<...>` behind a descriptor; what is said of a removed file does not count. */
  annotation(): string | undefined {
    if (!this.#take("<")) return undefined;
    const path = this.#bytes(">").toString("utf8");
    this.#take("(deleted)");
    return path;
  }

  #value(): Argument {
    if (this.#take('"')) {
      const bytes = this.#bytes('"');
      return { type: "bytes", bytes, whole: !this.#take("...") };
    }
    if (this.#take("[")) return this.#items();
    if (this.#take("{")) return this.#fields();
    return this.#word();
  }

  #items(): Argument {
    const items = this.list("]");
    // What the call has changed in it.
    if (this.#take(" => ")) this.#value();
    return { type: "list", items };
  }

  #fields(): Argument {
    const fields = new Map<string, Argument>();
    for (;;) {
      this.match(/[ ,]*/y);
      if (this.#take("}")) break;
      if (this.#take("...")) continue;
      const name = this.match(/\w+/y);
      this.expect("=");
      fields.set(name, this.#value());
    }
    // What the call has changed in it.
    if (this.#take(" => ")) this.#value();
    return { type: "fields", fields };
  }

  #word(): Argument {
    const text = this.match(/(?:[^,()\]{}<"[]|\([^()]*\)|\[[^\]]*\])+/y).trim();
    const path = this.annotation();
    return path === undefined ? { type: "word", text } : { type: "word", text, path };
  }

  /** `\x..` to the sign that ends them. */
  #bytes(end: string): Buffer {
    const stop = this.#text.indexOf(end, this.#at);
    const escaped = this.#text.slice(this.#at, stop < 0 ? this.#text.length : stop);
    const bytes = Buffer.from(escaped.replaceAll(String.raw`\x`, ""), "hex");
    if (stop < 0 || bytes.length * 4 !== escaped.length) throw unreadable(this.#text, this.#line);
    this.#at = stop + end.length;
    return bytes;
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }
}
