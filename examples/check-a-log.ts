/**
 * A small key-value store over one log file, as one writes it on an afternoon, and the check that
 * finds what is wrong with it. `docs/testing.md` says how such a check is made and read.
 */
import { createHash } from "node:crypto";
import {
  checkCrashConsistency,
  fileSystem,
  type SimulatedDisk,
  type SimulatedFileSystem,
} from "blockspace/testing";

/** Lines of checksum and JSON, appended and synced; `fs` is `node:fs/promises` or looks like it. */
class LogStore {
  readonly #values = new Map<string, string>();
  readonly #file: Awaited<ReturnType<SimulatedFileSystem["open"]>>;
  #end = 0;

  private constructor(file: Awaited<ReturnType<SimulatedFileSystem["open"]>>) {
    this.#file = file;
  }

  static async open(fs: SimulatedFileSystem, isCareful: boolean): Promise<LogStore> {
    const file = await fs.open("/store.log", "a+");
    const store = new LogStore(file);
    const text = (await file.readFile()).toString("latin1");
    for (const line of text.split("\n").slice(0, -1)) {
      const [sum, json] = [line.slice(0, 8), line.slice(8)];
      if (isCareful && sum !== checksum(json)) break;
      const [key, value] = JSON.parse(json) as [string, string];
      store.#values.set(key, value);
      store.#end += line.length + 1;
    }
    if (isCareful) {
      await file.truncate(store.#end);
      await file.sync();
      const folder = await fs.open("/", "r");
      await folder.sync();
      await folder.close();
    }
    return store;
  }

  async put(key: string, value: string): Promise<void> {
    const json = JSON.stringify([key, value]);
    await this.#file.write(`${checksum(json)}${json}\n`);
    await this.#file.datasync();
    this.#values.set(key, value);
  }

  get(key: string): string | undefined {
    return this.#values.get(key);
  }
}

function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}

/** What the workload says while it runs: a value is about to be put, or has been. */
type Mark = { begins: string } | { acknowledged: string };

for (const isCareful of [false, true]) {
  const report = await checkCrashConsistency({
    steps: ["red", "green", "blue"],
    async workload(disk: SimulatedDisk, steps) {
      const store = await LogStore.open(fileSystem(disk), isCareful);
      for (const colour of steps) {
        disk.mark({ begins: colour });
        await store.put("colour", colour);
        disk.mark({ acknowledged: colour });
      }
    },
    async recover(disk) {
      const store = await LogStore.open(fileSystem(disk), isCareful);
      return store.get("colour");
    },
    oracle(found, { marks }) {
      let allowed: (string | undefined)[] = [undefined];
      for (const mark of marks as Mark[]) {
        if ("begins" in mark) allowed.push(mark.begins);
        else allowed = [mark.acknowledged];
      }
      if (!allowed.includes(found)) {
        throw new Error(`${allowed.join(" or ")} should be there, and ${found} is`);
      }
    },
  });
  const flaws = report.violations.map(({ kind, message }) => `${kind}: ${message}`);
  console.log(`${isCareful ? "careful" : "careless"}, ${report.distinct} different crash states:`);
  for (const flaw of flaws.length > 0 ? new Set(flaws) : ["no flaws"]) console.log(`  ${flaw}`);
}
