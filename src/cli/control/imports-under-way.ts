/**
 * Which imports are under way over a control socket. While the command that began one is connected,
 * its subvolume is not left behind, and no other import may delete it.
 */
import { isUnfinishedImport } from "../unfinished-import.ts";

export class ImportsUnderWay {
  readonly #names = new Map<object, string[]>();

  /** A command, known by its connection, is about to make a subvolume. */
  making(connection: object, name: unknown): void {
    if (typeof name !== "string" || !isUnfinishedImport(name)) return;
    this.#names.set(connection, [...(this.#names.get(connection) ?? []), name]);
  }

  /** A command is over, well or not. */
  gone(connection: object): void {
    this.#names.delete(connection);
  }

  get names(): string[] {
    return [...this.#names.values()].flat();
  }
}
