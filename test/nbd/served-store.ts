/** A store in memory with an NBD server over it, and clients that need no sockets. */
import { onTestFinished } from "vitest";
import type { Host } from "../../src/host/host.ts";
import { NbdServer, type NbdServerOptions } from "../../src/nbd/index.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { Client } from "./client.ts";
import { streamPair } from "./stream-pair.ts";

/** Bytes in a block of the store. */
export const B = 512;
export const DISK_BYTES: number = 256 * B;

export interface Served {
  store: MemoryStore;
  host: Host;
  server: NbdServer;
  /** A client that has said nothing yet. */
  connect: () => Client;
  /** A client that has shaken hands. */
  open: (name?: string, options?: Parameters<Client["go"]>[1]) => Promise<Client>;
}

/** A store with an empty subvolume `disk`, served; all of it is closed after the test. */
export async function serve(
  options: NbdServerOptions = {},
  geometry: Parameters<typeof MemoryStore.create>[0] = {},
): Promise<Served> {
  const store = MemoryStore.create(geometry);
  const host = await store.open();
  await host.create("disk", { size: DISK_BYTES });
  const server = new NbdServer(host, options);
  const clients = new Set<Client>();
  onTestFinished(async () => {
    for (const client of clients) client.stream.destroy();
    // A test that makes the device fail has seen to it that this says so.
    const tolerated = (error: unknown): void => {
      if (!store.onOperation) throw error;
    };
    await server.close().catch(tolerated);
    await host.close().catch(tolerated);
  });
  const connect = (): Client => {
    const [ours, theirs] = streamPair();
    server.serve(theirs).catch(() => undefined);
    const client = new Client(ours);
    clients.add(client);
    return client;
  };
  const open: Served["open"] = async (name = "disk", how = {}) => {
    const client = connect();
    await client.go(name, how);
    return client;
  };
  return { store, host, server, connect, open };
}

/** Bytes that tell their place. */
export function pattern(length: number, seed = 1): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 7 + seed * 31 + (i >> 8)) & 0xff));
}
