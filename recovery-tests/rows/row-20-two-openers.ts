/**
 * Row 20: a store has one writer. Whoever comes second is refused at once, whatever became of the
 * lock file and whether or not the owner is stopped; a killed owner leaves no lock behind (I8), and
 * what it had flushed is there.
 */
import { cp, mkdir, mkdtemp, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Owner } from "../programs/owner.ts";
import type { ProcessRun } from "./process-run.ts";

/** One case: an owner has `store` in its directory open, with 1 written to it. */
interface Scene {
  directory: string;
  store: string;
  owner: Owner;
  /** Starts another process on the store; it is killed at the end. */
  open: (path: string, mode?: "write" | "read") => Promise<{ owner: Owner; answer: string }>;
}

type Case = (scene: Scene) => Promise<void>;

/** What is done to the lock file while the owner has it. */
const mischiefs: Readonly<Record<string, (scene: Scene) => Promise<unknown>>> = {
  "the lock file is left alone": async () => undefined,
  "the lock file is removed": ({ store }) => rm(join(store, "lock")),
  "the lock file is replaced by another": async ({ store }) => {
    await rm(join(store, "lock"));
    await writeFile(join(store, "lock"), "");
  },
  "the lock file is moved away": ({ store }) => rename(join(store, "lock"), `${store}.lock`),
  "the lock file is emptied": ({ store }) => truncate(join(store, "lock")),
};

/** How the second one comes to the store. */
const ways: Readonly<Record<string, (scene: Scene) => Promise<string>>> = {
  "by its path": async ({ store }) => store,
  "by a symbolic link": async ({ directory, store }) => {
    await symlink(store, join(directory, "link"));
    return join(directory, "link");
  },
};

const states: Readonly<Record<string, (owner: Owner) => void>> = {
  "the owner works": () => undefined,
  "the owner is stopped": (owner) => owner.signal("SIGSTOP"),
};

function allCases(): [string, Case][] {
  const cases: [string, Case][] = [];
  for (const [mischief, does] of Object.entries(mischiefs)) {
    for (const [way, pathOf] of Object.entries(ways)) {
      for (const [state, put] of Object.entries(states)) {
        const refused: Case = async (scene) => {
          await does(scene);
          put(scene.owner);
          const { answer } = await scene.open(await pathOf(scene));
          expect(answer, "ELOCKED", "a second opener");
          scene.owner.signal("SIGCONT");
          // The owner is none the worse for it.
          expect(await scene.owner.tell("write 2"), "written", "the owner's write");
          expect(await scene.owner.tell("read"), "2", "the owner's read");
          await expectLeft(scene, 2);
        };
        cases.push([`${mischief}, ${state}, the second comes ${way}`, refused]);
      }
    }
  }
  return [...cases, ...otherCases];
}

const otherCases: readonly [string, Case][] = [
  [
    "a reader is refused while a writer works",
    async (scene) => {
      expect((await scene.open(scene.store, "read")).answer, "ELOCKED", "a reader");
      await expectLeft(scene, 1);
    },
  ],
  [
    "a writer is refused while readers read, and another reader is not",
    async (scene) => {
      expect(await scene.owner.tell("close"), "closed", "the owner's close");
      expect((await scene.open(scene.store, "read")).answer, "open", "a reader");
      expect((await scene.open(scene.store, "read")).answer, "open", "a second reader");
      expect((await scene.open(scene.store)).answer, "ELOCKED", "a writer");
    },
  ],
  ["a killed owner leaves no lock", (scene) => expectLeft(scene, 1)],
  [
    "an owner that is killed while stopped leaves no lock",
    (scene) => {
      scene.owner.signal("SIGSTOP");
      return expectLeft(scene, 1);
    },
  ],
  [
    "a killed owner leaves no lock, where the lock file was removed",
    async (scene) => {
      await rm(join(scene.store, "lock"));
      await expectLeft(scene, 1);
    },
  ],
  [
    "a copy of an open store has a lock of its own",
    async (scene) => {
      const copy = join(scene.directory, "copy");
      await cp(scene.store, copy, { recursive: true });
      const other = await scene.open(copy);
      expect(other.answer, "open", "the opener of the copy");
      expect(await other.owner.tell("read"), "1", "the copy");
    },
  ],
  [
    "of four that come at once, one is let in",
    async (scene) => {
      await scene.owner.kill();
      const all = await Promise.all(Array.from({ length: 4 }, () => scene.open(scene.store)));
      const answers = all.map(({ answer }) => answer).toSorted();
      expect(answers.join(" "), "ELOCKED ELOCKED ELOCKED open", "four openers");
    },
  ],
];

/** The owner is killed; the next opener is let in at once and finds what was flushed. */
async function expectLeft({ owner, open, store }: Scene, value: number): Promise<void> {
  await owner.kill();
  const next = await open(store);
  expect(next.answer, "open", "the opener after the owner's death");
  expect(await next.owner.tell("read"), String(value), "what was flushed");
  expect(await next.owner.tell("close"), "closed", "its close");
}

function expect(found: string, expected: string, what: string): void {
  if (found !== expected) throw new Error(`${what}: expected ${expected}, found ${found}`);
}

/** The kinds of cases one after the other, from the one that the seed names. */
export async function run(options: { cases: number; seed: number }): Promise<ProcessRun> {
  const result: ProcessRun = { cases: 0, violations: [] };
  const cases = allCases();
  for (let i = 0; i < options.cases; i++) {
    const [what, body] = cases[(options.seed - 1 + i) % cases.length]!;
    result.cases++;
    try {
      await inScene(body);
    } catch (error) {
      result.violations.push(`${what}: ${String(error)}`);
    }
  }
  return result;
}

async function inScene(body: Case): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "row-20-"));
  const started: Owner[] = [];
  const open: Scene["open"] = async (path, mode) => {
    const opened = await Owner.start(path, mode, directory);
    started.push(opened.owner);
    return opened;
  };
  try {
    const store = join(directory, "store");
    await mkdir(store);
    const { owner, answer } = await open(store);
    expect(answer, "open", "the first opener");
    expect(await owner.tell("write 1"), "written", "the first write");
    await body({ directory, store, owner, open });
  } finally {
    await Promise.all(started.map((owner) => owner.kill()));
    await rm(directory, { recursive: true });
  }
}
