/**
 * The roots of the maps of each family, each once however many subvolumes have it: a host with ten
 * thousand of them has many families, or many snapshots between which nothing was written. Who
 * looks for a block asks for the maps of its family, and no others.
 */
import type { SubvolumeEntry } from "../format/checkpoint-values.ts";

type Place = Pick<SubvolumeEntry, "family" | "root">;

export class FamilyRoots {
  /** By family, by root: how many subvolumes have it. */
  readonly #families = new Map<number, Map<number, number>>();

  of(family: number): Iterable<number> {
    return this.#families.get(family)?.keys() ?? [];
  }

  /** A subvolume has moved from one place to another, or has just been made, or deleted. */
  move(from: Place | undefined, to: Place | undefined): void {
    if (from && from.family === to?.family && from.root === to.root) return;
    if (to && to.root !== 0) this.#add(to);
    if (from && from.root !== 0) this.#remove(from);
  }

  #add({ family, root }: Place): void {
    let roots = this.#families.get(family);
    if (!roots) this.#families.set(family, (roots = new Map()));
    roots.set(root, (roots.get(root) ?? 0) + 1);
  }

  #remove({ family, root }: Place): void {
    const roots = this.#families.get(family)!;
    const left = roots.get(root)! - 1;
    if (left > 0) roots.set(root, left);
    else roots.delete(root);
    if (roots.size === 0) this.#families.delete(family);
  }
}
