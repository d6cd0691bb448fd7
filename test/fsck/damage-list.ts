/**
 * The list of damaged stores that are kept as cases: every verb of damage at every place where it
 * makes sense, each with a few seeds. A store is generated from its line, never kept as bytes.
 */
import { frameHeaderStruct, journalFileHeaderStruct } from "../../src/format/journal-frame.ts";
import type { Struct } from "../../src/format/struct.ts";
import { superblockStruct } from "../../src/format/superblock.ts";
import { byteVerbs } from "../../tools/damage/byte-verbs.ts";
import { fieldVerbs } from "../../tools/damage/field-verbs.ts";
import type { Damage } from "../../tools/damage/inflict.ts";
import { fieldsOf } from "../../tools/damage/struct-verbs.ts";

/** A verb and the places for it. */
type Row = [verbs: readonly string[], places: readonly string[], seeds: number];

/** `later` fields make a store of a later version of it, which nobody repairs. */
const later = new Set(["version", "requiredFeatures"]);
const pair = ["newest", "older", "both"] as const;

function named(prefix: string, layout: Struct<never>): string[] {
  return fieldsOf(layout)
    .filter((name) => !later.has(name))
    .map((name) => `${prefix} ${name}`);
}

const rows: readonly Row[] = [
  [Object.keys(byteVerbs), ["superblock", "frames"], 4],
  [Object.keys(byteVerbs), ["journal"], 2],
  [["flip", "zero", "noise"], ["label"], 2],
  [["remove"], ["lock", "journal", "journals"], 2],
  [named("superblock", superblockStruct as Struct<never>), ["slot0", "slot1"], 2],
  [named("header", journalFileHeaderStruct as Struct<never>), ["journal"], 3],
  [[...named("frame", frameHeaderStruct as Struct<never>), "frame body"], ["journal"], 4],
  [["value flip", "value lost", "closing flip"], pair, 4],
  [["checkpoint lost"], ["newest", "older"], 2],
  [Object.keys(fieldVerbs).map((name) => `field ${name}`), pair, 2],
];

export function allDamage(): Damage[] {
  return rows.flatMap(([verbs, places, seeds]) =>
    verbs.flatMap((verb) =>
      places.flatMap((place) =>
        Array.from({ length: seeds }, (_, i) => ({ verb, place, seed: i + 1 })),
      ),
    ),
  );
}
