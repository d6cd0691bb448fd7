/**
 * Takes the findings of a check up as they are made: tells who listens, and keeps no more of a kind
 * than anybody reads, since a store with a million damaged blocks must not fill the memory.
 */
import { messageOf } from "../base/errors.ts";
import { finding, type Finding, type FindingPlace } from "./finding.ts";
import { type FindingId, findingTable } from "./finding-table.ts";

/** Why something cannot be believed, without the code that every damage has. */
export function reasonOf(error: unknown): string {
  return messageOf(error).replace(/^ECORRUPT: /, "");
}

/** Adds a finding. */
export type Report = (
  id: FindingId,
  message: string,
  where?: FindingPlace,
  atRisk?: number,
) => void;

const KEPT_OF_EACH = 1000;

export class Findings {
  readonly list: Finding[] = [];
  /** By id: how many were made, kept or not. */
  readonly counts: Map<FindingId, number> = new Map();
  readonly #onFinding: (finding: Finding) => void;

  constructor(onFinding: (finding: Finding) => void = () => undefined) {
    this.#onFinding = onFinding;
  }

  /** Findings so far that are worse than a leak. */
  get damage(): number {
    let damage = 0;
    for (const [id, count] of this.counts) {
      if (findingTable[id].severity !== "leak") damage += count;
    }
    return damage;
  }

  /** All findings so far. */
  get all(): number {
    let all = 0;
    for (const count of this.counts.values()) all += count;
    return all;
  }

  /** Findings that were made and not kept. */
  get left(): number {
    return this.all - this.list.length;
  }

  /** As a function, each finding placed in `state` where one is named. */
  report(state?: "a" | "b" | "replayed"): Report {
    return (id, message, where = {}, atRisk = 0) => {
      const count = (this.counts.get(id) ?? 0) + 1;
      this.counts.set(id, count);
      if (count > KEPT_OF_EACH) return;
      const made = finding(id, message, state ? { state, ...where } : where, atRisk);
      this.list.push(made);
      this.#onFinding(made);
    };
  }
}
