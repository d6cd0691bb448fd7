/** One NBD server on a Unix socket, as a process that is killed when its part is done. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { isAnswered } from "../../../src/nbd/listen.ts";
import type { CleanUp } from "../clean-up.ts";
import type { Subject } from "../turns.ts";

const PATIENCE_MS = 20_000;

export interface NbdServer extends Subject {
  readonly uri: string;
}

/** Starts a server and waits until it takes connections. */
export async function startServer(
  cleanUp: CleanUp,
  name: string,
  command: readonly string[],
  socket: string,
  exportName: string,
): Promise<NbdServer> {
  const child = spawn(command[0]!, command.slice(1), { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr
    .setEncoding("utf8")
    .on("data", (text: string) => (said = (said + text).slice(-2000)));
  const closed = once(child, "close");
  await cleanUp.add(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await closed;
  });
  const until = Date.now() + PATIENCE_MS;
  while (!(await isAnswered(socket))) {
    if (child.exitCode !== null || Date.now() > until) throw new Error(`${name}: ${said.trim()}`);
    await setTimeout(50);
  }
  return { name, pids: [child.pid!], uri: `nbd+unix:///${exportName}?socket=${socket}` };
}
