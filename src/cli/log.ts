/** The log of a server: a line of JSON on stderr for each event, for people and collectors. */
import type { Log } from "../nbd/index.ts";
import type { Session } from "./session.ts";

export async function openLog(session: Session): Promise<Log> {
  const { pino, destination } = await import("pino");
  const { quiet, verbose } = session.options;
  const level = quiet ? "warn" : verbose ? "debug" : "info";
  // Written at once: what was said last must not be lost when the process is killed.
  const log: Log = pino({ name: "blockspace", level }, destination({ dest: 2, sync: true }));
  return log;
}
