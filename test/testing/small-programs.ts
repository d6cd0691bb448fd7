/**
 * A program of a few lines that keeps one value on a disk, and the same with one flaw each: what
 * people forget who write storage code. Only the first keeps its promise.
 */
import type { CrashCheck } from "../../src/testing/crash-check.ts";
import type { SimulatedDisk } from "../../src/testing/disk.ts";
import { fileSystem, type SimulatedFileSystem } from "../../src/testing/file-system.ts";
import { fileSystemSync } from "../../src/testing/file-system-sync.ts";
import { imageOf } from "./hand-made.ts";

type Mark = { begun: number } | { saved: number };

/** More than a sector, so that it can be torn. */
const textOf = (value: number): string => String.fromCharCode(64 + value).repeat(700);

interface Saving {
  disk: SimulatedDisk;
  fs: SimulatedFileSystem;
  value: number;
  saved: () => void;
}

async function syncFolder(fs: SimulatedFileSystem): Promise<void> {
  const folder = await fs.open("/", "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function writeNew({ fs, value }: Saving, flush = true): Promise<void> {
  await fs.writeFile("/new", textOf(value), { flush });
}

async function sound(saving: Saving): Promise<void> {
  await writeNew(saving);
  await saving.fs.rename("/new", "/value");
  await syncFolder(saving.fs);
  saving.saved();
}

/** Each saves a value and says so. */
export const flaws: Readonly<Record<string, (saving: Saving) => Promise<void>>> = {
  "writes in place": async (saving) => {
    const file = await saving.fs.open("/value", "r+");
    await file.write(textOf(saving.value), 0);
    await file.sync();
    await file.close();
    saving.saved();
  },
  "does not sync the file": async (saving) => {
    await writeNew(saving, false);
    await saving.fs.rename("/new", "/value");
    await syncFolder(saving.fs);
    saving.saved();
  },
  "does not sync the folder": async (saving) => {
    await writeNew(saving);
    await saving.fs.rename("/new", "/value");
    saving.saved();
  },
  "says so before the sync": async (saving) => {
    await writeNew(saving);
    await saving.fs.rename("/new", "/value");
    saving.saved();
    await syncFolder(saving.fs);
  },
  "syncs another file": async (saving) => {
    await writeNew(saving, false);
    const other = await saving.fs.open("/value", "r");
    await other.sync();
    await other.close();
    await saving.fs.rename("/new", "/value");
    await syncFolder(saving.fs);
    saving.saved();
  },
  "does not wait for the write before the sync": async (saving) => {
    const file = await saving.fs.open("/new", "w");
    const write = file.write(textOf(saving.value), 0);
    await file.sync();
    await write;
    await file.close();
    await saving.fs.rename("/new", "/value");
    await syncFolder(saving.fs);
    saving.saved();
  },
  "does not wait for the sync of the file": async (saving) => {
    await writeNew(saving, false);
    const file = await saving.fs.open("/new", "r+");
    const sync = file.sync();
    const now = fileSystemSync(saving.disk);
    now.renameSync("/new", "/value");
    now.fsyncSync(now.openSync("/", "r"));
    saving.saved();
    await sync;
    await file.close();
  },
  "does not wait for the sync of the folder, and says so a few promises later": async (saving) => {
    await writeNew(saving);
    await saving.fs.rename("/new", "/value");
    const folder = await saving.fs.open("/", "r");
    const sync = folder.sync();
    for (let i = 0; i < 20; i++) await Promise.resolve();
    saving.saved();
    await sync;
    await folder.close();
  },
  "does not wait for the rename": async (saving) => {
    await writeNew(saving);
    const folder = await saving.fs.open("/", "r");
    const rename = saving.fs.rename("/new", "/value");
    await folder.sync();
    await rename;
    await folder.close();
    saving.saved();
  },
  "does not wait for the sync of the folder": async (saving) => {
    await writeNew(saving);
    await saving.fs.rename("/new", "/value");
    const sync = syncFolder(saving.fs);
    saving.saved();
    await sync;
  },
};

/** Each is sound as long as nothing fails. */
export const flawsUnderFaults: Readonly<Record<string, (saving: Saving) => Promise<void>>> = {
  "does not look whether the sync failed": async (saving) => {
    await writeNew(saving, false);
    const file = await saving.fs.open("/new", "r+");
    await file.sync().catch(() => undefined);
    await file.close();
    await saving.fs.rename("/new", "/value");
    await syncFolder(saving.fs);
    saving.saved();
  },
  "tries a failed sync again": async (saving) => {
    await writeNew(saving, false);
    const file = await saving.fs.open("/new", "r+");
    await file.sync().catch(() => file.sync());
    await file.close();
    await saving.fs.rename("/new", "/value");
    await syncFolder(saving.fs);
    saving.saved();
  },
  "tries a failed sync of the folder again": async (saving) => {
    await writeNew(saving);
    await saving.fs.rename("/new", "/value");
    await syncFolder(saving.fs).catch(() => syncFolder(saving.fs));
    saving.saved();
  },
};

/** The check of the sound program, or of one with a flaw. */
export function checkOf(
  save: (saving: Saving) => Promise<void> = sound,
): CrashCheck<number, number> {
  return {
    name: "one value",
    start: imageOf({ value: textOf(0) }),
    steps: [1, 2, 3],
    async workload(disk, steps) {
      const fs = fileSystem(disk);
      const leave = (mark: Mark): void => disk.mark(mark);
      for (const value of steps) {
        leave({ begun: value });
        try {
          await save({ disk, fs, value, saved: () => leave({ saved: value }) });
        } catch {
          return;
        }
      }
    },
    recover(disk) {
      const text = fileSystemSync(disk).readFileSync("/value", "latin1");
      const value = text.charCodeAt(0) - 64;
      if (text !== textOf(value)) throw new Error("the value is broken");
      return value;
    },
    oracle(found, { marks }) {
      const given = marks as Mark[];
      const saved = given.findLastIndex((mark) => "saved" in mark);
      const allowed = given
        .slice(saved + 1)
        .map((mark) => ("begun" in mark ? mark.begun : mark.saved));
      const last = given[saved];
      allowed.push(last && "saved" in last ? last.saved : 0);
      if (!allowed.includes(found))
        throw new Error(`${found} is there, allowed is ${allowed.join(", ")}`);
    },
  };
}
