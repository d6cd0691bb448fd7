/**
 * Faults that are not crashes: the k-th operation of a run fails, is cut short, lies, goes to a
 * wrong place, flips a bit or comes late, once or from then on.
 *
 * A plan has a short text, which stands before a crash vector: `@17:EIO` (the 17th operation fails
 * with `EIO`), `@17:EIO!` (it fails, but is done), `@17+:ENOSPC` (it and all later ones of its
 * kind), `@17:short100`, `@17:short100,ENOSPC` (100 bytes, and the next one of its kind fails),
 * `@17:lie`, `@17:misdirect4096`, `@17:flip12`, `@17:delay16`.
 */
import type { Fault, OnOperation, Operation } from "./operation.ts";

/**
 * How late what is late comes, in turns of the event loop: a flush takes one, so several commits
 * and all of a checkpoint pass by.
 */
const LATE_TURNS = 16;

export interface FaultPlan {
  /** Which operation since the start of the run, from 1; reads count. */
  at: number;
  /** Also every later operation of the same kind. */
  lasting?: boolean;
  fault: Fault;
  /** What the next operation of the same kind meets. */
  next?: Fault;
}

/** Hooks a plan into a disk. */
export class FaultInjector {
  readonly plan: FaultPlan;
  /** The operations that met the fault. */
  readonly struck: Operation[] = [];
  #seen = 0;

  constructor(plan: FaultPlan) {
    this.plan = plan;
  }

  readonly onOperation: OnOperation = (operation) => {
    const { at, lasting, fault, next } = this.plan;
    this.#seen++;
    const isLater = this.struck[0]?.kind === operation.kind;
    const isNext = isLater && next !== undefined && this.struck.length === 1;
    if (this.#seen !== at && !isNext && !(lasting && isLater)) return undefined;
    this.struck.push(operation);
    return isNext ? next : fault;
  };
}

/** Kinds of faults, by the word that stands in reports. */
export const faultKinds = {
  EIO: "an operation fails with EIO",
  ENOSPC: "a write, creation or growth fails with ENOSPC",
  EMFILE: "a file cannot be created or opened",
  short: "a read or write moves only a part",
  sync: "a flush fails once; the next ones succeed and cover nothing that it should have",
  lie: "a flush says that it is done, and is not",
  lost: "a write says that it is done, and is not",
  misdirect: "a read or write goes to another place of the file",
  flip: "one bit of what is read or written is wrong",
  delay: "an operation takes longer, and others overtake it",
} as const;

export type FaultKind = keyof typeof faultKinds;

/** The plans of one kind for the operation that was the `at`th of a run without faults. */
export function plansFor(kind: FaultKind, operation: Operation, at: number): FaultPlan[] {
  const { kind: what, length = 0, offset = 0 } = operation;
  const isTransfer = (what === "read" || what === "write") && length > 0;
  const isFlush = what === "flush" || what === "sync";
  const onceAndLasting = (fault: Fault): FaultPlan[] => bothOf(at, fault);
  switch (kind) {
    case "EIO":
      return onceAndLasting({ type: "fail", code: "EIO" });
    case "ENOSPC":
      return takesSpace(what) ? fullAt(at, operation) : [];
    case "EMFILE":
      return what === "create" || what === "open"
        ? [{ at, fault: { type: "fail", code: "EMFILE" } }]
        : [];
    case "short":
      // Nothing would be the end of a file.
      return isTransfer && length > 1 ? [{ at, fault: { type: "short", bytes: length >> 1 } }] : [];
    case "sync":
      return isFlush ? [{ at, fault: { type: "fail", code: "EIO" } }] : [];
    case "lie":
      return isFlush ? onceAndLasting({ type: "lie" }) : [];
    case "lost":
      return what === "write" || what === "discard" ? [{ at, fault: { type: "lie" } }] : [];
    case "misdirect":
      return isTransfer ? [{ at, fault: { type: "misdirect", offset: offset + length } }] : [];
    case "flip":
      return isTransfer ? [{ at, fault: { type: "flip", bit: (at * 7919) % (length * 8) } }] : [];
    case "delay":
      return [{ at, fault: { type: "delay", turns: LATE_TURNS } }];
  }
}

function bothOf(at: number, fault: Fault): FaultPlan[] {
  return [
    { at, fault },
    { at, fault, lasting: true },
  ];
}

/** A full disk may take the first part of a write, and tell only whoever writes the rest. */
function fullAt(at: number, { kind, length = 0 }: Operation): FaultPlan[] {
  const full: Fault = { type: "fail", code: "ENOSPC" };
  if (kind !== "write" || length < 2) return bothOf(at, full);
  return [...bothOf(at, full), { at, fault: { type: "short", bytes: length >> 1 }, next: full }];
}

function takesSpace(kind: Operation["kind"]): boolean {
  return kind === "write" || kind === "create" || kind === "resize" || kind === "commit";
}

export function formatPlan({ at, lasting, fault, next }: FaultPlan): string {
  return `@${at}${lasting ? "+" : ""}:${formatFault(fault)}${next ? `,${formatFault(next)}` : ""}`;
}

/** The inverse of {@link formatPlan}; a `SyntaxError` says what cannot be understood. */
export function parsePlan(text: string): FaultPlan {
  const plan = /^@([1-9]\d*)(\+?):([^,]+)(?:,(.+))?$/.exec(text);
  if (!plan) throw new SyntaxError(`"${text}" is no fault; one looks like @17:EIO, from @1 on`);
  const [, at, lasting, fault, next] = plan;
  return {
    at: Number(at),
    ...(lasting && { lasting: true }),
    fault: parseFault(fault!),
    ...(next && { next: parseFault(next) }),
  };
}

export function formatFault(fault: Fault): string {
  switch (fault.type) {
    case "fail":
      return fault.effect === "all" ? `${fault.code}!` : fault.code;
    case "short":
      return `short${fault.bytes}`;
    case "lie":
      return "lie";
    case "misdirect":
      return `misdirect${fault.offset}`;
    case "flip":
      return `flip${fault.bit}`;
    case "delay":
      return `delay${fault.turns}`;
  }
}

function parseFault(text: string): Fault {
  const [, code, mark] = /^(E[A-Z0-9]+)(!?)$/.exec(text) ?? [];
  if (code) return { type: "fail", code, ...(mark && { effect: "all" }) };
  if (text === "lie") return { type: "lie" };
  const [, word, number] = /^([a-z]+)(\d+)$/.exec(text) ?? [];
  const value = Number(number);
  switch (word) {
    case "short":
      return { type: "short", bytes: value };
    case "misdirect":
      return { type: "misdirect", offset: value };
    case "flip":
      return { type: "flip", bit: value };
    case "delay":
      return { type: "delay", turns: value };
    default:
      throw new SyntaxError(
        `"${text}" is no fault; EIO, EIO!, short100, lie, misdirect4096, flip12, delay16 are`,
      );
  }
}
