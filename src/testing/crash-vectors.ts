/**
 * The crashes of each kind at one point of a trace, as vectors. Nothing is built here, so counting
 * the crashes of a long trace costs little.
 */
import type { CrashKind, CrashModel } from "./crash-model.ts";
import type { CrashPoint, DataUnit, Fate, TornPart, Unit } from "./crash-point.ts";
import { type CrashVector, unitName } from "./crash-vector.ts";
import { PAGE_BYTES, sectorsOf } from "./file-bytes.ts";
import type { TraceEntry } from "./operation.ts";
import { type Random, randomBelow } from "./random.ts";

/** What is uncertain at a point, and which of it only since the newest entry. */
export interface Situation {
  cut: number;
  units: readonly Unit[];
  /** Not all of these are lost; when there are none, every crash is of interest again. */
  fresh: readonly Unit[];
  random: Random;
}

/**
 * `undefined` when no crash is possible that was not an entry earlier, with less to be kept.
 * `isNew`: everything is of interest, whatever the newest entry is.
 */
export function situationAt(
  point: CrashPoint,
  cut: number,
  { newest, isNew }: { newest: TraceEntry | undefined; isNew: boolean },
  random: Random,
): Situation | undefined {
  const units = point.units();
  const isAgain =
    isNew ||
    newest?.operation.kind === "mark" ||
    newest?.effects.some(({ type }) => type === "cell") === true;
  const fresh = isAgain ? [] : units.filter(({ at }) => at === cut - 1);
  return fresh.length > 0 || isAgain ? { cut, units, fresh, random } : undefined;
}

type Vectors = (situation: Situation, model: CrashModel) => Iterable<CrashVector>;

export const vectorsOf: Readonly<Record<CrashKind, Vectors>> = {
  *prefix({ cut, fresh, units }) {
    yield { cut, others: "kept", fates: new Map() };
    if (fresh.length === 0 && units.length > 0) yield { cut, others: "lost", fates: new Map() };
  },

  *subset(situation, model) {
    const { units, fresh, random } = situation;
    const isFresh = new Set(fresh);
    if (units.length <= model.exhaustiveUnits) {
      for (let mask = 0; mask < 2 ** units.length - 1; mask++) {
        const kept = units.filter((_, bit) => mask & (1 << bit));
        const possible = fresh.length === 0 || kept.some((unit) => isFresh.has(unit));
        if (possible) yield keeping(situation, kept);
      }
      return;
    }
    for (let i = 0; i < model.subsetSamples; i++) {
      const share = [1 / 2, 1 / 8, 7 / 8][i % 3]!;
      yield keeping(
        situation,
        units.filter((unit) => isFresh.has(unit) || random() < share),
      );
    }
  },

  *torn(situation, model) {
    for (const unit of freshData(situation)) {
      for (const grain of model.grains) {
        for (const fate of tearsOf(unit, grain, model.tearSamples, situation.random)) {
          yield* withOne(situation, unit, fate);
        }
      }
    }
    yield* tornEarlier(situation, model);
  },

  *garbage(situation, model) {
    for (const unit of freshData(situation)) {
      const lengths = sectorsOf(unit.offset, unit.length, sectorGrain(model));
      for (const broken of spread(lengths.length, model.tearSamples, situation.random)) {
        const fate = lengths
          .slice(0, broken + 1)
          .map((length, i): TornPart => ({ what: i === broken ? "garbage" : "kept", length }));
        yield* withOne(situation, unit, fate);
      }
    }
  },

  *names(situation, model) {
    const { cut, units, fresh, random } = situation;
    const uncertain = units.filter(({ type }) => type !== "data");
    const isNews = fresh.length === 0 || fresh.some(({ type }) => type !== "data");
    if (uncertain.length === 0 || !isNews) return;
    const choices = Array.from({ length: uncertain.length + 1 }, (_, count) =>
      uncertain.map((_unit, i) => i < count),
    );
    for (let i = 0; i < Math.min(model.tearSamples, 2 ** uncertain.length); i++) {
      choices.push(uncertain.map(() => random() < 1 / 2));
    }
    for (const isKept of choices) {
      for (const others of ["kept", "lost"] as const) {
        const fates = uncertain.map((unit, i): [string, Fate] => [
          unitName(unit),
          isKept[i] ? "kept" : "lost",
        ]);
        yield { cut, others, fates: new Map(fates.filter(([, fate]) => fate !== others)) };
      }
    }
  },
};

function freshData({ fresh }: Situation): DataUnit[] {
  return fresh.filter((unit): unit is DataUnit => unit.type === "data" && unit.length > 1);
}

/** The crash that keeps these units and no others, said in the shorter way. */
function keeping({ cut, units }: Situation, kept: readonly Unit[]): CrashVector {
  const others = kept.length * 2 > units.length ? "kept" : "lost";
  const keeps = new Set(kept);
  const named = units.filter((unit) => keeps.has(unit) === (others === "lost"));
  const fate = others === "lost" ? "kept" : "lost";
  return { cut, others, fates: new Map(named.map((unit) => [unitName(unit), fate])) };
}

/**
 * A few of the writes before the newest one are torn in two, and the newest is there: with all the
 * others, and without them.
 */
function* tornEarlier(situation: Situation, model: CrashModel): Iterable<CrashVector> {
  const { cut, units, fresh, random } = situation;
  const grain = sectorGrain(model);
  const isWhole = (unit: Unit): boolean => fresh.some(({ at }) => at === unit.at);
  const earlier = units.filter(
    (unit): unit is DataUnit =>
      unit.type === "data" &&
      !isWhole(unit) &&
      sectorsOf(unit.offset, unit.length, grain).length > 1,
  );
  for (const index of spread(earlier.length, model.tearSamples / 8, random)) {
    const unit = earlier[index]!;
    const lengths = sectorsOf(unit.offset, unit.length, grain);
    const edge = randomBelow(random, lengths.length - 1);
    const parts = (hasFirst: boolean): TornPart[] =>
      lengths.map((length, i) => ({ what: i <= edge === hasFirst ? "kept" : "lost", length }));
    for (const hasFirst of [true, false]) {
      yield { cut, others: "kept", fates: new Map([[unitName(unit), parts(hasFirst)]]) };
    }
    const needed = units.filter((other) => isWhole(other) || other.at === unit.at);
    const kept = needed.map((other): [string, Fate] => [unitName(other), "kept"]);
    const fates = new Map<string, Fate>([...kept, [unitName(unit), parts(true)]]);
    if (fates.size < units.length) yield { cut, others: "lost", fates };
  }
}

/** One fate for a unit; the others all kept, all lost, and some of them. */
function* withOne(
  situation: Situation,
  unit: DataUnit,
  fate: readonly TornPart[],
): Iterable<CrashVector> {
  const { cut, units, random } = situation;
  const own: [string, Fate] = [unitName(unit), fate];
  yield { cut, others: "kept", fates: new Map([own]) };
  const companions = units.filter((other) => other.at === unit.at && other !== unit);
  const kept = companions.map((other): [string, Fate] => [unitName(other), "kept"]);
  if (units.length === 1 + companions.length) return;
  yield { cut, others: "lost", fates: new Map([own, ...kept]) };
  if (units.length <= 2 + companions.length) return;
  const some = units.filter((other) => other.at !== unit.at && random() < 1 / 2);
  const lost = some.map((other): [string, Fate] => [unitName(other), "lost"]);
  yield { cut, others: "kept", fates: new Map([own, ...lost]) };
}

/** Ways in which a write reaches the medium in part, broken at the edges of sectors. */
function* tearsOf(
  unit: DataUnit,
  grain: number,
  samples: number,
  random: Random,
): Iterable<TornPart[]> {
  if (grain === 1) {
    // An append that broke off at any byte; the sector's edge is another grain's business.
    for (const length of spread(unit.length - 1, samples, random)) {
      yield [{ what: "kept", length: length + 1 }];
    }
    return;
  }
  const lengths = sectorsOf(unit.offset, unit.length, grain);
  const count = lengths.length;
  if (count < 2) return;
  const parts = (isKept: (index: number) => boolean): TornPart[] =>
    lengths.map((length, i) => ({ what: isKept(i) ? "kept" : "lost", length }));
  if (count < 31 && 2 ** count - 2 <= samples) {
    for (let mask = 1; mask < 2 ** count - 1; mask++) yield parts((i) => (mask & (1 << i)) !== 0);
    return;
  }
  for (const edge of spread(count - 1, samples / 3, random)) {
    yield parts((i) => i <= edge);
    yield parts((i) => i > edge);
  }
  for (let i = 0; i < samples / 3; i++) yield parts(() => random() < 1 / 2);
}

/** The whole numbers below `count`, or so many of them, both ends among them. */
function spread(count: number, samples: number, random: Random): number[] {
  if (count <= samples) return Array.from({ length: Math.max(count, 0) }, (_, i) => i);
  const chosen = new Set([0, count - 1]);
  while (chosen.size < samples) chosen.add(randomBelow(random, count));
  return [...chosen].toSorted((a, b) => a - b);
}

/** The smallest grain that is a sector, as garbage comes in sectors. */
function sectorGrain({ grains }: CrashModel): number {
  return Math.min(...grains.filter((grain) => grain > 1), PAGE_BYTES);
}
