/**
 * Random sequences of calls give the same results, errors and files on node's own file system and
 * on the simulated one.
 */
import type { FileHandle } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runs } from "../support/property-runs.ts";
import type { Subject } from "./file-system-suite.ts";
import { isLinux, removeAfterEach, subjects } from "./subjects.ts";

removeAfterEach();

/** What a call is made on: the subject, and what has been opened of it. */
interface Scene extends Subject {
  handles: (FileHandle | undefined)[];
}

interface Call {
  text: string;
  run: (scene: Scene) => Promise<unknown>;
}

const name = fc.constantFrom("a", "b", "a/c", "a/d", "a/c/e", "b/c", "b/c/", "a/../b", "x/y");
const slot = fc.nat({ max: 2 });
const text = fc.string({ maxLength: 12 });
const position = fc.option(fc.nat({ max: 9000 }), { freq: 2 });
const size = fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: 9000 }));
const flags = fc.constantFrom("r", "r+", "w", "w+", "wx", "wx+", "a", "a+", "ax", "as", "rs+");
const flag = fc.constantFrom(undefined, "w", "a", "r+", "wx");
const yes = fc.boolean();

function call<const T extends readonly unknown[]>(
  kind: string,
  given: { [K in keyof T]: fc.Arbitrary<T[K]> },
  run: (scene: Scene, ...given: T) => Promise<unknown>,
): fc.Arbitrary<Call> {
  return fc.tuple<T[number][]>(...given).map((values) => ({
    text: `${kind}(${JSON.stringify(values).slice(1, -1)})`,
    run: (scene) => run(scene, ...(values as unknown as T)),
  }));
}

const opened = (scene: Scene, index: number): FileHandle => {
  const handle = scene.handles[index];
  if (!handle) throw new Error("nothing is open there");
  return handle;
};
const kindOf = (stats: { size: number; isFile(): boolean }): unknown =>
  stats.isFile() ? stats.size : "folder";

const onDescriptors: fc.Arbitrary<Call>[] = [
  call("open", [slot, name, flags], async (scene, index, path, mode) => {
    await scene.handles[index]?.close();
    scene.handles[index] = undefined;
    scene.handles[index] = await scene.fs.open(`${scene.root}/${path}`, mode);
  }),
  call("close", [slot], (scene, index) => opened(scene, index).close()),
  call("read", [slot, size, position], async (scene, index, length, at) => {
    const read = await opened(scene, index).read(Buffer.alloc(length, "."), 0, length, at);
    return `${read.bytesRead} ${read.buffer.toString("latin1")}`;
  }),
  call("write", [slot, text, position], async (scene, index, data, at) => {
    return (await opened(scene, index).write(data, at)).bytesWritten;
  }),
  call("write of bytes", [slot, text, position], async (scene, index, data, at) => {
    const bytes = Buffer.from(data);
    return (await opened(scene, index).write(bytes, 0, bytes.length, at)).bytesWritten;
  }),
  call("writev", [slot, text, text, position], async (scene, index, one, other, at) => {
    const parts = [Buffer.from(one), Buffer.from(other)];
    return (await opened(scene, index).writev(parts, at ?? undefined)).bytesWritten;
  }),
  call("readv", [slot, size, size, position], async (scene, index, one, other, at) => {
    const parts = [Buffer.alloc(one, "."), Buffer.alloc(other, ".")];
    const { bytesRead } = await opened(scene, index).readv(parts, at ?? undefined);
    return `${bytesRead} ${Buffer.concat(parts).toString("latin1")}`;
  }),
  call("ftruncate", [slot, size], (scene, index, to) => opened(scene, index).truncate(to)),
  call("fsync", [slot], (scene, index) => opened(scene, index).sync()),
  call("fstat", [slot], async (scene, index) => kindOf(await opened(scene, index).stat())),
  call("read to the end", [slot], (scene, index) => opened(scene, index).readFile("latin1")),
  call("append", [slot, text], (scene, index, data) => opened(scene, index).appendFile(data)),
];

const onNames: fc.Arbitrary<Call>[] = [
  call("readFile", [name], ({ fs, root }, path) => fs.readFile(`${root}/${path}`, "latin1")),
  call("writeFile", [name, text, flag, yes], ({ fs, root }, path, data, mode, flush) =>
    fs.writeFile(`${root}/${path}`, data, { flush, ...(mode && { flag: mode }) }),
  ),
  call("appendFile", [name, text], ({ fs, root }, path, data) =>
    fs.appendFile(`${root}/${path}`, data),
  ),
  call("truncate", [name, size], ({ fs, root }, path, to) => fs.truncate(`${root}/${path}`, to)),
  call("rename", [name, name], ({ fs, root }, from, to) =>
    fs.rename(`${root}/${from}`, `${root}/${to}`),
  ),
  call("link", [name, name], ({ fs, root }, from, to) =>
    fs.link(`${root}/${from}`, `${root}/${to}`),
  ),
  call("copyFile", [name, name, yes], ({ fs, root }, from, to, isNew) =>
    fs.copyFile(`${root}/${from}`, `${root}/${to}`, isNew ? fs.constants.COPYFILE_EXCL : 0),
  ),
  call("unlink", [name], ({ fs, root }, path) => fs.unlink(`${root}/${path}`)),
  call("rmdir", [name], ({ fs, root }, path) => fs.rmdir(`${root}/${path}`)),
  call("mkdir", [name, yes], async ({ fs, root }, path, recursive) =>
    (await fs.mkdir(`${root}/${path}`, { recursive }))?.slice(root.length),
  ),
  call("rm", [name, yes, yes], async ({ fs, root }, path, recursive, force) => {
    try {
      return await fs.rm(`${root}/${path}`, { recursive, force });
    } catch (error) {
      // Which system call it was depends on the version of node; and whether `force` forgives a file
      // that stands on the way, too.
      const { code } = error as NodeJS.ErrnoException;
      return force && code === "ENOTDIR" ? undefined : code;
    }
  }),
  call("readdir", [name], async ({ fs, root }, path) =>
    (await fs.readdir(`${root}/${path}`)).toSorted(),
  ),
  call("stat", [name], async ({ fs, root }, path) => kindOf(await fs.stat(`${root}/${path}`))),
];

/** What came of a call, in a shape that is the same under any root. */
async function outcome(scene: Scene, { run }: Call): Promise<unknown> {
  try {
    return { value: await run(scene) };
  } catch (error) {
    const { code, errno, syscall, path } = error as NodeJS.ErrnoException;
    const relative = (whole: unknown): unknown =>
      typeof whole === "string" ? whole.slice(scene.root.length) : whole;
    const dest = relative((error as { dest?: string }).dest);
    // A closed handle is told of by node in words that name its own functions.
    if (code === "EBADF") return { code };
    return { code, errno, syscall, path: relative(path), dest };
  }
}

async function contentOf({ fs, root }: Subject, below = ""): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const entry of (await fs.readdir(`${root}${below}`)).toSorted()) {
    const path = `${below}/${entry}`;
    const isFolder = (await fs.stat(root + path)).isDirectory();
    found.push([
      path,
      isFolder ? await contentOf({ fs, root }, path) : await fs.readFile(root + path, "latin1"),
    ]);
  }
  return found;
}

async function play(make: () => Subject, calls: readonly Call[]): Promise<unknown[]> {
  const scene: Scene = { ...make(), handles: [] };
  const outcomes: unknown[] = [];
  try {
    for (const each of calls) outcomes.push([each.text, await outcome(scene, each)]);
  } finally {
    for (const handle of scene.handles) await handle?.close();
  }
  return [...outcomes, await contentOf(scene)];
}

describe.skipIf(!isLinux)("random calls, as on Linux", () => {
  it.each([
    ["node:fs/promises", "simulated"],
    ["node:fs", "simulated, synchronous"],
  ] as const)("do the same on %s and on the %s one", async (real, simulated) => {
    const calls = fc.array(fc.oneof(...onDescriptors, ...onNames), { maxLength: 60, size: "max" });
    await fc.assert(
      fc.asyncProperty(calls, async (sequence) => {
        const expected = await play(subjects[real]!, sequence);
        expect(await play(subjects[simulated]!, sequence)).toEqual(expected);
      }),
      runs(300),
    );
  });
});
