/**
 * One piece of damage, as a line of text that a seed makes exact: `VERB PLACE SEED`. The same line
 * does the same damage to the same store.
 *
 * | verb                | place                                                              |
 * | ------------------- | ------------------------------------------------------------------ |
 * | a verb of bytes     | `superblock`, `label`, `data`, `journal` (any file), `frames`      |
 * | `remove`            | `superblock`, `data`, `lock`, `journal` (one file), `journals`     |
 * | `superblock FIELD`  | `slot0`, `slot1`, `slots`                                          |
 * | `header FIELD`      | `journal`                                                          |
 * | `frame FIELD`       | `journal`; the field `body` is a byte of the commits               |
 * | `value flip`        | `newest`, `older`, `both`; a bit of any value                      |
 * | `value lost`        | the same; a value without a trace, count and digest are not right  |
 * | `closing flip`      | the same; a bit of the closing record                              |
 * | `checkpoint lost`   | the same                                                           |
 * | `field NAME`        | the same; a name of `field-verbs.ts`, checksums made right again   |
 */
import { decodeClosing } from "../../src/format/closing-record.ts";
import { kinds } from "../../src/format/checkpoint-values.ts";
import type { Image } from "../../src/fsck/image.ts";
import { byteVerbs } from "./byte-verbs.ts";
import { fieldVerbs, makeRight } from "./field-verbs.ts";
import { below, pick, type Random, randomFrom } from "./random.ts";
import { fileHeaderField, frameField, framesIn, superblockField } from "./struct-verbs.ts";
import type { DamageTarget } from "./target.ts";

export interface Damage {
  verb: string;
  place: string;
  seed: number;
}

export function formatDamage({ verb, place, seed }: Damage): string {
  return `${verb} @ ${place} # ${seed}`;
}

export function parseDamage(line: string): Damage {
  const match = /^(.+) @ (\S+) # (\d+)$/.exec(line.trim());
  if (!match) throw new Error(`"${line}" is no damage; it looks like: flip @ superblock # 7`);
  return { verb: match[1]!, place: match[2]!, seed: Number(match[3]) };
}

/** Does the damage; `older` is the same store at an earlier time. False when it finds no place. */
export async function inflict(
  target: DamageTarget,
  { verb, place, seed }: Damage,
  older?: DamageTarget,
): Promise<boolean> {
  const random = randomFrom(seed);
  const [word, ...rest] = verb.split(" ");
  const detail = rest.join(" ");
  if (verb in byteVerbs) return hurtBytes(target, verb, place, random, older);
  if (verb === "remove") return remove(target, place, random);
  if (word === "superblock") {
    const slots = place === "slots" ? [0, 1] : [place === "slot0" ? 0 : 1];
    const bytes = superblockField(await target.read("superblock"), detail, slots, random);
    await target.write("superblock", bytes);
    return true;
  }
  if (word === "header" || word === "frame") return hurtJournal(target, word, detail, random);
  return hurtImages(target, verb, place, random);
}

const LABEL_BYTES = 32;

async function hurtBytes(
  target: DamageTarget,
  verb: string,
  place: string,
  random: Random,
  older: DamageTarget | undefined,
): Promise<boolean> {
  const hurt = byteVerbs[verb]!;
  if (place === "label") {
    const bytes = Uint8Array.from(await target.read("data"));
    bytes.set(hurt(bytes.subarray(0, LABEL_BYTES), random).subarray(0, LABEL_BYTES));
    await target.write("data", bytes);
    return true;
  }
  if (place === "frames") return hurtFrame(target, hurt, random);
  const names = await target.journal();
  const path = place === "journal" ? `journal/${pick(random, names)}` : place;
  const before = older && (await older.read(path).catch(() => undefined));
  await target.write(path, hurt(await target.read(path), random, before));
  return true;
}

async function storeId(target: DamageTarget): Promise<Uint8Array> {
  const superblock = await target.read("superblock");
  return superblock.slice(24, 32);
}

/** Within a sound frame, where it matters. */
async function hurtFrame(
  target: DamageTarget,
  hurt: (bytes: Uint8Array, random: Random) => Uint8Array,
  random: Random,
): Promise<boolean> {
  const found = await anyFrame(target, random);
  if (!found) return false;
  const { path, bytes, at, length } = found;
  const copy = Uint8Array.from(bytes);
  copy.set(hurt(bytes.subarray(at, at + length), random).subarray(0, length), at);
  await target.write(path, copy);
  return true;
}

async function anyFrame(
  target: DamageTarget,
  random: Random,
): Promise<{ path: string; bytes: Uint8Array; at: number; length: number } | undefined> {
  const id = await storeId(target);
  const all: { path: string; bytes: Uint8Array; at: number; length: number }[] = [];
  for (const name of await target.journal()) {
    const path = `journal/${name}`;
    const bytes = await target.read(path);
    for (const frame of framesIn(bytes, id)) all.push({ path, bytes, ...frame });
  }
  return all.length === 0 ? undefined : pick(random, all);
}

async function hurtJournal(
  target: DamageTarget,
  word: "header" | "frame",
  field: string,
  random: Random,
): Promise<boolean> {
  if (word === "header") {
    const path = `journal/${pick(random, await target.journal())}`;
    await target.write(path, fileHeaderField(await target.read(path), field, random));
    return true;
  }
  const found = await anyFrame(target, random);
  if (!found) return false;
  await target.write(found.path, frameField(found.bytes, found, field, random));
  return true;
}

async function remove(target: DamageTarget, place: string, random: Random): Promise<boolean> {
  const names = await target.journal();
  if (place === "journals") for (const name of names) await target.remove(`journal/${name}`);
  else if (place === "journal") await target.remove(`journal/${pick(random, names)}`);
  else await target.remove(place);
  return true;
}

function epochOf({ image }: { image: Image }): number {
  return decodeClosing(image.closing!).epoch;
}

async function hurtImages(
  target: DamageTarget,
  verb: string,
  place: string,
  random: Random,
): Promise<boolean> {
  const images: { name: "a" | "b"; image: Image }[] = [];
  for (const name of ["a", "b"] as const) {
    const image = await target.image(name);
    if (image?.closing) images.push({ name, image });
  }
  images.sort((one, two) => epochOf(two) - epochOf(one));
  const chosen =
    place === "both" ? images : place === "newest" ? images.slice(0, 1) : images.slice(1);
  let done = chosen.length > 0;
  for (const { name, image } of chosen) {
    if (verb === "checkpoint lost") await target.setImage(name, undefined);
    else {
      done &&= hurtImage(image, verb, random);
      await target.setImage(name, image);
    }
  }
  return done;
}

function hurtImage(image: Image, verb: string, random: Random): boolean {
  const changes = [...image.changes()];
  if (verb === "value flip" || verb === "closing flip") {
    const { kind, id } =
      verb === "closing flip" ? { kind: kinds.closing, id: 0 } : pick(random, changes);
    const value = Uint8Array.from(image.get(kind, id)!);
    value[below(random, value.length)]! ^= 1 << below(random, 8);
    image.set(kind, id, value);
    return true;
  }
  if (verb === "value lost") {
    const { kind, id } = pick(random, changes);
    image.delete(kind, id);
    return true;
  }
  const field = fieldVerbs[verb.replace(/^field /, "")];
  if (!field) throw new Error(`there is no verb "${verb}"`);
  const done = field(image, random);
  makeRight(image);
  return done;
}
