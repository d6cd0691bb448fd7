/**
 * Reads an LMDB environment that there is no reason to trust: a child process does it
 * (`lmdb-dump-process.js`), and sends the values over a pipe.
 *
 * A damaged file may kill the child, make it hang, or make it tell nonsense for ever. None of that
 * reaches the caller: the pipe is read as fast as the values are taken and no faster, keys must
 * ascend, no length is believed beyond its limit, all of it together is no more than the file
 * holds, and a child that says nothing for too long is killed. What has arrived until then counts:
 * each value has its own seal.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { BlockspaceError, isBlockspaceError, messageOf } from "../base/errors.ts";
import { KiB, MiB } from "../base/units.ts";
import { isForbidden } from "../device/medium-error.ts";
import {
  checkFile,
  checkHeader,
  isThere,
  lmdbOptions,
  oddLock,
  throughLink,
} from "./lmdb-files.ts";
import { prepareLock } from "./lmdb-lock.ts";

/** Longer keys than LMDB allows are nonsense. */
const MAX_KEY_BYTES = 1978;
/** The greatest value we write is a segment record of about half of this. */
const MAX_VALUE_BYTES: number = MiB;
const END = 0xffffffff;
const MAX_STDERR = 2 * KiB;

export interface DumpOptions {
  /** How long the child may say nothing; 30 seconds unless given. */
  idleTimeoutMs?: number;
  signal?: AbortSignal;
}

/** How reading an environment ended. */
export interface DumpEnd {
  /** False when there is no such environment. */
  present: boolean;
  /** Why not all of it could be read. */
  failure?: string;
  /** What keeps a writer from it, and no reader. */
  obstacle?: string;
}

/**
 * Hands every value of the environment in the directory `path` to `take`, in the order of keys. Key
 * and value are views, valid until it returns.
 */
export async function dumpEnvironment(
  path: string,
  take: (key: Uint8Array, value: Uint8Array) => void,
  options: DumpOptions = {},
): Promise<DumpEnd> {
  if (!(await isThere(path))) return { present: false };
  const failure = await read(path, take, options);
  if (failure !== undefined) return { present: true, failure };
  const lock = await oddLock(path);
  return lock === undefined ? { present: true } : { present: true, obstacle: `${lock} is no file` };
}

/** Reads it; returns why not all of it can be believed, if so. */
async function read(
  path: string,
  take: (key: Uint8Array, value: Uint8Array) => void,
  options: DumpOptions,
): Promise<string | undefined> {
  try {
    const size = await checkHeader(path).catch(asDamage);
    const stream = new DumpStream(size, take);
    const failure = await throughLink(path, async (link) => {
      await prepareLock(link);
      return runChild(link, stream, options);
    });
    // A host passes it over as well where only what it would write next is damaged.
    if (failure === undefined) await checkFile(path);
    return failure;
  } catch (error) {
    if (!isBlockspaceError(error, "ECORRUPT")) throw error;
    return messageOf(error);
  }
}

/** One environment that cannot be read must not keep anybody from what else there is. */
function asDamage(error: unknown): never {
  if (isBlockspaceError(error, "ECORRUPT") || isForbidden(error)) throw error;
  throw new BlockspaceError("ECORRUPT", messageOf(error), { cause: error });
}

/** Runs the child to its end, whichever that is; returns why it did not send all, if so. */
async function runChild(
  link: string,
  stream: DumpStream,
  options: DumpOptions,
): Promise<string | undefined> {
  const program = fileURLToPath(new URL("./lmdb-dump-process.js", import.meta.url));
  const { NODE_OPTIONS: _options, ...env } = process.env;
  const child = spawn(process.execPath, [program, JSON.stringify(lmdbOptions(link, true))], {
    stdio: ["ignore", "pipe", "pipe"],
    env,
  });
  const ended = endOf(child);
  const watch = new Watch(child, options);
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(0, MAX_STDERR);
  });
  let nonsense: string | undefined;
  try {
    for await (const chunk of child.stdout) {
      watch.alive();
      stream.push(chunk as Uint8Array);
    }
  } catch (error) {
    nonsense = messageOf(error);
  } finally {
    child.kill("SIGKILL");
    watch.stop();
  }
  const end = await ended;
  options.signal?.throwIfAborted();
  if (stream.complete && nonsense === undefined) return undefined;
  if (!stream.started) {
    const what = `the process that reads ${link} ${end} before it began: ${said.trim()}`;
    throw new BlockspaceError("EIO", what);
  }
  return nonsense ?? watch.reason ?? (said.split("\n")[0] || `the reading process ${end}`);
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(`did not start: ${error.message}`));
    child.once("close", (code, signal) => {
      resolve(signal === null ? `ended early with code ${code}` : `was ended by ${signal}`);
    });
  });
}

/** Kills a child that says nothing for too long, or that nobody waits for any more. */
class Watch {
  reason: string | undefined;
  readonly #child: ChildProcess;
  readonly #options: DumpOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #abort = (): void => this.#kill("the caller's signal aborted");

  constructor(child: ChildProcess, options: DumpOptions) {
    const idle = options.idleTimeoutMs ?? 30_000;
    this.#child = child;
    this.#options = options;
    this.#timer = setTimeout(() => this.#kill(`it said nothing for ${idle} ms`), idle);
    options.signal?.addEventListener("abort", this.#abort, { once: true });
    if (options.signal?.aborted) this.#abort();
  }

  alive(): void {
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener("abort", this.#abort);
  }

  #kill(reason: string): void {
    this.reason ??= reason;
    this.#child.kill("SIGKILL");
  }
}

/** Takes the child's output apart, and believes no length in it. */
class DumpStream {
  /** The child runs. */
  started = false;
  complete = false;
  readonly #limit: number;
  readonly #take: (key: Uint8Array, value: Uint8Array) => void;
  #rest: Buffer = Buffer.alloc(0);
  #bytes = 0;
  #last: Uint8Array | undefined;

  constructor(limit: number, take: (key: Uint8Array, value: Uint8Array) => void) {
    this.#limit = limit;
    this.#take = take;
  }

  push(chunk: Uint8Array): void {
    if (this.complete) refuse("goes on behind its end");
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : bufferOn(chunk);
    let at = 0;
    if (!this.started && bytes.length >= 8) {
      this.started = true;
      at = 8;
    }
    while (this.started && at + 8 <= bytes.length && !this.complete) {
      const keyLength = bytes.readUInt32LE(at);
      const valueLength = bytes.readUInt32LE(at + 4);
      if (keyLength === END && valueLength === END) {
        this.complete = true;
        return;
      }
      if (keyLength > MAX_KEY_BYTES) refuse(`has a key of ${keyLength} bytes`);
      if (valueLength > MAX_VALUE_BYTES) refuse(`has a value of ${valueLength} bytes`);
      const end = at + 8 + keyLength + valueLength;
      if (end > bytes.length) break;
      this.#value(
        bytes.subarray(at + 8, at + 8 + keyLength),
        bytes.subarray(end - valueLength, end),
      );
      at = end;
    }
    this.#rest = bytes.subarray(at);
    this.#last &&= Uint8Array.from(this.#last);
  }

  #value(key: Uint8Array, value: Uint8Array): void {
    if (this.#last && Buffer.compare(this.#last, key) >= 0) refuse("has keys out of order");
    this.#last = key;
    this.#bytes += key.length + value.length;
    if (this.#bytes > this.#limit) refuse("has more values than its file can hold");
    this.#take(key, value);
  }
}

function bufferOn({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}

function refuse(what: string): never {
  throw new BlockspaceError("ECORRUPT", `the environment ${what}`);
}
