/** Traces written by hand, and what is on an image as plain text, for tests of single rules. */
import type { DiskImage, NodeNumber } from "../../src/testing/disk-image.ts";
import { EMPTY_IMAGE, ROOT } from "../../src/testing/disk-image.ts";
import { CrashPoint, type Fate } from "../../src/testing/crash-point.ts";
import { fateIn, parseVectors } from "../../src/testing/crash-vector.ts";
import { FileBytes, type FileImage } from "../../src/testing/file-bytes.ts";
import type { Effect, Operation, TraceEntry } from "../../src/testing/operation.ts";

/** By path, the text of a file; folders end in a slash. */
export type Listing = Record<string, string>;

/** What a program finds on an image. */
export function listingOf(image: DiskImage, folder: NodeNumber = ROOT, above = ""): Listing {
  const found: Listing = {};
  for (const [name, node] of image.folders.get(folder) ?? []) {
    const path = above + name;
    const file = image.files.get(node);
    if (file) found[path] = textOf(file);
    else Object.assign(found, { [`${path}/`]: "" }, listingOf(image, node, `${path}/`));
  }
  return found;
}

export function textOf(file: FileImage): string {
  const bytes = new Uint8Array(file.size);
  new FileBytes(file).read(bytes, 0);
  return Buffer.from(bytes).toString("latin1");
}

/** A trace as a list of effects; each call is one entry and returns its index. */
export class HandMade {
  readonly start: DiskImage;
  readonly trace: TraceEntry[] = [];

  constructor(start: DiskImage = EMPTY_IMAGE) {
    this.start = start;
  }

  entry(operation: TraceEntry["operation"], ...effects: Effect[]): number {
    const index = this.trace.length;
    this.trace.push({ index, operation, effects, doneAt: index + 1 });
    return index;
  }

  /** The entry is under way until `done` is said of it, or for ever. */
  late(index: number): number {
    this.trace[index]!.doneAt = Infinity;
    return index;
  }

  done(index: number): void {
    this.trace[index]!.doneAt = this.trace.length;
  }

  mark(value: unknown = "mark"): number {
    return this.entry({ kind: "mark", value });
  }

  create(
    folder: NodeNumber,
    name: string,
    node: NodeNumber,
    is: "file" | "folder" = "file",
  ): number {
    return this.entry(named("create", name), { type: "names", put: { folder, name, node, is } });
  }

  remove(folder: NodeNumber, name: string): number {
    return this.entry(named("remove", name), { type: "names", drop: { folder, name } });
  }

  rename(from: [NodeNumber, string], to: [NodeNumber, string], node: NodeNumber): number {
    const put = { folder: to[0], name: to[1], node, is: "file" as const };
    const drop = { folder: from[0], name: from[1] };
    return this.entry({ ...named("rename", from[1]), to: to[1] }, { type: "names", drop, put });
  }

  /** Data alone; with `size`, an operation that also changes the size. */
  write(file: NodeNumber, text: string, offset = 0, size?: number): number {
    const effects: Effect[] = size === undefined ? [] : [{ type: "size", file, size }];
    const bytes = Buffer.from(text, "latin1");
    effects.push({ type: "data", file, offset, length: bytes.length, bytes });
    return this.entry({ ...named("write", "file"), offset, length: bytes.length }, ...effects);
  }

  discard(file: NodeNumber, offset: number, length: number): number {
    const effect: Effect = { type: "data", file, offset, length, bytes: null };
    return this.entry({ ...named("discard", "file"), offset, length }, effect);
  }

  resize(file: NodeNumber, size: number): number {
    return this.entry(named("resize", "file"), { type: "size", file, size });
  }

  flush(file: NodeNumber, fails = false): number {
    return this.entry(named("flush", "file"), { type: fails ? "flushFailed" : "flushed", file });
  }

  sync(folder: NodeNumber, fails = false): number {
    return this.entry(named("sync", "/"), { type: fails ? "syncFailed" : "synced", folder });
  }

  point(cut: number = this.trace.length): CrashPoint {
    const point = new CrashPoint(this.start);
    for (const entry of this.trace.slice(0, cut)) point.note(entry);
    return point;
  }

  /** What is there after the crash that a vector says, without the cut: `!,d3+`. */
  after(vector: string, cut: number = this.trace.length): Listing {
    const [crash] = parseVectors(cut + vector);
    return listingOf(this.point(cut).image(fateIn(crash!)));
  }

  /** The names of what is uncertain, in order. */
  uncertain(cut: number = this.trace.length): string {
    const letters = { data: "d", size: "s", names: "n" };
    return this.point(cut)
      .units()
      .map(({ type, at }) => letters[type] + at)
      .join(" ");
  }
}

/** An image of files in the topmost folder, numbered from 1, and of empty folders from 100. */
export function imageOf(files: Listing, folders: readonly string[] = []): DiskImage {
  const made = new HandMade();
  Object.entries(files).forEach(([name, text], i) => {
    made.create(ROOT, name, i + 1);
    made.write(i + 1, text, 0, text.length);
    made.flush(i + 1);
  });
  folders.forEach((name, i) => made.create(ROOT, name, 100 + i, "folder"));
  made.sync(ROOT);
  return made.point().image(() => "lost");
}

export const lost = (): Fate => "lost";
export const kept = (): Fate => "kept";

function named(kind: Operation["kind"], path: string): Operation {
  return { kind, path };
}
