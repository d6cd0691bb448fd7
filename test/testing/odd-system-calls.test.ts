/**
 * Calls that few programs make: each is followed, or its trace refused. They went by without a word
 * once, and the trace was wrong from there on.
 */
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/disk.ts";
import { parseStraceLog } from "../../src/testing/strace-log.ts";
import { atStart } from "../../src/testing/system-call-steps.ts";
import { TracedProgram } from "../../src/testing/traced-program.ts";
import {
  crashStates,
  fingerprintOfImage,
  readImage,
  straceMissing,
  type SystemCallTrace,
  traceSystemCalls,
} from "../../src/testing.ts";

const missing = straceMissing() || (process.arch !== "x64" && "the numbers of calls are of x64");
const skipped = missing ? ` (skipped: ${missing})` : "";

let outer = "";
let directory = "";
beforeEach(async () => {
  outer = await mkdtemp(join(await realpath(tmpdir()), "odd-calls-"));
  directory = join(outer, "traced");
  await mkdir(directory);
});
afterEach(() => rm(outer, { recursive: true }));

const preamble = `
  import fs from "node:fs";
  const { default: koffi } = await import(${JSON.stringify(import.meta.resolve("koffi"))});
  const types = { number: "int64", string: "str", object: "void *", bigint: "int64" };
  const call = (number, ...args) => {
    const given = args.map((arg) => types[typeof arg]);
    const result = koffi.load(null).func("syscall", "long", ["long", ...given])(number, ...args);
    if (Number(result) === -1) throw new Error("call " + number + " failed: " + koffi.errno());
    return Number(result);
  };
  const vector = (text) => {
    const bytes = Buffer.from(text);
    globalThis.kept = bytes;
    return new BigUint64Array([koffi.address(bytes), BigInt(bytes.length)]);
  };
  const CWD = -100;
  const elsewhere = ${JSON.stringify("../elsewhere")};
`;

function trace(program: string): Promise<SystemCallTrace> {
  const args = ["--input-type=module", "--eval", preamble + program];
  return traceSystemCalls({ command: process.execPath, args, directory });
}

/** What it wrote is what the trace says. */
async function expectFollowed(
  program: string,
  name: string,
  text: string,
): Promise<SystemCallTrace> {
  const found = await trace(program);
  expect(found.errors).toBe("");
  expect(await readFile(join(directory, name), "utf8")).toBe(text);
  expect(fingerprintOfImage(found.disk.image())).toBe(
    fingerprintOfImage(await readImage(directory)),
  );
  return found;
}

describe.skipIf(missing)(`a trace follows${skipped}`, () => {
  it("openat2", async () => {
    await expectFollowed(
      `const how = new BigUint64Array([BigInt(fs.constants.O_RDWR | fs.constants.O_CREAT), 0o644n, 0n]);
       const fd = call(437, CWD, "f", how, 24);
       fs.writeSync(fd, "by openat2");`,
      "f",
      "by openat2",
    );
  });

  it("a file that is told later to append", async () => {
    await expectFollowed(
      `const fd = fs.openSync("f", "w"); fs.writeSync(fd, "abc");
       call(8, fd, 0, 0); call(72, fd, 4, fs.constants.O_APPEND); fs.writeSync(fd, "def");
       call(72, fd, 4, 0); call(8, fd, 0, 0); fs.writeSync(fd, "A");`,
      "f",
      "Abcdef",
    );
  });

  it("a write that appends by its own flag", async () => {
    await expectFollowed(
      `const fd = fs.openSync("f", "w"); fs.writeSync(fd, "abc");
       call(328, fd, vector("def"), 1, 0, 0, 0x10);`,
      "f",
      "abcdef",
    );
  });

  it("reads by preadv2, which move the place of the next write", async () => {
    await writeFile(join(directory, "f"), "abcdef");
    await expectFollowed(
      `const fd = fs.openSync("f", "r+");
       call(327, fd, vector(".."), 1, -1, 0, 0); call(327, fd, vector("."), 1, 0, 0, 0);
       fs.writeSync(fd, "C");`,
      "f",
      "abCdef",
    );
  });

  it("a file that is sent elsewhere, which moves its place, too", async () => {
    await writeFile(join(directory, "f"), "abcdef");
    await expectFollowed(
      `const fd = fs.openSync("f", "r+"); const out = fs.openSync(elsewhere, "w");
       call(40, out, fd, 0, 3); fs.writeSync(fd, "D");`,
      "f",
      "abcDef",
    );
  });

  it("descriptors that are to close later, and no sooner", async () => {
    await expectFollowed(
      `const fd = fs.openSync("f", "w"); call(436, fd, fd, 4); fs.writeSync(fd, "abc");
       fs.ftruncateSync(fd, 2);`,
      "f",
      "ab",
    );
  });

  it("a file that is made without being opened", async () => {
    await expectFollowed(`call(133, "f", 0o100644, 0);`, "f", "");
  });

  // Only what is opened was seen: a name that was changed by such a path kept its old one.
  it("names that are changed by a path with a link in it", async () => {
    await symlink(directory, join(outer, "link"));
    const through = `const at = ${JSON.stringify(join(outer, "link"))} + "/";`;
    await expectFollowed(
      `${through} fs.mkdirSync(at + "d"); fs.writeFileSync(at + "d/f", "abc");
       fs.renameSync(at + "d/f", at + "g"); fs.truncateSync(at + "g", 2); fs.rmdirSync(at + "d");
       fs.writeFileSync(at + "gone", ""); fs.unlinkSync(at + "gone");
       process.chdir(at); fs.renameSync("g", "h");`,
      "h",
      "ab",
    );
  });

  it("a flush of a whole file system, but not of another one", async () => {
    await writeFile(join(directory, "f"), "old");
    const lost = new Set<string>();
    for (const file of ["/proc/self/stat", "f"]) {
      const found = await expectFollowed(
        `const fd = fs.openSync("f", "r+"); fs.writeSync(fd, "new");
         call(306, fs.openSync(${JSON.stringify(file)}, "r"));`,
        "f",
        "new",
      );
      const { start, trace: entries } = found.disk;
      const options = { kinds: ["prefix"] as const, firstCut: entries.length };
      const states = [...crashStates({ start, trace: entries }, options)];
      if (states.length > 1) lost.add(file);
      await writeFile(join(directory, "f"), "old");
    }
    expect([...lost]).toEqual(["/proc/self/stat"]);
  });
});

describe.skipIf(missing)(`a trace is refused${skipped}`, () => {
  it("where memory becomes writable that a file was mapped to", async () => {
    await writeFile(join(directory, "f"), "x".repeat(4096));
    const map = `const fd = fs.openSync("f", "r+"); const at = call(9, 0, 4096, 1, 1, fd, 0);`;
    await expect(trace(`${map} call(10, at, 4096, 3);`)).rejects.toThrow(/: mprotect of "f"$/);
    await expect(
      trace(`${map} const there = call(25, at, 4096, 8192, 1); call(10, there, 4096, 3);`),
    ).rejects.toThrow(/: mprotect of "f"$/);
    await expect(trace(map)).resolves.toMatchObject({ exitCode: 0, unseen: [] });
  });

  it("where a file gets a name outside, or its words come from there", async () => {
    await writeFile(join(directory, "f"), "x");
    await expect(trace(`fs.linkSync("f", elsewhere);`)).rejects.toThrow(/: link of "f"$/);
    await expect(trace(`call(40, 1, fs.openSync(elsewhere, "r"), 0, 1);`)).rejects.toThrow(
      /: sendfile of "standard output"$/,
    );
  });

  it("where two names are exchanged, one of them elsewhere", async () => {
    await writeFile(join(directory, "f"), "x");
    await writeFile(join(outer, "elsewhere"), "y");
    const exchange = `call(316, CWD, "f", CWD, elsewhere, 2);`;
    await expect(trace(exchange)).rejects.toThrow(/: renameat2 of "f"$/);
  });

  it("where a file that had no name gets one", async () => {
    const nameless = `
      const O_TMPFILE = 0o20200000;
      const fd = fs.openSync(".", fs.constants.O_RDWR | O_TMPFILE); fs.writeSync(fd, "abc");
      call(265, CWD, "/proc/self/fd/" + fd, CWD, "f", 0x400);
    `;
    await expect(trace(nameless)).rejects.toThrow(/: openat of "#\d+", .*linkat of "f"/);
  });
});

// On file systems that have them; strace has two names for this one.
it("a reflink is an unseen change, and a question about a file is none", () => {
  const calls = parseStraceLog([
    `1 ioctl(4<${hex("/d/f")}>, BTRFS_IOC_CLONE or FICLONE, 3<${hex("/d/g")}>) = 0`,
    `1 ioctl(4<${hex("/d/h")}>, FS_IOC_GETFLAGS, [FS_EXTENT_FL]) = 0`,
  ]);
  const program = new TracedProgram(new SimulatedDisk(), "/d", calls, () => undefined);
  for (const call of calls) atStart["ioctl"]!(program, call, 0);
  expect(program.unseen).toEqual([{ call: "ioctl", path: "f" }]);
});

function hex(text: string): string {
  return [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}
