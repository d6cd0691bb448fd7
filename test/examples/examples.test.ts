/**
 * Every example runs by itself against the built package, as a user would run it, says what it
 * should, and leaves nothing behind.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cannotMount, note } from "../nbd/external-tools.ts";

const examples = fileURLToPath(new URL("../../examples/", import.meta.url));

const expected: Readonly<Record<string, readonly string[]>> = {
  "check-a-log.ts": [
    "careless, 31 different crash states:",
    "  prefix: red should be there, and undefined is",
    "  subset: red should be there, and undefined is",
    "  names: red should be there, and undefined is",
    "  prefix: red or green should be there, and undefined is",
    "  subset: red or green should be there, and undefined is",
    "  names: red or green should be there, and undefined is",
    "careful, 83 different crash states:",
    "  no flaws",
  ],
  "quickstart.ts": ["hello HELLO"],
  "serve.ts": [
    "clients connect to nbd+unix:///?socket=DIRECTORY/nbd.sock",
    "exports: disk, disk@now",
  ],
  "snapshots.ts": [
    "disk: friday, disk@monday: monday",
    "changed: 4 KiB at 0 B",
    "changed: 32 KiB at 512 MiB",
    "experiment: broken, disk@monday: monday",
    "disk after rollback: monday",
    "disk: subvolume",
    "disk@monday: snapshot of disk",
    "disk@friday: snapshot of disk",
  ],
  "two-phase.ts": [
    "reserved: true",
    "allocated: 0 + 8192 mapped [new dirty]",
    "before the commit: old ",
    "after the commit:  new ",
    "allocated: 32768 + 4096 unwritten [dirty]",
    "refused: EINVAL",
    "staged in the end: 0",
    "map: 0 + 8192 mapped []",
    "map: 8192 + 24576 hole []",
    "map: 32768 + 4096 mapped []",
    "map: 36864 + 1011712 hole []",
  ],
  "transactions.ts": [
    "first transaction: balance: 100 / deposit: 100",
    'refused: ERANGE: 12 bytes at offset 4090 end beyond subvolume "log" of 4096 bytes',
    "after the refusal: balance: 100 / deposit: 100",
    "given up: a balance is never negative",
    "after giving up: balance: 100 / deposit: 100",
  ],
  "sandbox-pool.ts": [
    "golden image: 10 GiB, of which 16 MiB are used",
    "results: 101 102 103 104 105 106 107 108",
    "subvolumes left: image, image@golden",
    "the image still begins with: 1",
    "used beyond the image: 0 B",
  ],
};

describe("examples", () => {
  let temporary = "";
  beforeAll(async () => {
    temporary = await mkdtemp(join(tmpdir(), "blockspace-examples-"));
  });
  afterAll(() => rm(temporary, { recursive: true }));

  it("are all listed here", async () => {
    const all = [...Object.keys(expected), "serve-and-mount.sh"];
    expect(await readdir(examples)).toEqual(all.toSorted());
  });

  it("quickstart.ts is the example of the README, word for word", async () => {
    const readme = await readFile(join(examples, "../README.md"), "utf8");
    const [, example] = /```ts\n(.*?)```/s.exec(readme)!;
    const quickstart = await readFile(join(examples, "quickstart.ts"), "utf8");
    const [library, ...program] = example!.split("\n\n");
    expect(quickstart).toContain(library);
    expect(quickstart).toContain(program.join("\n\n"));
  });

  it.each(Object.entries(expected))("%s", async (name, lines) => {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ["--import", "tsx", join(examples, name)],
      { env: { ...process.env, TMPDIR: temporary } },
    );
    expect(stderr).toBe("");
    expect(stdout).toBe(`${lines.join("\n")}\n`);
    const left = (await readdir(temporary)).filter((entry) => entry.startsWith("blockspace-"));
    expect(left).toEqual([]);
  });

  const reason = cannotMount("ext4");
  it.skipIf(reason)(`serve-and-mount.sh${note(reason)}`, { timeout: 60_000 }, async () => {
    const [bin, work] = [join(temporary, "bin"), join(temporary, "work")];
    await mkdir(bin);
    await mkdir(work);
    await symlink(join(examples, "../dist/cli/main.js"), join(bin, "blockspace"));
    const { stdout, stderr } = await promisify(execFile)(
      "sh",
      [join(examples, "serve-and-mount.sh"), work],
      { env: { ...process.env, PATH: `${bin}:${process.env["PATH"]}` } },
    );
    expect(stderr).toBe("");
    expect(stdout).toBe("after\nbefore\n");
    expect(await readdir(join(work, "mnt"))).toEqual([]);
  });
});
