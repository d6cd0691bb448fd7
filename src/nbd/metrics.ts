/**
 * What a server has done, counted, and shown in the text format that Prometheus collects.
 */
import type { Statistics } from "../host/statistics.ts";
import { command, type Request } from "./wire.ts";

const names: ReadonlyMap<number, string> = new Map(
  Object.entries(command).map(([name, type]) => [type, name]),
);

/** Stands for every type that there is not. */
const UNKNOWN = -1;

interface Tally {
  requests: number;
  errors: number;
  bytes: number;
  seconds: number;
}

export class Metrics {
  /** Connections since the start, and those that are there. */
  connections = 0;
  open = 0;
  /** Connections turned away because there were too many. */
  refused = 0;
  /** Connections dropped because the client broke the protocol. */
  violations = 0;
  #inFlight = 0;
  readonly #tallies = new Map<number, Tally>();

  /** A request begins; what is returned is to be given to `ended`. */
  began(): number {
    this.#inFlight++;
    return performance.now();
  }

  /** Counts a request that is answered. */
  ended({ type, length }: Request, began: number, failed: boolean): void {
    this.#inFlight--;
    const tally = this.#tally(type);
    tally.requests++;
    tally.seconds += (performance.now() - began) / 1000;
    if (failed) tally.errors++;
    else tally.bytes += length;
  }

  #tally(type: number): Tally {
    const known = names.has(type) ? type : UNKNOWN;
    const tally = this.#tallies.get(known);
    if (tally) return tally;
    const fresh = { requests: 0, errors: 0, bytes: 0, seconds: 0 };
    this.#tallies.set(known, fresh);
    return fresh;
  }

  /** Everything, and the figures of the host below, as one page of text. */
  text(statistics: Statistics): string {
    const page = new Page();
    page.add("connections_total", "counter", "Connections accepted.", this.connections);
    page.add("connections_open", "gauge", "Connections that are there now.", this.open);
    page.add("connections_refused_total", "counter", "Turned away, too many.", this.refused);
    page.add("protocol_violations_total", "counter", "Connections dropped.", this.violations);
    page.add("requests_in_flight", "gauge", "Requests under way.", this.#inFlight);
    const columns = [
      ["requests", "requests_total", "Requests answered."],
      ["errors", "request_errors_total", "Requests answered with an error."],
      ["bytes", "request_bytes_total", "Bytes that successful requests spoke of."],
      ["seconds", "request_seconds_total", "Time from request to reply, summed up."],
    ] as const;
    for (const [column, name, help] of columns) {
      page.begin(name, "counter", help);
      for (const [type, tally] of this.#tallies) {
        page.sample(name, tally[column], `{command="${names.get(type) ?? "unknown"}"}`);
      }
    }
    for (const [key, value] of Object.entries(statistics) as [string, number][]) {
      const name = `host_${key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
      page.add(name, "gauge", `The host's ${key}.`, value);
    }
    return page.text;
  }
}

class Page {
  text = "";

  add(name: string, type: string, help: string, value: number): void {
    this.begin(name, type, help);
    this.sample(name, value);
  }

  begin(name: string, type: string, help: string): void {
    this.text += `# HELP blockspace_${name} ${help}\n# TYPE blockspace_${name} ${type}\n`;
  }

  sample(name: string, value: number, labels = ""): void {
    this.text += `blockspace_${name}${labels} ${value}\n`;
  }
}
