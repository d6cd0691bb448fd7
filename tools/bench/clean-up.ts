/**
 * What the benchmark leaves to be undone: servers to kill, file systems to unmount, directories to
 * remove. Undone in the reverse order when a part is done, and all of it when the run ends, also by
 * Ctrl-C.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";

type Undo = () => void | Promise<void>;

export class CleanUp {
  readonly #undos: Undo[] = [];
  readonly #parts = new Set<CleanUp>();
  #ended: Promise<void> | undefined;

  /** Notes a step; when everything is undone already, undoes it at once and throws. */
  async add(undo: Undo): Promise<void> {
    if (!this.#ended) {
      this.#undos.push(undo);
      return;
    }
    await undo();
    throw new Error("interrupted");
  }

  /** Does `work` with a clean-up of its own, which is done behind it whatever happens. */
  async within<T>(work: (cleanUp: CleanUp) => Promise<T>): Promise<T> {
    const part = new CleanUp();
    this.#parts.add(part);
    try {
      return await work(part);
    } finally {
      await part.run();
      this.#parts.delete(part);
    }
  }

  /** An empty directory that is removed again. */
  async directory(parent: string, name: string): Promise<string> {
    const path = await mkdtemp(join(parent, name));
    await this.add(() => rm(path, { recursive: true, force: true, maxRetries: 3 }));
    return path;
  }

  /** Undoes everything, once; a second call waits for the first. */
  async run(): Promise<void> {
    this.#ended ??= this.#undoAll();
    await this.#ended;
  }

  /** Goes on after a step that fails, and says so: the other steps are as needed. */
  async #undoAll(): Promise<void> {
    for (const part of this.#parts) await part.run();
    for (let undo = this.#undos.pop(); undo; undo = this.#undos.pop()) {
      try {
        await undo();
      } catch (error) {
        console.error(`clean-up: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
}
