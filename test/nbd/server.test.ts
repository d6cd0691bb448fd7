/** The server as a whole: slow clients, shutting down, failures below, addresses, TLS. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect as connectTo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { NbdServer } from "../../src/nbd/index.ts";
import { Client, cmd, expectAck, exportQuery, opt, rep, requestHeader } from "./client.ts";
import { missing, note } from "./external-tools.ts";
import { B, pattern, serve } from "./served-store.ts";

let scratch = "";
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "blockspace-nbd-"));
});
afterAll(() => rmSync(scratch, { recursive: true }));

const EIO = 5;
const ESHUTDOWN = 108;

describe("a client that does not take its replies", () => {
  it("holds bounded memory, and nobody else up", async () => {
    const { connect, open, host } = await serve();
    await host.create("large", { size: 2 ** 30 });
    const slow = connect();
    await slow.go("large", { structured: false });
    slow.stream.removeAllListeners("data");
    slow.stream.pause();
    const reads = Array.from({ length: 200 }, (_, i) =>
      requestHeader(BigInt(i), { type: cmd.read, offset: i, length: 2 ** 22 }),
    );
    const before = process.memoryUsage().arrayBuffers;
    slow.send(...reads);
    const other = await open();
    for (let i = 0; i < 50; i++) {
      await other.write(0, pattern(B, i));
      expect(await other.read(0, B)).toEqual(pattern(B, i));
    }
    // 200 replies of 4 MiB are 800 MiB; 32 MiB may be under way, and garbage beside them.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(200 * 2 ** 20);
    slow.stream.resume();
  });

  it("and then is gone has no more of its requests carried out", async () => {
    const { connect, host, server } = await serve();
    await host.create("large", { size: 2 ** 30 });
    const slow = connect();
    await slow.go("large", { structured: false });
    slow.stream.removeAllListeners("data");
    slow.stream.pause();
    const count = 2000;
    slow.send(
      ...Array.from({ length: count }, (_, i) =>
        requestHeader(BigInt(i), { type: cmd.read, length: 2 ** 20 }),
      ),
    );
    await setTimeout(50);
    slow.stream.destroy();
    await vi.waitFor(() => expect(server.connections).toBe(0), { timeout: 20_000 });
    const [, read] = /requests_total{command="read"} (\d+)/.exec(server.metrics())!;
    expect(Number(read)).toBeLessThan(count / 10);
  });

  it("and then is gone has its writes carried out: it may have said so before it went", async () => {
    const { connect, host, server } = await serve();
    const disk = await host.create("large", { size: 2 ** 30 });
    const slow = connect();
    await slow.go("large", { structured: false });
    slow.stream.removeAllListeners("data");
    slow.stream.pause();
    const read = { type: cmd.read, length: 2 ** 20 };
    const reads = Array.from({ length: 200 }, (_, i) => requestHeader(BigInt(i), read));
    const data = Buffer.alloc(4096, "w");
    const write = requestHeader(200n, { type: cmd.write, length: data.length });
    slow.send(...reads, write, data, requestHeader(201n, { type: cmd.disc }));
    await setTimeout(50);
    slow.stream.destroy();
    await vi.waitFor(() => expect(server.connections).toBe(0), { timeout: 20_000 });
    expect(await disk.read(0, data.length)).toEqual(data);
  });

  it("is still served everything when it takes them at last", async () => {
    const { open, host } = await serve();
    await host.create("large", { size: 2 ** 30 });
    const slow = await open("large", { structured: false });
    slow.stream.pause();
    const reads = Array.from({ length: 40 }, (_, i) => slow.read(i * 2 ** 20, 2 ** 20));
    await setTimeout(50);
    slow.stream.resume();
    const read = await Promise.all(reads);
    expect(read.every((bytes) => bytes.length === 2 ** 20)).toBe(true);
  });
});

describe("closing the server", () => {
  it("answers what is under way, makes it durable, and hangs up", async () => {
    const { open, server, host, store } = await serve();
    const client = await open();
    const writes = Array.from({ length: 50 }, (_, i) =>
      client.request({ type: cmd.write, offset: i * B, length: B, data: pattern(B, i) }),
    );
    await new Promise(setImmediate);
    await server.close();
    const answers = await Promise.all(writes);
    expect(await client.hangUp()).toHaveLength(0);
    const codes = new Set(answers.map(({ error }) => error));
    expect([...codes].every((code) => [0, ESHUTDOWN, -1].includes(code))).toBe(true);
    const crashed = await store.crash(() => 0).open();
    for (const [i, { error }] of answers.entries()) {
      if (error !== 0) continue;
      const found = await crashed.get("disk").read(i * B, B);
      if (!found.equals(pattern(B, i))) throw new Error(`block ${i} was answered and is lost`);
    }
    await crashed.close();
    await expect(server.listen({ port: 0 })).rejects.toMatchObject({ code: "ECLOSED" });
    expect(host.statistics().subvolumes).toBe(1);
  });

  it("cuts a client off that does not take its replies", async () => {
    const { open, server, host } = await serve();
    await host.create("large", { size: 2 ** 30 });
    const slow = await open("large", { structured: false });
    slow.stream.pause();
    slow.send(requestHeader(1n, { type: cmd.read, length: 2 ** 25 }));
    await new Promise(setImmediate);
    await server.close({ graceMs: 20 });
    expect(server.connections).toBe(0);
  });
});

describe("when the device fails", () => {
  it("a write that cannot be made durable is an error, and so is everything after it", async () => {
    const { open, store, server } = await serve();
    const client = await open();
    await client.write(0, pattern(B));
    store.onOperation = ({ kind }) => {
      if (kind === "flush") throw new Error("no such luck");
    };
    expect((await client.request({ type: cmd.flush })).error).toBe(EIO);
    store.onOperation = () => undefined;
    const second = await client.request({ type: cmd.flush });
    expect(second).toMatchObject({ error: EIO });
    expect(second.message).toContain("read-only");
    expect((await client.request({ type: cmd.write, length: B, data: pattern(B) })).error).toBe(
      EIO,
    );
    expect(await client.read(0, B)).toEqual(pattern(B));
    await expect(server.close()).rejects.toMatchObject({ code: "EIO" });
  });
});

describe("addresses", () => {
  it("a socket file is its owner's alone, is made anew when stale, and gone afterwards", async () => {
    const { host } = await serve();
    const path = join(scratch, "nbd.sock");
    const server = new NbdServer(host);
    expect(await server.listen({ path })).toBe(`nbd+unix:///?socket=${path}`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const client = new Client(connectTo({ path }));
    await client.go("disk");
    await client.write(0, pattern(B));
    await expect(new NbdServer(host).listen({ path })).rejects.toMatchObject({ code: "EEXIST" });
    const closing = server.close();
    await client.hangUp();
    client.stream.destroy();
    await closing;
    expect(() => statSync(path)).toThrow("ENOENT");
    writeFileSync(path, "precious");
    await expect(new NbdServer(host).listen({ path })).rejects.toMatchObject({ code: "EEXIST" });
    rmSync(path);
    const long = join(scratch, "x".repeat(120));
    await expect(new NbdServer(host).listen({ path: long })).rejects.toMatchObject({
      code: "ENAMETOOLONG",
    });
    const nowhere = join(scratch, "nowhere", "nbd.sock");
    await expect(new NbdServer(host).listen({ path: nowhere })).rejects.toThrow(
      `ENOENT: there is no directory ${join(scratch, "nowhere")}`,
    );
  });

  it("a socket file is in the URI as libnbd and qemu read it, whatever its name is", async () => {
    const { host } = await serve();
    await using server = new NbdServer(host);
    const path = join(scratch, "a b&c#d?%41é.sock");
    const uri = new URL(await server.listen({ path }));
    expect(uri.searchParams.get("socket")).toBe(path);
    expect(uri.search).toContain(`${scratch}/`);
  });

  it("a socket file that a killed server left is replaced", async () => {
    const { host } = await serve();
    const path = join(scratch, "stale.sock");
    const die = `() => process.kill(process.pid, "SIGKILL")`;
    const script = `require("net").createServer().listen(${JSON.stringify(path)}, ${die})`;
    expect(() => execFileSync(process.execPath, ["-e", script])).toThrow("Command failed");
    expect(statSync(path).isSocket()).toBe(true);
    const server = new NbdServer(host);
    await server.listen({ path });
    await server.close();
  });

  it("TCP is for this machine, unless there is TLS or somebody insists", async () => {
    const { host } = await serve();
    await using server = new NbdServer(host);
    await expect(server.listen({ host: "0.0.0.0", port: 0 })).rejects.toMatchObject({
      code: "EINVAL",
    });
    await expect(server.listen({ host: "::", port: 0 })).rejects.toMatchObject({ code: "EINVAL" });
    expect(await server.listen({ port: 0 })).toMatch(/^nbd:\/\/127\.0\.0\.1:\d+$/);
    expect(await server.listen({ host: "0.0.0.0", port: 0, insecure: true })).toMatch(
      /^nbd:\/\/0\.0\.0\.0:\d+$/,
    );
  });
});

const noOpenssl = missing("openssl");

describe("TLS", () => {
  function certificate(): { key: Buffer; cert: Buffer } {
    const [keyFile, certFile] = [join(scratch, "key.pem"), join(scratch, "cert.pem")];
    const subject = ["-subj", "/CN=localhost", "-days", "2"];
    const files = ["-keyout", keyFile, "-out", certFile];
    execFileSync(
      "openssl",
      ["req", "-x509", "-newkey", "rsa:2048", "-nodes", ...files, ...subject],
      { stdio: "ignore" },
    );
    return { key: readFileSync(keyFile), cert: readFileSync(certFile) };
  }

  it.skipIf(noOpenssl)(
    `is told before anything else is, and forgets what was agreed before${note(noOpenssl)}`,
    async () => {
      const { key, cert } = certificate();
      const { host } = await serve();
      await using server = new NbdServer(host, { tls: { key, cert, required: false } });
      const uri = new URL(await server.listen({ port: 0 }));
      const plain = new Client(connectTo(Number(uri.port), "127.0.0.1"));
      await plain.greet();
      expectAck(await plain.option(opt.structured));
      expectAck(await plain.option(opt.startTls));
      plain.stream.removeAllListeners();
      const secure = new Client(
        connectTls({ socket: plain.stream, ca: cert, servername: "localhost" }),
      );
      // Structured replies were agreed in the open, so this is refused now.
      expect((await secure.option(opt.setMeta, Buffer.alloc(8)))[0]!.type).toBe(rep.invalid);
      expect((await secure.option(opt.startTls))[0]!.type).toBe(rep.invalid);
      expectAck(await secure.option(opt.go, exportQuery("disk")));
      secure.transmit(false);
      await secure.write(0, pattern(3 * B));
      expect(await secure.read(0, 3 * B)).toEqual(pattern(3 * B));
      secure.stream.destroy();
    },
  );

  // Each client was told, and nobody who could have mended it.
  it("that cannot be had is told to whoever begins to serve", async () => {
    const { host } = await serve();
    for (const tls of [{ key: "no key", cert: "no certificate" }, { ciphers: "none that is" }]) {
      const begin = (): NbdServer => new NbdServer(host, { tls });
      expect(begin).toThrow(/^EINVAL: TLS cannot be had with these keys and certificates: /);
    }
  });

  it.skipIf(noOpenssl)(`is demanded where the server has keys${note(noOpenssl)}`, async () => {
    const { connect } = await serve({ tls: certificate() });
    const client = connect();
    await client.greet();
    for (const option of [opt.list, opt.info, opt.go, opt.structured, 99]) {
      expect((await client.option(option, exportQuery("disk")))[0]!.type).toBe(rep.tlsRequired);
    }
    client.sendOption(opt.exportName, Buffer.from("disk"));
    expect(await client.hangUp()).toHaveLength(0);
  });

  it.skipIf(noOpenssl)(
    `takes nothing that was sent in the open behind STARTTLS${note(noOpenssl)}`,
    async () => {
      const { connect, server } = await serve({ tls: certificate() });
      const client = connect();
      await client.greet();
      const startTls = Buffer.concat([
        Buffer.from("IHAVEOPT"),
        Buffer.from([0, 0, 0, 5, 0, 0, 0, 0]),
      ]);
      client.send(startTls, Buffer.from("IHAVEOPT"), Buffer.from([0, 0, 0, 3, 0, 0, 0, 0]));
      await client.hangUp();
      await vi.waitFor(() => expect(server.metrics()).toContain("protocol_violations_total 1"));
    },
  );
});
