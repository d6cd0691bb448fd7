/**
 * Runs the command line as a process of its own, as its users do: what was built when it is up to
 * date, which starts fastest, and else the source.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect } from "vitest";
import { Host } from "../../src/index.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

const isUpToDate = isBuilt();

/** What node is given before the arguments of the command that a file of `src/cli` is. */
export function entryOf(name: "main" | "fsck-main"): readonly string[] {
  if (isUpToDate) return [join(root, `dist/cli/${name}.js`)];
  return ["--import", import.meta.resolve("tsx"), join(root, `src/cli/${name}.ts`)];
}

export const entry: readonly string[] = entryOf("main");

function isBuilt(): boolean {
  const main = join(root, "dist/cli/main.js");
  if (!existsSync(main)) return false;
  const built = statSync(main).mtimeMs;
  const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
  return files.every((file) => statSync(join(root, "src", file)).mtimeMs < built);
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  bytes: Buffer;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  input?: string | Uint8Array;
  env?: Record<string, string>;
}

const running = new Set<ChildProcessWithoutNullStreams>();

/** Starts the command and leaves its streams to the caller; it is killed after the test. */
export function start(args: readonly string[], options: RunOptions = {}): Running {
  const { NO_COLOR: _no, FORCE_COLOR: _force, ...env } = process.env;
  const child = spawn(process.execPath, [...entry, ...args], { env: { ...env, ...options.env } });
  running.add(child);
  child.stdin.on("error", () => undefined);
  const output = { stderr: "" };
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
  return new Running(child, output);
}

export class Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly #output: { stderr: string };

  constructor(child: ChildProcessWithoutNullStreams, output: { stderr: string }) {
    this.child = child;
    this.#output = output;
  }

  /** What it has said on stderr so far. */
  get stderr(): string {
    return this.#output.stderr;
  }

  /** Resolves when this stands on stderr. */
  async says(text: string): Promise<void> {
    while (!this.#output.stderr.includes(text)) {
      const ended = once(this.child, "close").then(() => "ended");
      const first = await Promise.race([ended, once(this.child.stderr, "data")]);
      if (first === "ended") throw new Error(`it never said ${text}: ${this.#output.stderr}`);
    }
  }

  /** Gives input, and resolves when the child has taken it (but for what its pipe holds). */
  async takes(bytes: Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => {
      this.child.stdin.write(bytes, () => resolve());
    });
  }

  async ends(): Promise<Ended> {
    const pieces: Buffer[] = [];
    this.child.stdout.on("data", (piece: Buffer) => pieces.push(piece)).resume();
    const [code, signal] = (await once(this.child, "close")) as [number | null, never];
    running.delete(this.child);
    const bytes = Buffer.concat(pieces);
    return { code, signal, bytes, stdout: bytes.toString(), stderr: this.#output.stderr };
  }
}

/** Runs the command to its end. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const started = start(args, options);
  started.child.stdin.end(options.input);
  return started.ends();
}

/** Runs the command, which must do well and say nothing on stderr, and returns its output. */
export async function blockspace(...args: string[]): Promise<string> {
  const { code, stderr, stdout } = await run(args);
  expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
  return stdout;
}

/** As {@link blockspace}, with `--json`. */
export async function blockspaceJson<T>(...args: string[]): Promise<T> {
  return JSON.parse(await blockspace(...args, "--json")) as T;
}

/** Runs the command, which must fail, and returns its exit code and what it says on stderr. */
export async function failure(...args: string[]): Promise<{ code: number | null; says: string }> {
  const { code, stdout, stderr } = await run(args);
  expect({ args, stdout }).toEqual({ args, stdout: "" });
  return { code, says: stderr };
}

/** A directory of its own for every test of a file, removed when the test is over. */
export function scratch(): (name: string) => string {
  let path = "";
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), "blockspace-cli-"));
  });
  afterEach(async () => {
    for (const child of running) {
      const closed = once(child, "close");
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await closed;
    }
    running.clear();
    await rm(path, { recursive: true });
  });
  return (name) => join(path, name);
}

/** A small store, made with the library, for `fill` to put something into. */
export async function makeStore(
  path: string,
  fill: (host: Host) => Promise<unknown> = () => Promise.resolve(),
): Promise<string> {
  const host = await Host.open(path, { create: true, capacity: 2 ** 28, journalSize: 2 ** 20 });
  try {
    await fill(host);
  } finally {
    await host.close();
  }
  return path;
}

/** Looks at a store with the library, when the command has let go of it. */
export async function inspect<T>(path: string, look: (host: Host) => T | Promise<T>): Promise<T> {
  const host = await Host.open(path, { readOnly: true });
  try {
    return await look(host);
  } finally {
    await host.close();
  }
}
