/**
 * A simulated disk: folders, files and cells in memory, volatile until flushed, on which a program
 * runs that must survive crashes.
 *
 * Programs do not call it directly; they are handed one of its faces: `fileSystem(disk)` looks like
 * `node:fs/promises`, `new SimulatedDirectory(disk)` gives out devices. All calls here are
 * synchronous and take no time. Errors have a `code` as those of `node:fs` do.
 *
 * Every operation goes through one place, `#perform`: announce it to the hook, let the fault that
 * the hook may answer with change it, change what a reader sees, and note its effects for the
 * crash to come.
 */
import { setImmediate as immediate } from "node:timers/promises";
import { CrashPoint } from "./crash-point.ts";
import { type CellImage, type DiskImage, EMPTY_IMAGE, type NodeNumber } from "./disk-image.ts";
import { systemError } from "./disk-errors.ts";
import { FileBytes, FileImage } from "./file-bytes.ts";
import { FolderTree } from "./folder-tree.ts";
import type { Effect, Fault, FlushScope, OnOperation, Operation, TraceEntry } from "./operation.ts";
import type { Random } from "./random.ts";
import { randomFate } from "./random-fate.ts";

export interface SimulatedDiskOptions {
  /** What is on it, durably; nothing unless told. */
  image?: DiskImage;
  onOperation?: OnOperation | undefined;
  /** Keep a trace; its entries hold all that was written. */
  record?: boolean;
}

/** A file that was found or created. */
export interface FoundFile {
  node: NodeNumber;
  path: string;
}

/** What came of an operation: whether it took more than this turn, and of how many bytes it was. */
export interface Done {
  entry: TraceEntry | undefined;
  bytes: number;
  delayTurns: number;
}

/** So many operations that need no turn of the event loop may follow each other without one. */
const SETTLED_PER_TURN = 4096;

export class SimulatedDisk {
  /** Called before every operation; may be replaced at any time. */
  onOperation: OnOperation | undefined;
  /** Everything with an effect so far, when the disk records. */
  readonly trace: TraceEntry[] = [];
  /** By node, who holds a lock on it: the number of shared holders, or -1 for an exclusive one. */
  readonly locks: Map<NodeNumber, number> = new Map();
  readonly #record: boolean;
  readonly #start: DiskImage;
  readonly #tree: FolderTree;
  readonly #files = new Map<NodeNumber, FileBytes>();
  #cells: ReadonlyMap<string, CellImage>;
  #point: CrashPoint;
  #entries = 0;
  #settled = 0;

  constructor(options: SimulatedDiskOptions = {}) {
    this.#start = options.image ?? EMPTY_IMAGE;
    this.onOperation = options.onOperation;
    this.#record = options.record ?? false;
    this.#tree = new FolderTree(this.#start);
    this.#cells = this.#start.cells;
    this.#point = new CrashPoint(this.#start);
  }

  /** What was on it when it was made. */
  get start(): DiskImage {
    return this.#start;
  }

  /** What a reader finds now, durable or not. */
  image(): DiskImage {
    const files = new Map(this.#start.files);
    for (const [node, bytes] of this.#files) files.set(node, bytes.freeze());
    return { files, ...this.#tree.image(), cells: this.#cells };
  }

  /**
   * A disk as after loss of power now. What was not flushed or synced is lost, kept or torn as
   * `random` decides: always 0 keeps only what is durable, always nearly 1 keeps everything.
   */
  crash(random: Random, options: Omit<SimulatedDiskOptions, "image"> = {}): SimulatedDisk {
    return new SimulatedDisk({ ...options, image: this.#point.image(randomFate(random)) });
  }

  /** A disk as after `kill -9` now: all that was written is there, and as little durable. */
  killed(options: Omit<SimulatedDiskOptions, "image"> = {}): SimulatedDisk {
    const disk = new SimulatedDisk({ ...options, image: this.image() });
    disk.#point = this.#point.copy();
    return disk;
  }

  /** Leaves a mark in the trace: the program under test has come this far. */
  mark(value: unknown): void {
    this.#note({ kind: "mark", value }, []);
  }

  /**
   * For the asynchronous faces: what was issued is done when this resolves. Only then does a flush
   * cover it, and only then is a flush worth anything. A flush takes a turn of the event loop: who
   * does not wait for it has gone on by then, through however many promises. So that a program
   * that goes round in circles can be left behind, timers get a turn now and then.
   */
  async settle({ entry, delayTurns }: Done): Promise<void> {
    if (entry) entry.doneAt = Infinity;
    const isLong = isFlush(entry) || ++this.#settled % SETTLED_PER_TURN === 0;
    const turns = Math.max(delayTurns, isLong ? 1 : 0);
    for (let turn = 0; turn < turns; turn++) await immediate();
    if (turns === 0) await Promise.resolve();
    if (!entry) return;
    entry.doneAt = this.#entries;
    this.#point.finish(entry);
  }

  // Names.

  /** What is under a path, or `undefined`. */
  find(path: string): { node: NodeNumber; is: "file" | "folder" } | undefined {
    return this.#tree.find(path);
  }

  /** The file under a path; `ENOENT`, `EISDIR`. */
  file(path: string): FoundFile {
    const found = this.#tree.find(path) ?? fail("ENOENT", "open", path);
    if (found.is === "folder") fail("EISDIR", "open", path);
    return { node: found.node, path };
  }

  /** A new empty file in place of whatever file had the name. */
  createFile(path: string, size = 0): FoundFile & { done: Done } {
    const place = this.#tree.place(path, "open");
    if (this.#tree.find(path)?.is === "folder") fail("EISDIR", "open", path);
    const node = this.#tree.newNode();
    const put = { ...place, node, is: "file" as const };
    const effects: Effect[] = [{ type: "names", put }];
    if (size > 0) effects.push({ type: "size", file: node, size });
    const done = this.#perform({ kind: "create", path, length: size }, effects);
    return { node, path, done };
  }

  createFolder(path: string): Done {
    const place = this.#tree.place(path, "mkdir");
    if (this.#tree.find(path)) fail("EEXIST", "mkdir", path);
    const put = { ...place, node: this.#tree.newNode(), is: "folder" as const };
    return this.#perform({ kind: "create", path }, [{ type: "names", put }]);
  }

  /** A second name of a file. */
  link(from: string, to: string): Done {
    const { node } = this.file(from);
    const place = this.#tree.place(to, "link");
    if (this.#tree.find(to)) fail("EEXIST", "link", to);
    return this.#perform({ kind: "create", path: to }, [
      { type: "names", put: { ...place, node, is: "file" } },
    ]);
  }

  rename(from: string, to: string): Done {
    const found = this.#tree.find(from) ?? fail("ENOENT", "rename", from);
    const drop = this.#tree.place(from, "rename");
    const put = { ...this.#tree.place(to, "rename"), ...found };
    const inTheWay = this.#tree.find(to);
    if (inTheWay?.node === found.node) return { entry: undefined, bytes: 0, delayTurns: 0 };
    if (`${to}/`.startsWith(`${from}/`)) fail("EINVAL", "rename", to);
    if (`${from}/`.startsWith(`${to}/`)) fail("ENOTEMPTY", "rename", to);
    if (inTheWay?.is === "folder") {
      if (found.is === "file") fail("EISDIR", "rename", to);
      if (this.#tree.namesOf(inTheWay.node).size > 0) fail("ENOTEMPTY", "rename", to);
    } else if (inTheWay && found.is === "folder") fail("ENOTDIR", "rename", to);
    return this.#perform({ kind: "rename", path: from, to }, [{ type: "names", drop, put }]);
  }

  /** Removes a file, or an empty folder. */
  remove(path: string, is: "file" | "folder"): Done {
    const call = is === "file" ? "unlink" : "rmdir";
    const found = this.#tree.find(path) ?? fail("ENOENT", call, path);
    if (found.is !== is) fail(is === "file" ? "EISDIR" : "ENOTDIR", call, path);
    if (is === "folder" && this.#tree.namesOf(found.node).size > 0) fail("ENOTEMPTY", call, path);
    const drop = this.#tree.place(path, call);
    return this.#perform({ kind: "remove", path }, [{ type: "names", drop }]);
  }

  /** The names in a folder, sorted. */
  list(path: string): string[] {
    const found = this.#tree.find(path) ?? fail("ENOENT", "scandir", path);
    if (found.is === "file") fail("ENOTDIR", "scandir", path);
    return [...this.#tree.namesOf(found.node).keys()].toSorted();
  }

  /** Makes the names of a folder durable. */
  syncFolder(path: string, scope: Pick<FlushScope, "calledAt"> = {}): Done {
    const found = this.#tree.find(path) ?? fail("ENOENT", "open", path);
    if (found.is === "file") fail("ENOTDIR", "fsync", path);
    return this.syncFoundFolder({ node: found.node, path }, scope);
  }

  /** The same of a folder that was found before, whatever its name is now. */
  syncFoundFolder(
    { node, path }: { node: NodeNumber; path: string },
    scope: Pick<FlushScope, "calledAt"> = {},
  ): Done {
    return this.#perform(
      { kind: "sync", path },
      [{ type: "synced", folder: node, ...scope }],
      [{ type: "syncFailed", folder: node, ...scope }],
    );
  }

  /** A program asks for a descriptor. Nothing changes, but the hook may refuse. */
  open(path: string): Done {
    const fault = this.#announce({ kind: "open", path });
    if (fault?.type === "fail") fail(fault.code, "open", path);
    return { entry: undefined, bytes: 0, delayTurns: turnsOf(fault) };
  }

  // Bytes.

  /** The size of a file in bytes. */
  sizeOf(node: NodeNumber): number {
    return this.#bytes(node).size;
  }

  /** Bytes that the file takes, in whole pages. */
  occupiedBytesOf(node: NodeNumber): number {
    return this.#bytes(node).occupiedBytes;
  }

  /** Reads what is there; `bytes` in the answer is less than asked for at the end of the file. */
  read({ node, path }: FoundFile, target: Uint8Array, offset: number): Done {
    const operation: Operation = { kind: "read", path, offset, length: target.length };
    const fault = this.#announce(operation);
    if (fault?.type === "fail") fail(fault.code, "read", path);
    const bytes = this.#bytes(node);
    const from = fault?.type === "misdirect" ? fault.offset : offset;
    const most = fault?.type === "short" ? fault.bytes : target.length;
    const count = Math.max(0, Math.min(most, bytes.size - from, target.length));
    bytes.read(target.subarray(0, count), from);
    if (fault?.type === "flip") flip(target.subarray(0, count), fault.bit);
    return { entry: undefined, bytes: count, delayTurns: turnsOf(fault) };
  }

  /** Takes a copy of `bytes`; a write beyond the end makes the file longer. */
  write({ node, path }: FoundFile, bytes: Uint8Array, offset: number): Done {
    const operation: Operation = { kind: "write", path, offset, length: bytes.length };
    const fault = this.#announce(operation);
    const count = fault?.type === "short" ? Math.min(fault.bytes, bytes.length) : bytes.length;
    const copy = new Uint8Array(bytes.subarray(0, count));
    if (fault?.type === "flip") flip(copy, fault.bit);
    const at = fault?.type === "misdirect" ? fault.offset : offset;
    const effects: Effect[] = [];
    if (at + count > this.sizeOf(node)) {
      effects.push({ type: "size", file: node, size: at + count });
    }
    effects.push({ type: "data", file: node, offset: at, length: count, bytes: copy });
    return { ...this.#finish(operation, effects, fault), bytes: count };
  }

  /** Gives a range back; it reads as zeroes, and the size stays. */
  discard({ node, path }: FoundFile, offset: number, length: number): Done {
    return this.#perform({ kind: "discard", path, offset, length }, [
      { type: "data", file: node, offset, length, bytes: null },
    ]);
  }

  resize({ node, path }: FoundFile, size: number): Done {
    const effects: Effect[] =
      size === this.sizeOf(node) ? [] : [{ type: "size", file: node, size }];
    return this.#perform({ kind: "resize", path, length: size }, effects);
  }

  /** Makes the data and the size of a file durable, not its name. */
  flush({ node, path }: FoundFile, scope: FlushScope = {}): Done {
    return this.#perform(
      { kind: "flush", path },
      [{ type: "flushed", file: node, ...scope }],
      [{ type: "flushFailed", file: node, ...scope }],
    );
  }

  // Cells.

  /** The value of a cell, or `undefined`. */
  cell(name: string): unknown {
    return this.#cells.get(name)?.value;
  }

  /** Replaces the value of a cell, at once and durably. */
  setCell(name: string, value: unknown, fingerprint: number): Done {
    const cell = { value, fingerprint };
    return this.#perform({ kind: "commit", path: name }, [{ type: "cell", name, cell }]);
  }

  // Damage.

  /** Changes what is durably there, behind every program's back; nothing announces it. */
  damage(path: string, change: (bytes: Uint8Array) => Uint8Array): void {
    const { node } = this.file(path);
    const bytes = this.#bytes(node);
    const before = new Uint8Array(bytes.size);
    bytes.read(before, 0);
    const after = change(before);
    bytes.resize(after.length);
    bytes.write(after, 0);
    this.#point = new CrashPoint(this.image());
  }

  #perform(
    operation: Operation,
    effects: readonly Effect[],
    whenFailed: readonly Effect[] = [],
  ): Done {
    return this.#finish(operation, effects, this.#announce(operation, whenFailed));
  }

  #announce(operation: Operation, whenFailed: readonly Effect[] = []): Fault | undefined {
    const fault = this.onOperation?.(operation) ?? undefined;
    if (fault?.type === "fail" && fault.effect !== "all") {
      if (whenFailed.length > 0) this.#note(operation, whenFailed);
      throw systemError(fault.code, operation.kind, operation.path);
    }
    return fault;
  }

  #finish(operation: Operation, effects: readonly Effect[], fault: Fault | undefined): Done {
    const entry = this.#note(operation, fault?.type === "lie" ? [] : effects);
    if (fault?.type === "fail") throw systemError(fault.code, operation.kind, operation.path);
    return { entry, bytes: 0, delayTurns: turnsOf(fault) };
  }

  #note(operation: TraceEntry["operation"], effects: readonly Effect[]): TraceEntry {
    const index = this.#entries++;
    const entry: TraceEntry = { index, operation, effects, doneAt: index + 1 };
    for (const effect of effects) this.#show(effect);
    this.#point.note(entry);
    if (this.#record) this.trace.push(entry);
    return entry;
  }

  /** What a reader sees from now on. */
  #show(effect: Effect): void {
    switch (effect.type) {
      case "data":
        if (effect.bytes) this.#bytes(effect.file).write(effect.bytes, effect.offset);
        else this.#bytes(effect.file).clear(effect.offset, effect.length);
        break;
      case "size":
        this.#bytes(effect.file).resize(effect.size);
        break;
      case "names":
        this.#tree.change(effect);
        if (effect.put?.is === "file") this.#bytes(effect.put.node);
        break;
      case "cell":
        this.#cells = new Map(this.#cells).set(effect.name, effect.cell);
        break;
      case "flushed":
      case "flushFailed":
      case "synced":
      case "syncFailed":
        break;
    }
  }

  #bytes(node: NodeNumber): FileBytes {
    let bytes = this.#files.get(node);
    if (!bytes) {
      bytes = new FileBytes(this.#start.files.get(node) ?? FileImage.empty);
      this.#files.set(node, bytes);
    }
    return bytes;
  }
}

function fail(code: string, syscall: string, path: string): never {
  throw systemError(code, syscall, path);
}

function turnsOf(fault: Fault | undefined): number {
  return fault?.type === "delay" ? fault.turns : 0;
}

function isFlush(entry: TraceEntry | undefined): boolean {
  return entry?.operation.kind === "flush" || entry?.operation.kind === "sync";
}

function flip(bytes: Uint8Array, bit: number): void {
  const index = Math.floor(bit / 8);
  if (index < bytes.length) bytes[index]! ^= 1 << (bit % 8);
}
