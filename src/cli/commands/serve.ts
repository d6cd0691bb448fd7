/**
 * `serve`: the subvolumes of a store over NBD, until a signal ends it. Then nothing new is taken,
 * what is under way is finished, everything is made durable, and the store is closed.
 */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { type Command, InvalidArgumentError, Option } from "commander";
import { messageOf } from "../../base/errors.ts";
import type { Host } from "../../host/host.ts";
import type { ListenAddress, Log, NbdServer, NbdTlsOptions } from "../../nbd/index.ts";
import type { ControlServer } from "../control/control-server.ts";
import { addExamples, UsageError } from "../arguments.ts";
import { type Address, addressArgument, inheritedSockets, NBD_SOCKET } from "../listening.ts";
import { withOwnHost } from "../open-store.ts";
import { parentGone } from "../parent.ts";
import { presharedKeys } from "../preshared-keys.ts";
import type { Session } from "../session.ts";
import { isUnfinishedImport } from "../unfinished-import.ts";

interface ServeOptions {
  socket?: string;
  listen?: Address;
  stdio?: boolean;
  exitWithParent?: boolean;
  insecure?: boolean;
  default?: string;
  readOnly?: boolean;
  tlsCert?: string;
  tlsKey?: string;
  tlsCa?: string;
  tlsPsk?: string;
  tlsOptional?: boolean;
  maxConnections?: number;
  metrics?: Address;
}

export function addServeCommand(program: Command, session: Session): void {
  const command = program
    .command("serve")
    .summary("serve the subvolumes as network block devices")
    .description(
      "Exports every subvolume and snapshot by its name over NBD, until a signal ends it. The" +
        " socket is STORE/nbd.sock unless told otherwise; sockets that systemd hands over are" +
        " used in its place, and the server ends with the process that handed them over. Other" +
        " commands on this store go through the server meanwhile.",
    )
    .argument("<STORE>", "the store's directory")
    .option("--socket <PATH>", "listen on this socket file, for its owner only")
    .option("--listen <ADDRESS>", "listen on [HOST][:PORT]; 127.0.0.1:10809", addressArgument)
    .addOption(
      new Option(
        "--stdio",
        "serve one client over standard input and output, and end with it",
      ).conflicts(["socket", "listen"]),
    )
    .option("--exit-with-parent", "end with the process that started it")
    .option("--insecure", "also on an address that others can reach without TLS")
    .option("--default <NAME>", "what a client gets that names no export")
    .option("--read-only", "take no writes")
    .option("--tls-cert <FILE>", "certificate chain of the server, in PEM")
    .option("--tls-key <FILE>", "private key of the server, in PEM")
    .option("--tls-ca <FILE>", "clients must show a certificate that one of these has signed")
    .addOption(
      new Option("--tls-psk <FILE>", "pre-shared keys, a line USER:HEX for each client").conflicts([
        "tlsCert",
        "tlsKey",
        "tlsCa",
      ]),
    )
    .option("--tls-optional", "clients may do without TLS")
    .option("--max-connections <N>", "connections at once; 256", countArgument)
    .option("--metrics <ADDRESS>", "figures for Prometheus over HTTP", addressArgument)
    .action((store: string, options: ServeOptions) => serve(session, store, options));
  addExamples(
    command,
    ["blockspace serve my-store", "clients: nbd+unix:///disk?socket=my-store/nbd.sock"],
    ["blockspace serve my-store --listen :10809", "clients: nbd://localhost/disk"],
    ["nbdcopy -- [ blockspace serve my-store ] disk.img", "started by the client"],
  );
}

async function serve(session: Session, store: string, options: ServeOptions): Promise<void> {
  const tls = await tlsOptions(options);
  const { readOnly } = options;
  await withOwnHost(session, store, readOnly ? { readOnly } : {}, async (host) => {
    const [{ NbdServer }, { openLog }] = await Promise.all([
      import("../../nbd/index.ts"),
      import("../log.ts"),
    ]);
    const log = await openLog(session);
    tellDefault(host, options.default, log);
    const server = new NbdServer(host, {
      tls,
      readOnly,
      defaultExport: options.default,
      maxConnections: options.maxConnections,
      isOffered: (name) => !isUnfinishedImport(name),
      log,
    });
    let control: ControlServer | undefined;
    try {
      if (!readOnly) control = await openControl(host, log);
      if (!options.stdio) await listen(server, store, options);
      await withMetrics(server, options.metrics, log, async () => {
        const ended = ending(session.signal, options);
        await (options.stdio ? Promise.race([serveCaller(server), ended]) : ended);
      });
      session.interruption.accept();
      log.info({ connections: server.connections }, "shutting down");
    } finally {
      await control?.close();
      await server.close();
    }
  });
}

/** A subvolume may be given the name later; more likely it is mistyped. */
function tellDefault(host: Host, name: string | undefined, log: Log): void {
  if (name === undefined || host.list().some((info) => info.name === name)) return;
  log.warn({ export: name }, "no subvolume has the name of the default export");
}

async function listen(server: NbdServer, store: string, options: ServeOptions): Promise<void> {
  const { socket, listen: tcp, insecure = false } = options;
  const addresses: ListenAddress[] = inheritedSockets().map((fd) => ({ fd }));
  if (socket !== undefined) addresses.push({ path: socket });
  if (tcp) addresses.push({ ...tcp, insecure });
  if (addresses.length === 0) addresses.push({ path: join(store, NBD_SOCKET) });
  for (const address of addresses) await server.listen(address);
}

/** Without one the store is served all the same; commands find it locked then. */
async function openControl(host: Host, log: Log): Promise<ControlServer | undefined> {
  const { ControlServer } = await import("../control/control-server.ts");
  try {
    return await ControlServer.open(host);
  } catch (error) {
    log.warn({ reason: messageOf(error) }, "no control socket");
    return undefined;
  }
}

async function withMetrics(
  server: NbdServer,
  address: Address | undefined,
  log: Log,
  work: () => Promise<void>,
): Promise<void> {
  if (!address) return work();
  const { MetricsPage } = await import("../metrics-page.ts");
  const page = await MetricsPage.open(address, () => server.metrics());
  log.info({ metrics: page.url }, "figures for Prometheus");
  try {
    await work();
  } finally {
    await page.close();
  }
}

/** Serves the client that has started this process, until it is gone. */
async function serveCaller(server: NbdServer): Promise<void> {
  const { stdin, stdout } = process;
  try {
    await server.serve(Duplex.from({ readable: stdin, writable: stdout }));
  } finally {
    // The caller may keep its end open; nothing more is expected from it.
    stdin.destroy();
  }
}

/**
 * Resolves when the run is to end. Sockets are handed over by systemd, which outlives us, or by a
 * client that started us for itself and may be killed.
 */
async function ending(signal: AbortSignal, { exitWithParent }: ServeOptions): Promise<void> {
  if (signal.aborted) return;
  const aborted = once(signal, "abort");
  const withParent = exitWithParent === true || inheritedSockets().length > 0;
  await (withParent ? Promise.race([aborted, parentGone(signal)]) : aborted);
}

/** What `node:tls` needs; nothing when no key of any kind is given. */
async function tlsOptions(options: ServeOptions): Promise<NbdTlsOptions | undefined> {
  const { tlsCert, tlsKey, tlsCa, tlsPsk, tlsOptional } = options;
  const required = tlsOptional !== true;
  if (tlsPsk !== undefined) {
    return { ...presharedKeys(await readFile(tlsPsk, "utf8"), tlsPsk), required };
  }
  if (tlsCert === undefined && tlsKey === undefined) {
    if (tlsCa === undefined) return undefined;
    throw new UsageError("--tls-ca needs --tls-cert and --tls-key");
  }
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new UsageError("--tls-cert and --tls-key go together");
  }
  const [cert, key] = [await readFile(tlsCert), await readFile(tlsKey)];
  if (tlsCa === undefined) return { cert, key, required };
  const ca = await readFile(tlsCa);
  return { cert, key, ca, requestCert: true, rejectUnauthorized: true, required };
}

function countArgument(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError(`"${text}" is no count; allowed are 1 to 999999`);
}
