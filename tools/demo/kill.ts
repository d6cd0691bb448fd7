/** One round of the demo's crashes: lets a process write, kills it, and looks at what is left. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Host } from "blockspace";
import type { Ledger } from "./ledger.ts";
import type { Outcome } from "./report.ts";

const writer = fileURLToPath(new URL("./writer.ts", import.meta.url));

/** Lets a process write to the clones until so many writes are durable, and kills it at work. */
async function writeUntilKilled(
  store: string,
  clones: number,
  ledger: Ledger,
  writes: number,
): Promise<void> {
  const args = [store, String(clones), String(ledger.submitted + 1)];
  const child = spawn(process.execPath, ["--import", "tsx", writer, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exit = once(child, "exit");
  const enough = ledger.durable + writes;
  for await (const line of createInterface({ input: child.stdout })) {
    ledger.note(line);
    if (ledger.durable >= enough) child.kill("SIGKILL");
  }
  const [code, signal] = (await exit) as [number | null, string | null];
  if (signal !== "SIGKILL") throw new Error(`the writer ended by itself, with exit code ${code}`);
}

/** A round: kill, reopen, and check every acknowledged write. */
export async function crash(
  store: string,
  snapshot: string,
  clones: number,
  ledger: Ledger,
): Promise<Outcome> {
  const before = ledger.durable;
  await writeUntilKilled(store, clones, ledger, 1000 + Math.floor(Math.random() * 2000));
  const acknowledged = ledger.durable - before;
  const host = await Host.open(store);
  try {
    await ledger.check(host, snapshot);
    for (let clone = 1; clone <= clones; clone++) ledger.checkDifferences(host, snapshot, clone);
    const stored = host.statistics().allocated;
    return { what: `kill -9, reopen: all ${acknowledged} acknowledged writes are there`, stored };
  } finally {
    await host.close();
  }
}
