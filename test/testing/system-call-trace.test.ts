/** What a real program does to its directory, seen through its system calls. */
import { mkdtemp, mkdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  crashStates,
  fingerprintOfImage,
  type DiskImage,
  readImage,
  straceMissing,
  type SystemCallTrace,
  traceSystemCalls,
  type TraceOptions,
} from "../../src/testing.ts";

const missing = straceMissing();
const skipped = missing ? ` (skipped: ${missing})` : "";

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(await realpath(tmpdir()), "trace-test-"));
});
afterEach(() => rm(directory, { recursive: true }));

/** Traces a program given by its text; `fs` is there. */
function trace(program: string, options: Partial<TraceOptions> = {}): Promise<SystemCallTrace> {
  const text = `import fs from "node:fs"; import { open } from "node:fs/promises";\n${program}`;
  const args = ["--input-type=module", "--eval", text];
  return traceSystemCalls({ command: process.execPath, args, directory, ...options });
}

/** The entries of a trace in short. */
function story({ disk }: SystemCallTrace): string[] {
  return disk.trace.map(({ operation }) =>
    operation.kind === "mark"
      ? `says ${String(operation.value)}`
      : `${operation.kind} ${operation.path}`,
  );
}

/** The texts that a file has over all crash states at the end; `null` where it is not there. */
function textsAtEnd({ disk }: SystemCallTrace, name: string): Set<string | null> {
  const texts = new Set<string | null>();
  const kinds = ["prefix", "subset"] as const;
  const recording = { start: disk.start, trace: disk.trace };
  for (const state of crashStates(recording, { kinds, firstCut: disk.trace.length })) {
    texts.add(textOf(state.image(), name));
  }
  return texts;
}

function textOf(image: DiskImage, name: string): string | null {
  const node = image.folders.get(0)!.get(name);
  const file = node === undefined ? undefined : image.files.get(node);
  if (!file) return null;
  const page = file.pages.get(0) ?? new Uint8Array(file.size);
  return Buffer.from(page.subarray(0, file.size)).toString().replaceAll("\0", ".");
}

describe.skipIf(missing)(`the trace of a program${skipped}`, () => {
  it("has its changes and its words in their order, and ends with what is there", async () => {
    const found = await trace(`
      fs.mkdirSync("d");
      const fd = fs.openSync("d/f", "w+");
      fs.writeSync(fd, "abc");
      console.log("one");
      fs.writeSync(fd, "xy", 10);
      fs.ftruncateSync(fd, 20);
      fs.fdatasyncSync(fd);
      fs.writevSync(fd, [Buffer.from("1"), Buffer.from("22")]);
      fs.renameSync("d/f", "d/g");
      fs.linkSync("d/g", "h");
      fs.unlinkSync("d/g");
      fs.writeSync(fd, "z");
      const folder = fs.openSync("d", "r");
      fs.fsyncSync(folder);
      process.stdout.write("two\\nthr"); process.stdout.write("ee\\n");
      fs.rmdirSync("d");
    `);
    expect(found.exitCode).toBe(0);
    expect(story(found).join(", ")).toBe(
      "create d, create d/f, write d/f, says one, write d/f, resize d/f, flush d/f, write d/f, " +
        "rename d/f, create h, remove d/g, write d/f, sync d, says two, says three, remove d",
    );
    expect(fingerprintOfImage(found.disk.image())).toBe(
      fingerprintOfImage(await readImage(directory)),
    );
    expect(await readFile(join(directory, "h"), "utf8")).toContain("abc122z");
  });

  it("starts with what is there already, which is durable", async () => {
    await writeFile(join(directory, "old"), "durable");
    const found = await trace(`
      const fd = fs.openSync("old", "r+"); fs.readSync(fd, Buffer.alloc(3)); fs.writeSync(fd, "-");
      fs.closeSync(fd);
      fs.appendFileSync("old", "+");
    `);
    expect(await readFile(join(directory, "old"), "utf8")).toBe("dur-ble+");
    expect(textsAtEnd(found, "old")).toEqual(
      new Set(["durable", "dur-ble", "dur-ble.", "dur-ble+", "durable.", "durable+"]),
    );
  });

  it("makes durable what is written through, and that alone", async () => {
    const found = await trace(`
      fs.writeFileSync("f", "......"); let fd = fs.openSync("f", "r+"); fs.fsyncSync(fd);
      fs.fsyncSync(fs.openSync(".", "r"));
      fs.writeSync(fd, "a", 0);
      const through = fs.openSync("f", fs.constants.O_RDWR | fs.constants.O_DSYNC);
      fs.writeSync(through, "b", 3);
      console.log("done");
    `);
    expect(textsAtEnd(found, "f")).toEqual(new Set(["...b..", "a..b.."]));
  });

  it("flushes what was done before the flush, not what was done during it", async () => {
    const found = await trace(`
      fs.writeFileSync("f", "."); const file = await open("f", "r+"); await file.sync();
      await file.write("a", 0); await file.sync(); await file.write("b", 1);
      await file.close();
    `);
    const { trace: entries } = found.disk;
    const flush = entries.findLast(({ operation }) => operation.kind === "flush")!;
    expect(flush.effects).toMatchObject([{ type: "flushed", calledAt: flush.index }]);
    const last = entries.findLast(({ operation }) => operation.kind === "write")!;
    expect(last.index).toBeGreaterThan(flush.index);
  });

  it("knows files by names that lead through links, and processes that the program starts", async () => {
    await mkdir(join(directory, "real"));
    await symlink(join(directory, "real"), `${directory}-link`);
    try {
      const found = await trace(
        `
        import { execFileSync } from "node:child_process";
        process.chdir(${JSON.stringify(`${directory}-link`)});
        fs.writeFileSync("f", "by node");
        execFileSync("sh", ["-c", "echo shell >> f; mv f g; echo said >&3"], { stdio: [0, 1, 2, 1] });
        `,
        { directory: join(directory, "real") },
      );
      expect(story(found)).toEqual(["create f", "write f", "write f", "rename f", "says said"]);
      expect(textOf(found.disk.image(), "g")).toBe("by nodeshell\n");
    } finally {
      await rm(`${directory}-link`);
    }
  });

  it("turns lines into marks as it is told", async () => {
    const found = await trace(`console.log("3"); console.log("4");`, { mark: Number });
    expect(found.disk.trace.map(({ operation }) => operation)).toEqual([
      { kind: "mark", value: 3 },
      { kind: "mark", value: 4 },
    ]);
  });

  // Found with a program that keeps a backup: `fs.copyFile` alone made its trace be refused.
  it("knows what the system copies from one file of the directory to another", async () => {
    const copies = `
      fs.writeFileSync("f", "012345"); fs.copyFileSync("f", "g"); fs.truncateSync("f", 3);
      import { execFileSync } from "node:child_process";
      const [from, to] = [fs.openSync("f", "r"), fs.openSync("g", "r+")];
      fs.readSync(from, Buffer.alloc(1));
      execFileSync("cat", { stdio: [from, to, 2] });
      execFileSync("cat", { stdio: [fs.openSync("f", "r"), fs.openSync("h", "a"), 2] });
    `;
    const found = await trace(copies);
    expect(found.calls.map(({ name }) => name)).toContain("copy_file_range");
    expect(textOf(found.disk.image(), "g")).toBe("122345");
    expect(fingerprintOfImage(found.disk.image())).toBe(
      fingerprintOfImage(await readImage(directory)),
    );
    expect(textsAtEnd(found, "h")).toEqual(new Set([null, "", "...", "012"]));
  });

  it("is refused when a file changes in a way that it cannot show", async () => {
    const elsewhere = join(directory, "..", `${basename(directory)}-elsewhere`);
    await writeFile(elsewhere, "x".repeat(100));
    const copy = `
      import { execFileSync } from "node:child_process";
      fs.copyFileSync(${JSON.stringify(elsewhere)}, "to");
      fs.symlinkSync("to", "link");
    `;
    await expect(trace(copy)).rejects.toThrow(
      /(copy_file_range|sendfile|ioctl) of "to", symlink of "link"/,
    );
    await rm(join(directory, "link"));
    const found = await trace(`${copy}\nfs.copyFileSync("to", "of-unseen");`, {
      mayChangeUnseen: () => true,
    });
    expect(found.unseen.map(({ path }) => path)).toEqual(["to", "link", "of-unseen"]);
    await rm(elsewhere);
  });

  // MySQL and others write by it: their traces held none of that, without a word.
  it.skipIf(process.arch !== "x64")("is refused when a program hands its writes in", async () => {
    const submit = `
      const { default: koffi } = await import(${JSON.stringify(import.meta.resolve("koffi"))});
      const context = new BigUint64Array(1);
      const call = (...types) => koffi.load(null).func("syscall", "long", ["long", ...types]);
      const [io_setup, io_submit] = [206, 209];
      call("long", "void *")(io_setup, 1, context);
      call("uint64", "long", "void *")(io_submit, context[0], 0, null);
    `;
    await expect(trace(submit)).rejects.toThrow(/: io_submit of ""$/);
  });

  it("is refused when a write is longer than it may be", async () => {
    const long = `fs.writeFileSync("f", "x".repeat(5000));`;
    await expect(trace(long, { maxWriteBytes: 4096 })).rejects.toThrow(
      /write has more than maxBytes/,
    );
    expect(story(await trace(long, { maxWriteBytes: 5000 }))).toContain("write f");
  });
});
