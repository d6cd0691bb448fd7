/** How a server that was started comes to its end, and what is told to who mounts wrongly. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  blockspace,
  entry,
  failure,
  inspect,
  makeStore,
  run,
  scratch,
  start,
} from "../cli/blockspace.ts";
import { Client, cmd } from "./client.ts";
import { missing, note } from "./external-tools.ts";
import { serveNewStore, serveStore } from "./served-process.ts";

const at = scratch();
const libnbd = missing("nbdcopy");
const fuse = missing("nbdfuse", "fusermount3");
const BLOCK = 4096;

describe("a server", () => {
  it.skipIf(libnbd)(
    `that a client has started for itself ends when that client is killed${note(libnbd)}`,
    async () => {
      const store = await makeStore(at("store"), (host) => host.create("disk", { size: 2 ** 26 }));
      const command = ["[", process.execPath, ...entry, "serve", store, "]"];
      // Nobody reads what it copies, so it stops in the midst, with the server under way.
      const copying = spawn("nbdcopy", ["--", ...command, "-"], { stdio: "pipe" });
      let log = "";
      copying.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
      while (!log.includes("export opened")) await once(copying.stderr, "data");
      await setTimeout(100);
      copying.kill("SIGKILL");
      // The server holds the same standard error, which closes when both are gone.
      await once(copying.stderr, "close");
      expect(log).toContain("shutting down");
      await inspect(store, (host) => expect(host.list()).toHaveLength(1));
      copying.stdout.destroy();
    },
  );

  it("that is told to end with its parent does, also when that is killed", async () => {
    const store = await makeStore(at("store"), (host) => host.create("disk", { size: 2 ** 20 }));
    const args = [...entry, "serve", store, "--exit-with-parent"];
    const command = `spawn(process.execPath, ${JSON.stringify(args)}, { stdio: "inherit" })`;
    const script = `require("node:child_process").${command}`;
    const parent = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "ignore", "pipe"] });
    let log = "";
    parent.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
    while (!log.includes('"listening"')) await once(parent.stderr, "data");
    parent.kill("SIGKILL");
    await once(parent.stderr, "close");
    expect(log).toContain("shutting down");
    await inspect(store, (host) => expect(host.list()).toHaveLength(1));
  });

  it("warns of a default export whose name no subvolume has, and serves all the same", async () => {
    const served = await serveNewStore(at("store"), undefined, "--default", "dsik");
    expect(served.running.stderr).toMatch(/"export":"dsik".*no subvolume has the name/);
    expect(await served.stop()).toBe(0);
  });

  it("is not started where others could reach it without TLS, unless somebody insists", async () => {
    const store = await makeStore(at("store"));
    const { code, says } = await failure("serve", store, "--listen", "0.0.0.0:0");
    expect({ code, says }).toMatchObject({ code: 1, says: expect.stringContaining("EINVAL") });
    const served = await serveStore(store, "--listen", "0.0.0.0:0", "--insecure");
    expect(served.running.stderr).toContain("nbd://0.0.0.0:");
    expect(await served.stop()).toBe(0);
  });

  it("that gets SIGTERM under load keeps all that it has answered, and ends with 0", async () => {
    const served = await serveNewStore(at("store"));
    const client = new Client(connect({ path: `${served.store}/nbd.sock` }));
    await client.go("disk");
    const done: number[] = [];
    let refused = 0;
    let stopped: Promise<number | null> | undefined;
    for (let from = 0; refused === 0 && from < 2 ** 14; from += 64) {
      const blocks = Array.from({ length: 64 }, (_, i) => from + i);
      const answers = blocks.map((block) =>
        client.request({
          type: cmd.write,
          offset: block * BLOCK,
          length: BLOCK,
          data: Buffer.alloc(BLOCK, `${block} `),
        }),
      );
      if (from === 640) stopped = answers[0]!.then(() => served.stop());
      for (const [i, { error }] of (await Promise.all(answers)).entries()) {
        if (error === 0) done.push(blocks[i]!);
        else refused++;
      }
    }
    expect(refused).toBeGreaterThan(0);
    client.stream.destroy();
    expect(await stopped).toBe(0);
    expect(done.length).toBeGreaterThan(640);
    await inspect(served.store, async (host) => {
      for (const block of done) {
        const found = await host.get("disk").read(block * BLOCK, BLOCK);
        if (!found.equals(Buffer.alloc(BLOCK, `${block} `))) throw new Error(`${block} is lost`);
      }
    });
  });
});

describe("mount and umount", () => {
  it("say which Debian packages are missing", async () => {
    const { store } = await serveNewStore(at("store"));
    const args = ["mount", store, "disk", at(".")];
    const { code, stderr } = await run(args, { env: { PATH: at("nothing here") } });
    expect(code).toBe(1);
    expect(stderr).toMatch(/ENOTSUP: .* packages are nbdfuse, fuse3, mount$/m);
  });

  it("say so when nobody serves the store", async () => {
    const store = await makeStore(at("store"));
    const { code, says } = await failure("mount", store, "disk", at("."));
    expect(code).toBe(1);
    expect(says).toContain(`run "blockspace serve ${store}" first`);
  });

  // nbdfuse is no child of the terminal: it went on to wait for a server that did not answer.
  it("leave nothing behind when they are interrupted", async () => {
    const store = await makeStore(at("store"));
    const silent = createServer(() => undefined);
    await once(silent.listen(`${store}/nbd.sock`), "listening");
    onTestFinished(() => void silent.close());
    for (const place of ["bin", "runtime", "mnt"]) mkdirSync(at(place));
    const program = (name: string, script: string): void =>
      writeFileSync(at(`bin/${name}`), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    program("nbdfuse", `echo $$ > ${at("pid")}; exec sleep 1000`);
    for (const name of ["fusermount3", "mount", "umount"]) program(name, "exit 1");
    const env = { PATH: `${at("bin")}:${process.env["PATH"]}`, XDG_RUNTIME_DIR: at("runtime") };
    const running = start(["mount", store, "disk", at("mnt")], { env });
    while (!existsSync(at("pid"))) await setTimeout(20);
    running.child.kill("SIGINT");
    expect(await running.ends()).toMatchObject({
      code: 130,
      stderr: "blockspace: interrupted by SIGINT\n",
    });
    expect(readdirSync(at("runtime"))).toEqual([]);
    const pid = Number(readFileSync(at("pid"), "utf8"));
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });

  it.skipIf(fuse)(`leave nothing behind when there is nothing to mount${note(fuse)}`, async () => {
    const { store } = await serveNewStore(at("store"));
    mkdirSync(at("runtime"));
    mkdirSync(at("mnt"));
    const env = { XDG_RUNTIME_DIR: at("runtime") };
    const unknown = await run(["mount", store, "nothing", at("mnt")], { env });
    expect(unknown.stderr).toContain("EIO: nbdfuse failed");
    const blank = await run(["mount", store, "disk", at("mnt")], { env });
    expect(blank.stderr).toMatch(/EIO: mount failed|EIO: .*fuse/);
    expect(readdirSync(at("runtime"))).toEqual([]);
    expect((await failure("umount", at("mnt"))).says).toContain("EINVAL");
    expect(await blockspace("list", store)).toContain("disk");
  });
});
