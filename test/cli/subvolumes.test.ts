/** The commands that make, change and list subvolumes, snapshots and clones. */
import { describe, expect, it } from "vitest";
import { GiB, type Host, MiB } from "../../src/index.ts";
import { blockspace, blockspaceJson, failure, inspect, makeStore, scratch } from "./blockspace.ts";

const at = scratch();

async function disk(host: Host): Promise<void> {
  await (await host.create("disk", { size: MiB })).write(0, Buffer.alloc(8192, "a"));
}

async function firstByte(name: string): Promise<string> {
  return inspect(at("s"), async (host) => (await host.get(name).read(0, 1)).toString());
}

/** Fills the first block of a subvolume with a letter. */
async function fillFirstBlock(name: string, letter: string): Promise<void> {
  await makeStore(at("s"), (host) => host.get(name).write(0, Buffer.alloc(4096, letter)));
}

describe("subvolumes", () => {
  it("are made, resized, renamed and deleted without a word", async () => {
    await makeStore(at("s"));
    const sizeOf = (name: string): Promise<number> =>
      inspect(at("s"), (host) => host.get(name).size);
    expect(await blockspace("create", at("s"), "disk", "--size", "10GiB")).toBe("");
    expect(await sizeOf("disk")).toBe(10 * GiB);
    expect(await blockspace("resize", at("s"), "disk", "4097")).toBe("");
    expect(await sizeOf("disk")).toBe(4097);
    expect(await blockspace("rename", at("s"), "disk", "floppy")).toBe("");
    expect(await sizeOf("floppy")).toBe(4097);
    expect(await blockspace("delete", at("s"), "floppy")).toBe("");
    expect(await inspect(at("s"), (host) => host.list())).toEqual([]);
  });

  it("share with snapshots and clones, and go back", async () => {
    await makeStore(at("s"), disk);
    expect(await blockspace("snapshot", at("s"), "disk", "disk@monday")).toBe("");
    await fillFirstBlock("disk", "b");
    expect(await blockspace("clone", at("s"), "disk@monday", "lab")).toBe("");
    expect([await firstByte("disk"), await firstByte("lab")]).toEqual(["b", "a"]);
    expect(await blockspace("rollback", at("s"), "disk", "disk@monday")).toBe("");
    expect(await firstByte("disk")).toBe("a");
  });

  it("have names with every letter", async () => {
    await makeStore(at("s"));
    const names = ["disk@monday", "Ünïcødé 磁盘", "💾", "a b/c\\d\"e'", "--size"];
    for (const name of names) await blockspace("create", at("s"), "--size", "1", "--", name);
    const listed = await blockspaceJson<{ name: string }[]>("list", at("s"));
    expect(listed.map(({ name }) => name)).toEqual(names);
    const lines = (await blockspace("list", at("s"))).trimEnd().split("\n");
    const starts = lines.map((line) => /^.*?(?= {2,}(?:SIZE|1 B) )/.exec(line)?.[0]);
    expect(starts).toEqual(["NAME", ...names]);
  });

  it.each([
    ["an unknown name", ["delete", "nobody"], 'ENOENT: there is no subvolume "nobody"'],
    ["a name that is taken", ["clone", "disk", "disk"], 'EEXIST: there is a subvolume "disk"'],
    ["a rollback to itself", ["rollback", "disk", "disk"], 'EINVAL: "disk" is not a snapshot'],
  ])("refuse %s with 1", async (_what, [command, ...args], message) => {
    await makeStore(at("s"), disk);
    const { code, says } = await failure(command!, at("s"), ...args);
    expect(code).toBe(1);
    expect(says.split("\n")).toEqual([expect.stringContaining(`blockspace: ${message}`), ""]);
    expect(await inspect(at("s"), (host) => host.list().map(({ name }) => name))).toEqual(["disk"]);
  });

  it("are nowhere without a store", async () => {
    expect(await failure("list", at("s"))).toEqual({
      code: 1,
      says: `blockspace: ENOENT: there is no store in ${at("s")}\n`,
    });
    expect((await failure("create", at("s"), "disk", "--size", "1")).code).toBe(1);
  });
});

describe("list", () => {
  async function three(host: Host): Promise<void> {
    await disk(host);
    await host.snapshot("disk", "snap");
    await host.get("disk").write(4096, Buffer.alloc(4096, "b"));
    await host.create(`.import-${"0".repeat(16)}`, { size: 5 });
  }

  it("tells everything as JSON", async () => {
    await makeStore(at("s"), three);
    const created = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string;
    expect(await blockspaceJson("list", at("s"))).toEqual([
      {
        name: "disk",
        id: 1,
        size: MiB,
        readOnly: false,
        source: null,
        created,
        referencedBytes: 8192,
        exclusiveBytes: 4096,
      },
      {
        name: "snap",
        id: 2,
        size: MiB,
        readOnly: true,
        source: "disk",
        created,
        referencedBytes: 8192,
        exclusiveBytes: 4096,
      },
      {
        name: ".import-0000000000000000",
        id: 3,
        size: 5,
        readOnly: false,
        source: null,
        created,
        referencedBytes: 0,
        exclusiveBytes: 0,
      },
    ]);
  });

  it("shows aligned columns", async () => {
    await makeStore(at("s"), three);
    const lines = (await blockspace("list", at("s"))).trimEnd().split("\n");
    const timeless = lines.map((line) =>
      line.replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/, "<time>"),
    );
    expect(timeless).toEqual([
      "NAME                       SIZE  REFERENCED  EXCLUSIVE  KIND               SOURCE  CREATED",
      "disk                      1 MiB       8 KiB      4 KiB  subvolume          -       <time>",
      "snap                      1 MiB       8 KiB      4 KiB  snapshot           disk    <time>",
      ".import-0000000000000000    5 B         0 B        0 B  unfinished import  -       <time>",
    ]);
  });

  it("is an empty array where nothing is", async () => {
    await makeStore(at("s"));
    expect(await blockspaceJson("list", at("s"))).toEqual([]);
  });
});
