/**
 * A store in one JSON file, as there are many on npm: all of it is in memory, and each change
 * writes the whole file again. Not ours, and not good: it stands here for the code that a tester
 * has before them. It knows nothing of the simulated disk; it is handed its file system.
 */
import type * as promises from "node:fs/promises";
import { dirname } from "node:path";

export type JsonFileSystem = Pick<typeof promises, "open" | "readFile" | "rename" | "writeFile">;

/** How the file is replaced. */
export type Save = (fs: JsonFileSystem, path: string, text: string) => Promise<void>;

/** The first thing that anyone writes. */
export const inPlace: Save = async (fs, path, text) => {
  await fs.writeFile(path, text);
};

/** "Atomic" writing as most packages have it. */
export const byRename: Save = async (fs, path, text) => {
  const temporary = `${path}.tmp`;
  await fs.writeFile(temporary, text);
  await fs.rename(temporary, path);
};

/** As the careful ones have it. */
export const bySyncAndRename: Save = async (fs, path, text) => {
  const temporary = `${path}.tmp`;
  const file = await fs.open(temporary, "w");
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await fs.rename(temporary, path);
};

/** Without the last step the rename itself may be lost, and with it what was promised. */
export const mended: Save = async (fs, path, text) => {
  await bySyncAndRename(fs, path, text);
  const folder = await fs.open(dirname(path), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
};

export class JsonStore {
  readonly #fs: JsonFileSystem;
  readonly #path: string;
  readonly #save: Save;
  #content: Record<string, unknown> = {};

  private constructor(fs: JsonFileSystem, path: string, save: Save) {
    this.#fs = fs;
    this.#path = path;
    this.#save = save;
  }

  static async open(fs: JsonFileSystem, path: string, save: Save): Promise<JsonStore> {
    const store = new JsonStore(fs, path, save);
    try {
      store.#content = JSON.parse(await fs.readFile(path, "utf8")) as Record<string, unknown>;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    return store;
  }

  get content(): Record<string, unknown> {
    return { ...this.#content };
  }

  /** Saved when it resolves. */
  async set(key: string, value: unknown): Promise<void> {
    this.#content[key] = value;
    await this.#save(this.#fs, this.#path, JSON.stringify(this.#content));
  }
}
