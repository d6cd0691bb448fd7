/**
 * The rules of `crash-point.ts` once more, told in the plainest way: every subset of everything
 * that was issued, kept where the rules allow it, applied to arrays of bytes in order. Slow, and
 * with no line in common with what it is compared to.
 */
import type { DiskImage, NodeNumber } from "../../src/testing/disk-image.ts";
import { ROOT } from "../../src/testing/disk-image.ts";
import type { Effect, TraceEntry } from "../../src/testing/operation.ts";
import { textOf } from "./hand-made.ts";

type Change = Extract<Effect, { type: "data" | "size" | "names" }>;
type Unit = Change & { index: number; doneAt: number };

/** Folders for names, `file 7` for sizes: what must not be kept without what came before it. */
function chainsOf(unit: Change): string[] {
  if (unit.type === "data") return [];
  if (unit.type === "size") return [`file ${unit.file}`];
  const folders = [unit.drop?.folder, unit.put?.folder].filter((folder) => folder !== undefined);
  return [...new Set(folders)].map((folder) => `folder ${folder}`);
}

function unitsOf(trace: readonly TraceEntry[]): Unit[] {
  return trace.flatMap(({ index, doneAt, effects }) =>
    effects.flatMap((effect) =>
      effect.type === "data" || effect.type === "size" || effect.type === "names"
        ? [{ ...effect, index, doneAt }]
        : [],
    ),
  );
}

/** The units that a flush or sync of this entry is about, if it is one. */
function covered(
  units: readonly Unit[],
  { index, effects }: TraceEntry,
  skip: Set<Unit>,
): Set<Unit> {
  const found = new Set<Unit>();
  for (const effect of effects) {
    const isDone = (unit: Unit): boolean => unit.doneAt <= index && !skip.has(unit);
    if (effect.type === "flushed" || effect.type === "flushFailed") {
      for (const unit of units) {
        if (unit.type !== "names" && unit.file === effect.file && isDone(unit)) found.add(unit);
      }
    }
    if (effect.type === "synced" || effect.type === "syncFailed") {
      const folders = new Set([`folder ${effect.folder}`]);
      for (const unit of units.toReversed()) {
        const chains = unit.type === "names" ? chainsOf(unit) : [];
        if (!isDone(unit) || !chains.some((chain) => folders.has(chain))) continue;
        found.add(unit);
        for (const chain of chains) folders.add(chain);
      }
    }
  }
  return found;
}

/** What is durable when `cut` entries have been issued. */
function durableAt(trace: readonly TraceEntry[], units: readonly Unit[], cut: number): Set<Unit> {
  const durable = new Set<Unit>();
  const forgotten = new Set<Unit>();
  const moments: { at: number; order: number; happen: () => void }[] = [];
  for (const entry of trace.slice(0, cut)) {
    const { index, doneAt, effects } = entry;
    const fails = effects.some(({ type }) => type === "flushFailed" || type === "syncFailed");
    if (fails) {
      const happen = (): void => {
        for (const unit of covered(units, entry, forgotten)) {
          if (!durable.has(unit)) forgotten.add(unit);
        }
      };
      moments.push({ at: index, order: 1, happen });
    } else if (doneAt === index + 1 || doneAt < cut) {
      const happen = (): void => {
        for (const unit of covered(units, entry, forgotten)) durable.add(unit);
      };
      const isAtOnce = doneAt === index + 1;
      moments.push({ at: isAtOnce ? index : doneAt, order: isAtOnce ? 1 : 0, happen });
    }
  }
  for (const moment of moments.toSorted((a, b) => a.at - b.at || a.order - b.order))
    moment.happen();
  return durable;
}

/** Every state that the rules allow at a point, each as a text. */
export function statesAllowedAt(
  start: DiskImage,
  trace: readonly TraceEntry[],
  cut: number,
): Set<string> {
  const units = unitsOf(trace.slice(0, cut));
  const durable = durableAt(trace, units, cut);
  const open = units.filter((unit) => !durable.has(unit));
  const states = new Set<string>();
  for (let mask = 0; mask < 2 ** open.length; mask++) {
    const isKept = (unit: Unit): boolean =>
      durable.has(unit) || (mask >> open.indexOf(unit)) % 2 === 1;
    const isAllowed = open.every((unit, i) => {
      if (!isKept(unit)) return true;
      const before = open.slice(0, i).filter((other) => !isKept(other));
      return !before.some((other) =>
        chainsOf(other).some((chain) => chainsOf(unit).includes(chain)),
      );
    });
    if (isAllowed) states.add(stateOf(start, units.filter(isKept)));
  }
  return states;
}

/** What a program finds on an image, as a text. */
export function describeImage(image: DiskImage): string {
  const contents = new Map(Array.from(image.files, ([node, file]) => [node, textOf(file)]));
  return describe(contents, image.folders, ROOT);
}

function stateOf(start: DiskImage, units: readonly Unit[]): string {
  const folders = new Map(Array.from(start.folders, ([node, names]) => [node, new Map(names)]));
  const bytes = new Map<NodeNumber, number[]>();
  const sizes = new Map<NodeNumber, number>();
  for (const [node, file] of start.files) {
    bytes.set(node, [...Buffer.from(textOf(file), "latin1")]);
    sizes.set(node, file.size);
  }
  for (const unit of units) {
    if (unit.type === "names") {
      const { drop, put } = unit;
      if (drop) folders.get(drop.folder)?.delete(drop.name);
      if (!put) continue;
      if (!folders.has(put.folder)) folders.set(put.folder, new Map());
      folders.get(put.folder)!.set(put.name, put.node);
      if (put.is === "folder" && !folders.has(put.node)) folders.set(put.node, new Map());
      if (put.is === "file" && !bytes.has(put.node)) bytes.set(put.node, []);
      continue;
    }
    const content = bytes.get(unit.file) ?? [];
    bytes.set(unit.file, content);
    if (unit.type === "size") {
      if (unit.size < (sizes.get(unit.file) ?? 0))
        content.length = Math.min(content.length, unit.size);
      sizes.set(unit.file, unit.size);
    } else for (let i = 0; i < unit.length; i++) content[unit.offset + i] = unit.bytes?.[i] ?? 0;
  }
  const contents = Array.from(bytes, ([node, content]): [NodeNumber, string] => {
    const size = sizes.get(node) ?? 0;
    const whole = Array.from({ length: size }, (_, i) => content[i] ?? 0);
    return [node, Buffer.from(whole).toString("latin1")];
  });
  return describe(new Map(contents), folders, ROOT);
}

function describe(
  contents: ReadonlyMap<NodeNumber, string>,
  folders: DiskImage["folders"],
  folder: NodeNumber,
  firstNames = new Map<NodeNumber, string>(),
): string {
  const names = [...(folders.get(folder) ?? [])].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const parts = names.map(([name, node]) => {
    const content = contents.get(node);
    const first = firstNames.get(node);
    if (first !== undefined) return `${name}->${first}`;
    if (content !== undefined) firstNames.set(node, `${folder}/${name}`);
    return content === undefined
      ? `${name}/(${describe(contents, folders, node, firstNames)})`
      : `${name}=${JSON.stringify(content)}`;
  });
  return parts.join(" ");
}
