/** TLS as clients of libnbd use it: certificates that both sides show, pre-shared keys, neither. */
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { scratch } from "../cli/blockspace.ts";
import { missing, note, tool, tryTool } from "./external-tools.ts";
import { serveNewStore } from "./served-process.ts";

const at = scratch();
const reason = missing("nbdinfo", "nbdcopy", "openssl");

/** A key and a certificate that `authority` has signed, or that signs itself. */
async function certificate(name: string, authority?: string): Promise<void> {
  const files = ["-keyout", at(`${name}.key`), "-out", at(`${name}.pem`), "-days", "2", "-nodes"];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  const signer =
    authority === undefined
      ? []
      : ["-CA", at(`${authority}.pem`), "-CAkey", at(`${authority}.key`)];
  const extensions = [
    "-addext",
    authority === undefined ? "keyUsage=critical,keyCertSign" : "subjectAltName=IP:127.0.0.1",
  ];
  const subject = ["-subj", `/CN=${name}`];
  await tool("openssl", "req", "-x509", ...key, ...files, ...subject, ...signer, ...extensions);
}

/** A directory as libnbd wants it: the authority, and a certificate of our own if we have one. */
async function clientDirectory(name: string, own: string | undefined): Promise<string> {
  const directory = at(name);
  mkdirSync(directory);
  await copyFile(at("ca.pem"), `${directory}/ca-cert.pem`);
  if (own === undefined) return directory;
  await copyFile(at(`${own}.pem`), `${directory}/client-cert.pem`);
  await copyFile(at(`${own}.key`), `${directory}/client-key.pem`);
  return directory;
}

describe("a server with --tls-ca", () => {
  it.skipIf(reason)(
    `serves clients whose certificate that authority has signed, and no others${note(reason)}`,
    async () => {
      await certificate("ca");
      await certificate("stranger-ca");
      await certificate("server", "ca");
      await certificate("client", "ca");
      await certificate("stranger", "stranger-ca");
      const keys = ["--tls-cert", at("server.pem"), "--tls-key", at("server.key")];
      const where = ["--listen", "127.0.0.1:0", ...keys, "--tls-ca", at("ca.pem")];
      const served = await serveNewStore(at("store"), undefined, ...where);
      const port = /nbds:\/\/127\.0\.0\.1:(\d+)/.exec(served.running.stderr)![1]!;
      const uri = (directory: string): string =>
        `nbds://127.0.0.1:${port}/disk?tls-certificates=${directory}`;
      const good = uri(await clientDirectory("good", "client"));
      expect(await tool("nbdinfo", good)).toContain("with TLS");
      await writeFile(at("in.img"), randomBytes(2 ** 22));
      await tool("nbdcopy", "--flush", at("in.img"), good);
      await tool("nbdcopy", good, at("out.img"));
      const out = await readFile(at("out.img"));
      expect(out.subarray(0, 2 ** 22).equals(await readFile(at("in.img")))).toBe(true);
      for (const [name, own] of [["none"], ["strange", "stranger"]] as const) {
        const { code } = await tryTool("nbdinfo", [uri(await clientDirectory(name, own))]);
        expect({ name, code }).not.toEqual({ name, code: 0 });
      }
      expect((await tryTool("nbdinfo", [`nbd://127.0.0.1:${port}/disk`])).code).not.toBe(0);
      expect(await served.stop()).toBe(0);
    },
  );
});
