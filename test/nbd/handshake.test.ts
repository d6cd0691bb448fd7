/** The handshake: what is offered, what is agreed, what is refused and how. */
import { describe, expect, it, vi } from "vitest";
import { type Log, silent } from "../../src/nbd/watch.ts";
import { type Client, expectAck, exportQuery, metaQuery, opt, rep, u16, u32 } from "./client.ts";
import { DISK_BYTES, serve } from "./served-store.ts";

const RW = 0x1 | 0x4 | 0x8 | 0x20 | 0x40 | 0x100 | 0x400 | 0x800;
const RO = 0x1 | 0x2 | 0x4 | 0x8 | 0x100 | 0x400;
const DF = 0x80;

async function types(client: Client, option: number, data?: Buffer): Promise<number[]> {
  return (await client.option(option, data)).map(({ type }) => type);
}

describe("the greeting", () => {
  it("offers fixed newstyle and no zeroes", async () => {
    const { connect } = await serve();
    expect(await connect().greet()).toBe(3);
  });

  it("hangs up on client flags that nobody defined", async () => {
    const { connect } = await serve();
    const client = connect();
    await client.greet(4 | 1);
    expect(await client.hangUp()).toHaveLength(0);
  });
});

describe("EXPORT_NAME", () => {
  it.each([
    [3, 10],
    [1, 134],
  ])("with client flags %i is answered with %i bytes", async (flags, length) => {
    const { connect } = await serve();
    const client = connect();
    await client.greet(flags);
    client.sendOption(opt.exportName, Buffer.from("disk"));
    const reply = await client.take(length);
    expect(Number(reply.readBigUInt64BE())).toBe(DISK_BYTES);
    expect(reply.readUInt16BE(8)).toBe(RW);
    expect(reply.subarray(10).every((byte) => byte === 0)).toBe(true);
    client.transmit(false);
    expect(await client.read(0, 10)).toEqual(Buffer.alloc(10));
  });

  it.each([
    ["is not there", Buffer.from("nothing")],
    ["is no UTF-8", Buffer.from([0xff, 0xfe])],
    ["is longer than any name", Buffer.alloc(5000, "x")],
  ])("hangs up when the name %s", async (_what, name) => {
    const { connect } = await serve();
    const client = connect();
    await client.greet();
    client.sendOption(opt.exportName, name);
    expect(await client.hangUp()).toHaveLength(0);
  });
});

describe("INFO and GO", () => {
  it("tell size, flags, name, description and block sizes as asked", async () => {
    const { connect, host } = await serve();
    await host.snapshot("disk", "disk@monday");
    const client = connect();
    await client.greet();
    const replies = await client.option(opt.info, exportQuery("disk@monday", [1, 2, 3, 3, 99]));
    const byKind = new Map(
      replies.map(({ type, data }) => [type === 3 ? data.readUInt16BE() : -1, data]),
    );
    expect(byKind.size).toBe(5);
    expect(byKind.get(0)!.readUInt16BE(10)).toBe(RO);
    expect(byKind.get(1)!.toString("utf8", 2)).toBe("disk@monday");
    expect(byKind.get(2)!.toString("utf8", 2)).toBe("snapshot of disk");
    expect([2, 6, 10].map((at) => byKind.get(3)!.readUInt32BE(at))).toEqual([1, 512, 2 ** 25]);
    expect(replies.at(-1)!.type).toBe(rep.ack);
  });

  it("offer DF only after structured replies are agreed", async () => {
    const { connect } = await serve();
    const client = connect();
    await client.greet();
    expectAck(await client.option(opt.structured));
    const [first] = await client.option(opt.go, exportQuery("disk"));
    expect(first!.data.readUInt16BE(10)).toBe(RW | DF);
  });

  it("know the default export: the only writable subvolume, or the one that was named", async () => {
    const { connect, host } = await serve();
    const client = connect();
    await client.greet();
    const [, name] = await client.option(opt.info, exportQuery("", [1]));
    expect(name!.data.toString("utf8", 2)).toBe("disk");
    await host.create("other", { size: 512 });
    expect(await types(client, opt.info, exportQuery(""))).toEqual([rep.unknown]);
    const named = await serve({ defaultExport: "disk" });
    const other = named.connect();
    await other.greet();
    expect(await types(other, opt.go, exportQuery(""))).toEqual([rep.info, rep.ack]);
  });

  it("see subvolumes and snapshots that were made while the server runs", async () => {
    const { connect, host } = await serve();
    const client = connect();
    await client.greet();
    expect(await types(client, opt.info, exportQuery("disk@1"))).toEqual([rep.unknown]);
    await host.snapshot("disk", "disk@1");
    expect(await types(client, opt.info, exportQuery("disk@1"))).toEqual([rep.info, rep.ack]);
    await host.delete("disk@1");
    expect(await types(client, opt.go, exportQuery("disk@1"))).toEqual([rep.unknown]);
    expect(await types(client, opt.go, exportQuery("disk"))).toEqual([rep.info, rep.ack]);
  });

  it.each([
    ["cut off", exportQuery("disk").subarray(0, 7)],
    ["longer than what it says", Buffer.concat([exportQuery("disk"), Buffer.alloc(1)])],
    ["a name beyond its end", Buffer.concat([u32(2 ** 32 - 1), Buffer.from("disk"), u16(0)])],
    ["more requests than there are", Buffer.concat([u32(4), Buffer.from("disk"), u16(65535)])],
    ["empty", Buffer.alloc(0)],
    ["no UTF-8", Buffer.concat([u32(1), Buffer.from([0xff]), u16(0)])],
  ])("refuse a query that is %s, and go on", async (_what, query) => {
    const { connect } = await serve();
    const client = connect();
    await client.greet();
    expect(await types(client, opt.info, query)).toEqual([rep.invalid]);
    expect(await types(client, opt.go, query)).toEqual([rep.invalid]);
    expect(await types(client, opt.go, exportQuery("disk"))).toEqual([rep.info, rep.ack]);
  });

  it("answer a name of 4,096 bytes as one that is not there", async () => {
    const { connect } = await serve();
    const client = connect();
    await client.greet();
    expect(await types(client, opt.go, exportQuery("x".repeat(4096)))).toEqual([rep.unknown]);
    expect(await types(client, opt.go, exportQuery("x".repeat(5000)))).toEqual([rep.tooBig]);
  });
});

describe("LIST, ABORT and what else there is", () => {
  it("LIST names every export with its description", async () => {
    const { connect, host } = await serve({ isOffered: (name) => name !== "hidden" });
    await host.clone("disk", "lab");
    await host.create("hidden", { size: 1 });
    const client = connect();
    await client.greet();
    const replies = await client.option(opt.list);
    const names = replies.slice(0, -1).map(({ data }) => {
      const length = data.readUInt32BE();
      return [data.toString("utf8", 4, 4 + length), data.toString("utf8", 4 + length)];
    });
    expect(names).toEqual([
      ["disk", "subvolume"],
      ["lab", "clone of disk"],
    ]);
    expect(await types(client, opt.go, exportQuery("hidden"))).toEqual([rep.unknown]);
    expect(await types(client, opt.list, Buffer.alloc(1))).toEqual([rep.invalid]);
  });

  it("ABORT is acknowledged, data or not, and the connection closed", async () => {
    const { connect } = await serve();
    const client = connect();
    await client.greet();
    expect(await types(client, opt.abort, Buffer.alloc(9))).toEqual([rep.ack]);
    expect(await client.hangUp()).toHaveLength(0);
  });

  it("unknown options are refused without losing step", async () => {
    const { connect } = await serve();
    const client = connect();
    await client.greet();
    for (const option of [0, 4, opt.extendedHeaders, 2 ** 32 - 1]) {
      expect(await types(client, option, Buffer.alloc(100))).toEqual([rep.unsupported]);
    }
    expect(await types(client, 77, Buffer.alloc(100_000))).toEqual([rep.tooBig]);
    expect(await types(client, opt.structured, Buffer.alloc(1))).toEqual([rep.invalid]);
    expect(await types(client, opt.startTls)).toEqual([rep.policy]);
    expect(await types(client, opt.go, exportQuery("disk"))).toEqual([rep.info, rep.ack]);
  });

  it.each([
    ["a wrong magic number", Buffer.alloc(16, 1)],
    [
      "four gigabytes of option data",
      Buffer.concat([Buffer.from("IHAVEOPT"), u32(99), u32(2 ** 32 - 1)]),
    ],
  ])("hangs up on %s", async (_what, bytes) => {
    const { connect } = await serve();
    const client = connect();
    await client.greet();
    client.send(bytes);
    expect(await client.hangUp()).toHaveLength(0);
  });

  it("hangs up on a client that goes on with options for ever", async () => {
    const { connect } = await serve();
    const client = connect();
    await client.greet();
    const endless = async (): Promise<void> => {
      for (;;) {
        await client.option(opt.structured);
        answered++;
      }
    };
    let answered = 0;
    await expect(endless()).rejects.toThrow("hung up");
    expect(answered).toBe(1024);
  });

  it("hangs up on a client that says nothing, after the time it has for its handshake", async () => {
    const { connect, server } = await serve({ handshakeTimeoutMs: 30 });
    const client = connect();
    await client.greet();
    expect(await client.hangUp()).toHaveLength(0);
    await vi.waitFor(() => {
      expect(server.metrics()).toContain("blockspace_protocol_violations_total 1");
    });
  });

  it("turns clients away when there are too many, and the log names the first of a row", async () => {
    const warn = vi.fn<Log["warn"]>();
    const log = { ...silent, warn };
    const { connect, open } = await serve({ maxConnections: 1, log });
    const first = await open();
    for (let i = 0; i < 3; i++) await expect(connect().greet()).rejects.toThrow("hung up");
    expect(warn.mock.calls).toEqual([[{ connections: 1 }, expect.stringContaining("refused")]]);
    first.stream.destroy();
    await vi.waitFor(() => open());
    await expect(connect().greet()).rejects.toThrow("hung up");
    expect(warn).toHaveBeenCalledTimes(2);
  });
});

describe("metadata contexts in the handshake", () => {
  async function structured(): Promise<{
    client: Client;
    host: Awaited<ReturnType<typeof serve>>["host"];
  }> {
    const { connect, host } = await serve();
    const client = connect();
    await client.greet();
    expectAck(await client.option(opt.structured));
    return { client, host };
  }

  async function names(client: Client, option: number, queries: string[]): Promise<string[]> {
    const replies = await client.option(option, metaQuery("disk", queries));
    expectAck(replies);
    return replies.slice(0, -1).map(({ data }) => data.toString("utf8", 4));
  }

  const fixed = ["base:allocation", "qemu:allocation-depth", "x-blockspace:sharing"];

  it("are listed, with a bitmap for each snapshot that the export is related to", async () => {
    const { client, host } = await structured();
    await host.snapshot("disk", "disk@1");
    await host.create("other", { size: 512 });
    await host.snapshot("other", "other@1");
    expect(await names(client, opt.listMeta, [])).toEqual([...fixed, "qemu:dirty-bitmap:disk@1"]);
    expect(await names(client, opt.listMeta, ["base:"])).toEqual(["base:allocation"]);
    expect(await names(client, opt.listMeta, ["qemu:"])).toEqual([
      fixed[1],
      "qemu:dirty-bitmap:disk@1",
    ]);
    expect(await names(client, opt.listMeta, ["nobody:knows", "base:allocation"])).toEqual([
      "base:allocation",
    ]);
  });

  it("are selected by their full names only, each once", async () => {
    const { client, host } = await structured();
    await host.snapshot("disk", "a:b");
    expect(
      await names(client, opt.setMeta, ["base:", "base:allocation", "base:allocation", "x:y"]),
    ).toEqual(["base:allocation"]);
    expect(await names(client, opt.setMeta, [])).toEqual([]);
    expect(await names(client, opt.setMeta, ["qemu:dirty-bitmap:a:b"])).toEqual([
      "qemu:dirty-bitmap:a:b",
    ]);
    expect(await names(client, opt.setMeta, ["qemu:dirty-bitmap:disk"])).toEqual([]);
  });

  it("need structured replies, a known export, and a query that is well formed", async () => {
    const { connect } = await serve();
    const client = connect();
    await client.greet();
    expect(await types(client, opt.setMeta, metaQuery("disk", fixed))).toEqual([rep.invalid]);
    expectAck(await client.option(opt.structured));
    expect(await types(client, opt.setMeta, metaQuery("nothing", fixed))).toEqual([rep.unknown]);
    expect(await types(client, opt.setMeta, metaQuery("disk", fixed).subarray(0, 30))).toEqual([
      rep.invalid,
    ]);
    const endless = Buffer.concat([u32(4), Buffer.from("disk"), u32(2 ** 32 - 1)]);
    expect(await types(client, opt.listMeta, endless)).toEqual([rep.invalid]);
  });

  it("are forgotten when a later selection fails or is for another export", async () => {
    const tooLong = metaQuery("disk", ["x:".repeat(1000), "y:".repeat(1000), "z:".repeat(1000)]);
    for (const last of [metaQuery("nothing", fixed), metaQuery("other", fixed), tooLong]) {
      const { client, host } = await structured();
      await host.create("other", { size: 512 });
      await names(client, opt.setMeta, fixed);
      await client.option(opt.setMeta, last);
      expectAck(await client.option(opt.go, exportQuery("disk")));
      client.transmit(true);
      expect((await client.request({ type: 7, length: 512 })).error).toBe(22);
    }
  });

  it("are at most sixteen", async () => {
    const { client, host } = await structured();
    const queries: string[] = [];
    for (let i = 0; i < 17; i++) {
      await host.snapshot("disk", `s${i}`);
      queries.push(`qemu:dirty-bitmap:s${i}`);
    }
    expect(await types(client, opt.setMeta, metaQuery("disk", queries))).toEqual([rep.tooBig]);
    expect(await names(client, opt.setMeta, queries.slice(1))).toHaveLength(16);
  });
});
