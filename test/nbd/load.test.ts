/** Load from the tools of others: fio with verification, many connections, sockets handed over, TLS. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { Duplex } from "node:stream";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { entry, inspect, makeStore, scratch, start } from "../cli/blockspace.ts";
import { Client, cmd, requestHeader } from "./client.ts";
import { missing, note, tool, tryTool } from "./external-tools.ts";
import { serveNewStore, serveStore } from "./served-process.ts";

const at = scratch();
const fio = missing("fio");
const libnbd = missing("nbdcopy", "nbdinfo");
const qemu = missing("qemu-img");
const nbdkit = missing("nbdkit", "nbdcopy");
const MiB = 2 ** 20;

/** Runs fio with one job for each list of options; it ends with 0 when all was as it should be. */
async function runFio(uri: string, ...jobs: string[][]): Promise<void> {
  const common = ["--ioengine=nbd", `--uri=${uri}`, "--size=64m", `--output=${at("fio.out")}`];
  const { code } = await tryTool("fio", [...common, ...jobs.flat()], { cwd: at(".") });
  const report = await readFile(at("fio.out"), "utf8").catch(() => "no report");
  expect({ code, report: code === 0 ? "" : report }).toEqual({ code: 0, report: "" });
  expect(report).toContain("err= 0");
}

describe("fio", () => {
  it.skipIf(fio)(
    `random writes of all sizes are verified by their checksums${note(fio)}`,
    async () => {
      const served = await serveNewStore(at("store"));
      const verify = ["--verify=crc32c", "--verify_fatal=1", "--do_verify=1"];
      const random = ["--rw=randwrite", "--bsrange=512-128k", "--blockalign=512", "--iodepth=16"];
      await runFio(served.uri("disk"), ["--name=verify", ...random, ...verify, "--norandommap=0"]);
      expect(await served.stop()).toBe(0);
    },
  );

  it.skipIf(fio)(
    `four clients of one disk find what they wrote, also after a kill${note(fio)}`,
    async () => {
      const served = await serveNewStore(at("store"));
      const parts = ["--numjobs=4", "--offset_increment=16m", "--size=16m"];
      const job = ["--name=parts", "--rw=randwrite", "--bs=4k", "--iodepth=16", ...parts];
      const verify = ["--verify=crc32c", "--verify_fatal=1"];
      await runFio(served.uri("disk"), [...job, ...verify, "--do_verify=1", "--end_fsync=1"]);
      const { child } = served.running;
      const closed = once(child, "close");
      child.kill("SIGKILL");
      await closed;
      const again = await serveStore(served.store);
      await runFio(again.uri("disk"), [...job, ...verify, "--verify_only"]);
      expect(await again.stop()).toBe(0);
    },
  );

  it.skipIf(fio)(
    `a mixed load from four clients, trims and flushes among it${note(fio)}`,
    async () => {
      const served = await serveNewStore(at("store"));
      const job = ["--name=mixed", "--rw=randrw", "--bs=4k", "--iodepth=16", "--numjobs=4"];
      await runFio(served.uri("disk"), [...job, "--fsync=32", "--runtime=2", "--time_based"]);
      await runFio(served.uri("disk"), [
        "--name=trim",
        "--rw=randtrim",
        "--bs=64k",
        "--runtime=1",
        "--time_based",
      ]);
      expect(await served.stop()).toBe(0);
    },
  );
});

describe("many at once", () => {
  it.skipIf(libnbd)(`four copies into clones of one disk do not meet${note(libnbd)}`, async () => {
    const names = ["a", "b", "c", "d"];
    const served = await serveNewStore(at("store"), async (host) => {
      for (const name of names) await host.clone("disk", name);
    });
    const images = names.map(() => randomBytes(16 * MiB));
    await Promise.all(
      names.map(async (name, i) => {
        await writeFile(at(`${name}.img`), images[i]!);
        await tool("nbdcopy", "--connections=4", "--flush", at(`${name}.img`), served.uri(name));
      }),
    );
    await served.stop();
    await inspect(served.store, async (host) => {
      for (const [i, name] of names.entries()) {
        expect((await host.get(name).read(0, 16 * MiB)).equals(images[i]!)).toBe(true);
      }
      expect((await host.get("disk").read(0, MiB)).equals(Buffer.alloc(MiB))).toBe(true);
    });
  });

  it.skipIf(nbdkit)(
    `what nbdkit hands on, with a delay for each request, arrives whole${note(nbdkit)}`,
    async () => {
      const served = await serveNewStore(at("store"));
      const image = at("in.img");
      await writeFile(image, randomBytes(8 * MiB));
      const command = [
        "-U",
        "-",
        "--filter=delay",
        "nbd",
        served.uri("disk"),
        "rdelay=1ms",
        "wdelay=1ms",
      ];
      await tool(
        "nbdkit",
        ...command,
        "--run",
        `nbdcopy --flush ${image} "$uri" && nbdcopy "$uri" ${at("out.img")}`,
      );
      const out = await readFile(at("out.img"));
      expect(out.subarray(0, 8 * MiB).equals(await readFile(image))).toBe(true);
    },
  );
});

describe("other ways in", () => {
  it.skipIf(libnbd)(
    `a client of libnbd starts the server and hands its socket over${note(libnbd)}`,
    async () => {
      const served = await serveNewStore(at("store"));
      await served.stop();
      const bytes = randomBytes(5 * MiB);
      await writeFile(at("in.img"), bytes);
      const command = ["[", process.execPath, ...entry, "--quiet", "serve", at("store"), "]"];
      await tool("nbdcopy", at("in.img"), "--", ...command);
      await inspect(at("store"), async (host) => {
        expect((await host.get("disk").read(0, bytes.length)).equals(bytes)).toBe(true);
      });
      // The server shares the client's standard output, and must leave it as it is.
      const args = ["--", ...command, "-"];
      const { stdout } = await promisify(execFile)("nbdcopy", args, {
        encoding: "buffer",
        maxBuffer: 2 ** 27,
      });
      expect(stdout.subarray(0, bytes.length).equals(bytes)).toBe(true);
    },
  );

  it.skipIf(libnbd)(
    `TCP, TLS with a pre-shared key, and the figures for Prometheus${note(libnbd)}`,
    async () => {
      const key = "00112233445566778899aabbccddeeff";
      await writeFile(at("keys.psk"), `alice:${key}\n`);
      await writeFile(at("wrong.psk"), `alice:${key.replace("0", "1")}\n`);
      const where = [
        "--listen",
        "127.0.0.1:0",
        "--metrics",
        "127.0.0.1:0",
        "--tls-psk",
        at("keys.psk"),
      ];
      const served = await serveNewStore(at("store"), undefined, ...where);
      const port = /nbds:\/\/127\.0\.0\.1:(\d+)/.exec(served.running.stderr)?.[1];
      const uri = (file: string): string =>
        `nbds://alice@127.0.0.1:${port}/disk?tls-psk-file=${at(file)}`;
      expect(await tool("nbdinfo", uri("keys.psk"))).toContain("with TLS");
      expect((await tryTool("nbdinfo", [uri("wrong.psk")])).code).not.toBe(0);
      expect((await tryTool("nbdinfo", [`nbd://127.0.0.1:${port}/disk`])).code).not.toBe(0);
      await served.running.says('"metrics"');
      const page = /"metrics":"([^"]+)"/.exec(served.running.stderr)![1]!;
      const text = await (await fetch(page)).text();
      expect(text).toMatch(/^blockspace_connections_total 3$/m);
      expect(text).toMatch(/^blockspace_host_subvolumes 1$/m);
    },
  );

  it("one client over standard input and output, with which the server ends", async () => {
    await makeStore(at("store"), (host) => host.create("disk", { size: MiB }));
    const running = start(["serve", at("store"), "--stdio"]);
    const { stdin, stdout } = running.child;
    const client = new Client(Duplex.from({ readable: stdout, writable: stdin }));
    await client.go("disk");
    await client.write(5, Buffer.from("hello"));
    client.send(requestHeader(0n, { type: cmd.disc }));
    const [code] = (await once(running.child, "close")) as [number];
    expect(code).toBe(0);
    await inspect(at("store"), async (host) => {
      expect((await host.get("disk").read(5, 5)).toString()).toBe("hello");
    });
  });

  it.skipIf(qemu)(`qemu-img bench keeps up with many requests${note(qemu)}`, async () => {
    const served = await serveNewStore(at("store"));
    const load = ["bench", "-f", "raw", "-c", "6000", "-d", "64", "-s", "4096", "-S", "8192"];
    await tool("qemu-img", ...load, "-w", "--flush-interval=500", served.uri("disk"));
    await tool("qemu-img", ...load, served.uri("disk"));
    expect(await served.stop()).toBe(0);
  });
});
