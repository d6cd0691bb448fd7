/**
 * Rows 13 and 14: a medium that does wrong and says nothing, at run time and at rest; files that
 * were cut, swapped for others, or are absurdly large.
 *
 * What is left is a state that there was, whole, with typed errors in place of what cannot be
 * trusted; or the store refuses to open, with a typed error.
 */
import { isBlockspaceError } from "blockspace";
import { type DiskImage, SimulatedDisk } from "blockspace/testing";
import { countedRun, crashRow, type Row, type RowViolation } from "../row.ts";
import { open, usedStore } from "../store/geometry.ts";
import {
  allowedAfter,
  allowedAtRest,
  everBegun,
  expectOneOf,
  marksOn,
  readAll,
  type StoreModel,
} from "../store/model.ts";
import { longSequence, numbersFor } from "../store/sequences.ts";
import { Session } from "../store/session.ts";
import { unnoticed } from "./faults.ts";

const SECTOR = 512;
const HUGE = 2 ** 40;

/** So many stores are made and damaged, each in many ways. */
const STORES = 400;

/** A store that was worked on, and the states that it went through. */
interface Worked {
  image: DiskImage;
  marks: readonly unknown[];
  isClosed: boolean;
}

const worked = new Map<number, Promise<Worked>>();

function workedOn(index: number): Promise<Worked> {
  const store = index % STORES;
  let known = worked.get(store);
  if (!known) worked.set(store, (known = workOn(store)));
  return known;
}

async function workOn(index: number): Promise<Worked> {
  const beginning = await usedStore();
  const disk = new SimulatedDisk({ image: beginning.image, record: true });
  const session = await Session.begin(disk, beginning);
  await session.runAll(longSequence(index, 2 + (index % 9)));
  const isClosed = index % 2 === 0;
  if (isClosed) await session.host.close();
  return { image: disk.image(), marks: marksOn(disk), isClosed };
}

/** What may be found of a store whose files were damaged. */
function allowedOf({ marks, isClosed }: Worked, isErased: boolean): StoreModel[] {
  // It is all in a checkpoint, and nothing hangs on the journal any more.
  if (isClosed) return allowedAfter(marks).slice(-1);
  return isErased ? everBegun(marks) : allowedAtRest(marks);
}

function filesOf(disk: SimulatedDisk): string[] {
  const journal = disk.list("/store/journal").map((name) => `/store/journal/${name}`);
  return ["/store/superblock", "/store/data", ...journal];
}

type Below = (bound: number) => number;

/** What was done to the bytes of one file at rest. */
interface Damage {
  what: string;
  /**
   * So much is gone that nothing proves a frame of the journal to be missing: a whole file, or two
   * sectors, which may be of the last frame and of the one that speaks for it.
   */
  isErased: boolean;
  /** There is a second copy: the store must open, and hold all that it held. */
  mustOpen: boolean;
}

function sectorDamage(disk: SimulatedDisk, below: Below): Damage {
  const files = filesOf(disk);
  const path = files[below(files.length)]!;
  const verb = (["zero", "flip", "swap", "misdirect"] as const)[below(4)]!;
  let where = "";
  disk.damage(path, (bytes) => {
    const used: number[] = [];
    for (let at = 0; at < bytes.length; at += SECTOR) {
      if (bytes.subarray(at, at + SECTOR).some((byte) => byte !== 0)) used.push(at);
    }
    const at = used[below(used.length)] ?? 0;
    const other = used[below(used.length)] ?? 0;
    const sector = bytes.slice(at, at + SECTOR);
    where = `${verb} ${path} at ${at} (${other})`;
    if (verb === "zero") bytes.fill(0, at, at + SECTOR);
    if (verb === "flip") bytes[at + below(SECTOR)]! ^= 1 << below(8);
    if (verb === "swap") bytes.copyWithin(at, other, other + SECTOR);
    if (verb === "swap" || verb === "misdirect") bytes.set(sector, other);
    return bytes;
  });
  const hitsOneSlot = verb === "zero" || verb === "flip";
  const mustOpen = path === "/store/superblock" && hitsOneSlot;
  return { what: where, isErased: verb === "swap", mustOpen };
}

/** Truncation, foreign content, or a size that nothing could fill. */
function fileDamage(disk: SimulatedDisk, below: Below): Damage {
  const files = filesOf(disk);
  const path = files[below(files.length)]!;
  const verb = (["truncate", "truncate", "truncate", "foreign", "huge"] as const)[below(5)]!;
  const file = disk.file(path);
  const size = disk.sizeOf(file.node);
  let isErased = verb === "foreign";
  if (verb === "huge") disk.resize(file, HUGE);
  else if (verb === "truncate") {
    const left = below(size);
    disk.resize(file, left);
    isErased = left < SECTOR;
  } else {
    const sort = below(3);
    disk.damage(path, (bytes) => {
      if (sort === 0) return bytes.map(() => below(256));
      if (sort === 1) return new TextEncoder().encode("This is not what you are looking for.\n");
      return new Uint8Array(bytes.length);
    });
  }
  return { what: `${verb} ${path} of ${size} bytes`, isErased, mustOpen: false };
}

async function damagedCase(
  index: number,
  damage: (disk: SimulatedDisk, below: Below) => Damage,
): Promise<{ what: string; message: string | undefined }> {
  const store = await workedOn(index);
  const disk = new SimulatedDisk({ image: store.image });
  const { what, isErased, mustOpen } = damage(disk, numbersFor(`damage ${index}`));
  const left = new SimulatedDisk({ image: disk.image() });
  try {
    const host = await open(left);
    expectOneOf(await readAll(host), allowedOf(store, isErased));
    return { what, message: undefined };
  } catch (error) {
    return { what, message: isBlockspaceError(error) && !mustOpen ? undefined : String(error) };
  }
}

function restRow(
  row: Pick<Row, "number" | "fault" | "leaves" | "cases">,
  damage: (disk: SimulatedDisk, below: Below) => Damage,
): Row {
  const violationOf = async (index: number): Promise<RowViolation | undefined> => {
    const { what, message } = await damagedCase(index, damage);
    return message === undefined
      ? undefined
      : { seed: `${row.number}:${index}`, vector: "rest", message, story: [what] };
  };
  return {
    ...row,
    run: countedRun(violationOf),
    async replay(index) {
      const { what, message } = await damagedCase(index, damage);
      return { message, story: [what] };
    },
  };
}

const atRunTime = crashRow(
  { number: 13, fault: "lost, misdirected, flipped", leaves: "P2", cases: 10_000 },
  (index) => unnoticed(index, ["lost", "misdirect", "flip"]),
);

const atRest = restRow({ number: 13, fault: "", leaves: "P2", cases: 10_000 }, sectorDamage);

export const damageRows: readonly Row[] = [
  {
    number: 13,
    fault: "sectors zeroed, swapped, lost, misdirected, flipped",
    leaves: "P2",
    cases: 20_000,
    async run(share) {
      const half = { ...share, cases: Math.ceil(share.cases / 2) };
      const running = await atRunTime.run(half);
      const resting = await atRest.run({
        ...half,
        onProgress: (cases) => share.onProgress?.(running.cases + cases),
      });
      return {
        cases: running.cases + resting.cases,
        violations: [...running.violations, ...resting.violations],
      };
    },
    replay: (index, vector) => (vector === "rest" ? atRest : atRunTime).replay(index, vector),
  },
  restRow(
    {
      number: 14,
      fault: "truncation at any byte, foreign and huge files",
      leaves: "P3",
      cases: 30_000,
    },
    fileDamage,
  ),
];
