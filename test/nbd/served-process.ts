/** `blockspace serve` as a process of its own, for the tools of others to talk to. */
import { once } from "node:events";
import { type Running, makeStore, start } from "../cli/blockspace.ts";
import type { Host } from "../../src/index.ts";

export interface ServedProcess {
  readonly store: string;
  readonly running: Running;
  /** What clients call an export. */
  uri: (name: string) => string;
  /** Ends it as an operator does; resolves with its exit code. */
  stop: () => Promise<number | null>;
}

/** Starts serving a store; it is killed after the test by the scratch directory's clean-up. */
export async function serveStore(store: string, ...args: string[]): Promise<ServedProcess> {
  const running = start(["serve", store, ...args]);
  running.child.stdout.resume();
  await running.says('"listening"');
  const uri = (name: string): string =>
    `nbd+unix:///${encodeURIComponent(name)}?socket=${store}/nbd.sock`;
  const stop = async (): Promise<number | null> => {
    const closed = once(running.child, "close");
    running.child.kill("SIGTERM");
    const [code] = (await closed) as [number | null];
    return code;
  };
  return { store, running, uri, stop };
}

/** As {@link serveStore}, of a new store with a `disk` of 64 MiB. */
export async function serveNewStore(
  path: string,
  fill: (host: Host) => Promise<unknown> = () => Promise.resolve(),
  ...args: string[]
): Promise<ServedProcess> {
  await makeStore(path, async (host) => {
    await host.create("disk", { size: 2 ** 26 });
    await fill(host);
  });
  return serveStore(path, ...args);
}
