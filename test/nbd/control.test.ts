/** Commands on a store that is being served: they go through the server, and say what they always say. */
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import {
  blockspace,
  blockspaceJson,
  failure,
  inspect,
  makeStore,
  run,
  scratch,
  start,
  type Running,
} from "../cli/blockspace.ts";
import { ControlServer } from "../../src/cli/control/control-server.ts";
import { receive, send } from "../../src/cli/control/messages.ts";
import { ServedStore } from "../../src/cli/control/served-store.ts";
import { Host } from "../../src/index.ts";
import { Client } from "./client.ts";
import { serveNewStore } from "./served-process.ts";

const at = scratch();

async function open(store: string, name: string): Promise<Client> {
  const client = new Client(connect({ path: `${store}/nbd.sock` }));
  await client.go(name);
  return client;
}

describe("a store that is being served", () => {
  it("is snapshotted, cloned and changed by commands while a client writes", async () => {
    const served = await serveNewStore(at("store"));
    const { store } = served;
    const client = await open(store, "disk");
    await client.write(0, Buffer.from("before"));
    await blockspace("snapshot", store, "disk", "disk@1");
    await client.write(0, Buffer.from("after!"));
    await blockspace("clone", store, "disk@1", "lab");
    await blockspace("rename", store, "lab", "lab2");
    await blockspace("resize", store, "lab2", "1MiB");
    const lab = await open(store, "lab2");
    expect((await lab.read(0, 6)).toString()).toBe("before");
    expect((await client.read(0, 6)).toString()).toBe("after!");
    const listed = await blockspaceJson<{ name: string; source: string; size: number }[]>(
      "list",
      store,
    );
    expect(listed.map(({ name, source, size }) => [name, source, size])).toEqual([
      ["disk", null, 2 ** 26],
      ["disk@1", "disk", 2 ** 26],
      ["lab2", "disk@1", 2 ** 20],
    ]);
    await blockspace("rollback", store, "disk", "disk@1");
    expect((await client.read(0, 6)).toString()).toBe("before");
    await blockspace("delete", store, "lab2");
    expect((await lab.request({ type: 0, length: 1 })).error).toBe(108);
    for (const each of [client, lab]) each.stream.destroy();
    expect(await served.stop()).toBe(0);
    await inspect(store, (host) => {
      expect(host.list().map(({ name }) => name)).toEqual(["disk", "disk@1"]);
    });
    // Nobody serves it any more, so the command opens it itself.
    expect(await blockspaceJson<unknown[]>("list", store)).toHaveLength(2);
  });

  it("is read, written, imported into, exported from, mapped and compacted", async () => {
    const { store } = await serveNewStore(at("store"));
    expect((await stat(`${store}/control.sock`)).mode & 0o777).toBe(0o600);
    const bytes = Buffer.alloc(3 * 2 ** 20 + 7, "some bytes ");
    writeFileSync(at("in.img"), bytes);
    const imported = await blockspaceJson("import", store, at("in.img"), "image");
    expect(imported).toMatchObject({ name: "image", size: bytes.length });
    await run(["export", store, "image", at("out.img")]);
    expect((await readFile(at("out.img"))).equals(bytes)).toBe(true);
    await run(["write", store, "image", "2MiB"], { input: Buffer.alloc(2 ** 20, 7) });
    const { bytes: read } = await run(["read", store, "image", "2MiB", "1MiB"]);
    expect(read.equals(Buffer.alloc(2 ** 20, 7))).toBe(true);
    const map = await blockspaceJson<{ start: number; data: boolean }[]>("map", store, "image");
    expect(map[0]).toMatchObject({ start: 0, data: true });
    const diff = await blockspaceJson<unknown[]>("diff", store, "disk", "image");
    expect(diff).toEqual([{ offset: 0, length: 769 * 4096 }]);
    expect(await blockspaceJson("info", store)).toMatchObject({ path: store, subvolumes: 2 });
    expect(await blockspaceJson("compact", store)).toMatchObject({ problems: [] });
  });

  it("is backed up, and then what has changed", async () => {
    const served = await serveNewStore(at("store"));
    const { store } = served;
    const client = await open(store, "disk");
    for (let i = 0; i < 64; i++) await client.write(i * 65536, Buffer.alloc(8192, i + 1));
    await blockspace("snapshot", store, "disk", "disk@1");
    await blockspace("export", store, "disk@1", at("image"));
    await client.write(3 * 65536 + 100, Buffer.from("changed"));
    await blockspace("snapshot", store, "disk", "disk@2");
    const args = ["export", store, "disk@2", at("image"), "--since", "disk@1"];
    expect(await blockspaceJson(...args)).toMatchObject({ bytesWritten: 4096 });
    client.stream.destroy();
    expect(await served.stop()).toBe(0);
    const expected = await inspect(store, (host) => host.get("disk@2").read(0, 2 ** 26));
    expect((await readFile(at("image"))).equals(expected)).toBe(true);
  });

  it("is made larger while clients write to it", async () => {
    const served = await serveNewStore(at("store"));
    const { store } = served;
    const client = await open(store, "disk");
    const { capacity } = await blockspaceJson<{ capacity: number }>("info", store);
    const writes: Promise<unknown>[] = [];
    for (let i = 0; i < 64; i++) writes.push(client.write(i * 65536, Buffer.alloc(65536, i + 1)));
    const told = await blockspaceJson("grow", store, String(2 * capacity));
    expect(told).toMatchObject({ capacity: 2 * capacity });
    await Promise.all(writes);
    client.stream.destroy();
    expect(await served.stop()).toBe(0);
    await inspect(store, async (host) => {
      expect(host.statistics().capacity).toBe(2 * capacity);
      const bytes = await host.get("disk").read(0, 64 * 65536);
      expect(bytes.every((byte, i) => byte === Math.floor(i / 65536) + 1)).toBe(true);
    });
  });

  it("answers mistakes as a store that is not served does, and nonsense not at all", async () => {
    const { store } = await serveNewStore(at("store"));
    expect(await failure("delete", store, "nothing")).toEqual({
      code: 1,
      says: 'blockspace: ENOENT: there is no subvolume "nothing"\n',
    });
    expect((await failure("snapshot", store, "disk", "disk")).says).toContain("EEXIST");
    // What needs the store for itself says who has it.
    for (const [command, code] of [
      ["serve", 1],
      ["journal", 1],
      ["dump", 1],
      ["check", 8],
    ] as const) {
      const refused = await run([command, store]);
      expect({ command, code: refused.code }).toEqual({ command, code });
      expect(refused.stderr).toMatch(
        /ELOCKED.*\n.*the store is being served; end the server first\n$/,
      );
    }
    for (const line of [
      "nonsense\n",
      '{"id":1,"call":"__proto__","args":[]}\n',
      '{"id":2,"call":"read"}\n',
      "7\n",
    ]) {
      const socket = connect({ path: `${store}/control.sock` });
      socket.write(line);
      const answer = await new Promise<string>((resolve) => {
        socket.once("data", (data) => resolve(data.toString()));
        socket.once("close", () => resolve("closed"));
      });
      expect(answer).toMatch(/^closed$|"error":\{"code":"EINVAL"/);
      socket.destroy();
    }
    expect(await blockspaceJson<unknown[]>("list", store)).toHaveLength(1);
  });

  it("takes imports side by side; one that was killed is deleted by the next", async () => {
    const { store } = await serveNewStore(at("store"));
    const begin = async (name: string): Promise<Running> => {
      const running = start(["--verbose", "import", store, "-", name]);
      running.child.stdin.write("some ");
      await running.says("importing into");
      return running;
    };
    const slow = await begin("slow");
    const killed = await begin("killed");
    killed.child.kill("SIGKILL");
    await killed.ends();
    const { stderr } = await run(["import", store, "-", "quick"], { input: "quick" });
    expect(stderr.match(/left unfinished/g)).toHaveLength(1);
    slow.child.stdin.end("bytes");
    expect((await slow.ends()).code).toBe(0);
    expect(await blockspace("read", store, "slow", "0", "10")).toBe("some bytes");
    const names = (await blockspaceJson<{ name: string }[]>("list", store)).map((e) => e.name);
    expect(names).toEqual(["disk", "slow", "quick"]);
  });

  it("keeps a command to the subvolume that it began with, whatever is renamed", async () => {
    const { store } = await serveNewStore(at("store"), async (host) => {
      await host.get("disk").write(0, Buffer.from("first"));
      await host.create("other", { size: 2 ** 20 });
      await host.get("other").write(0, Buffer.from("other"));
    });
    const served = (await ServedStore.open(store))!;
    const first = served.get("disk");
    await blockspace("rename", store, "disk", "old");
    await blockspace("rename", store, "other", "disk");
    expect((await first.read(0, 5)).toString()).toBe("first");
    await first.write(0, Buffer.from("FIRST"));
    await blockspace("delete", store, "old");
    await expect(first.read(0, 5)).rejects.toThrow('ENOENT: subvolume "disk" was deleted');
    // What there is and what it holds are of one moment.
    const usage = await served.usage();
    expect([...usage.keys()]).toEqual(served.list().map(({ name }) => name));
    expect((await served.get("disk").read(0, 5)).toString()).toBe("other");
    await served.close();
  });

  it("is not compacted any more when who asked for it has gone", async () => {
    await makeStore(at("store"));
    const host = await Host.open(at("store"));
    const control = await ControlServer.open(host);
    const begun = new Promise<AbortSignal>((resolve) => {
      vi.spyOn(host, "compact").mockImplementation(async ({ signal } = {}) => {
        resolve(signal!);
        await once(signal!, "abort");
        return { segments: 0, bytesMoved: 0, problems: [] };
      });
    });
    const served = (await ServedStore.open(at("store")))!;
    const interruption = new AbortController();
    const compacted = served.compact({ signal: interruption.signal });
    const told = await begun;
    interruption.abort();
    await expect(compacted).rejects.toThrow("ECANCELED");
    await served.close();
    if (!told.aborted) await once(told, "abort");
    await control.close();
    await host.close();
  });

  // All of it was found in one turn of the event loop, and no client was answered meanwhile.
  it("tells a long map and a long difference in parts of a few milliseconds each", async () => {
    await makeStore(at("store"), async (host) => {
      const disk = await host.create("disk", { size: 2 ** 26 });
      await host.create("other", { size: 2 ** 26 });
      for (let i = 0; i < 50; i++) await disk.write(i * 8192, Buffer.alloc(4096, 1));
    });
    const host = await Host.open(at("store"));
    const control = await ControlServer.open(host);
    const served = (await ServedStore.open(at("store")))!;
    let nowMs = 0;
    const clock = vi.spyOn(performance, "now").mockImplementation(() => (nowMs += 2));
    onTestFinished(() => clock.mockRestore());
    const call = vi.spyOn(served, "call");
    const told: unknown[] = [];
    for await (const range of served.diff("other", "disk")) told.push(range);
    expect(told).toEqual([...host.diff("other", "disk")]);
    expect(call.mock.calls.length).toBeGreaterThan(10);
    await served.close();
    await control.close();
    await host.close();
  });

  it("by another version is left alone, and both versions are named", async () => {
    const store = at("store");
    mkdirSync(store);
    const asked: string[] = [];
    const other = createServer((socket) =>
      receive(socket, ({ id, call }) => {
        asked.push(String(call));
        send(socket, { id: Number(id), value: { version: "0.0.9", path: store, list: {} } });
      }),
    );
    await once(other.listen(`${store}/control.sock`), "listening");
    const { code, says } = await failure("delete", store, "disk");
    expect(code).toBe(1);
    expect(says).toMatch(/ENOTSUP: .* served by version 0\.0\.9 .* this command is of version \d/);
    expect(asked).toEqual(["state"]);
    other.close();
  });

  it("by a server that does not answer is not waited for after a Ctrl-C", async () => {
    const store = at("store");
    mkdirSync(store);
    const silent = createServer();
    await once(silent.listen(`${store}/control.sock`), "listening");
    const asked = once(silent, "connection") as Promise<[Socket]>;
    const listing = start(["list", store]);
    const [socket] = await asked;
    await once(socket, "data");
    listing.child.kill("SIGINT");
    const { code, stderr } = await listing.ends();
    expect({ code, stderr }).toEqual({ code: 130, stderr: "blockspace: interrupted by SIGINT\n" });
    silent.close();
  });

  it("that was killed leaves sockets behind which nobody minds", async () => {
    const { store, running } = await serveNewStore(at("store"));
    running.child.kill("SIGKILL");
    await running.ends();
    await blockspace("snapshot", store, "disk", "disk@1");
    expect(await blockspaceJson<unknown[]>("list", store)).toHaveLength(2);
  });
});
