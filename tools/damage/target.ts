/**
 * What damage is done to: the files of a store as bytes, and its checkpoints as values. A store on
 * disk is one (`disk-target.ts`), a store in memory another.
 */
import type { Image } from "../../src/fsck/image.ts";

export interface DamageTarget {
  /** The names of the journal's files. */
  journal(): Promise<string[]>;
  /** The bytes of a file: `superblock`, `data`, `journal/NAME`. */
  read(path: string): Promise<Uint8Array>;
  /** Puts other bytes in its place, also fewer. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  remove(path: string): Promise<void>;
  /** The values of a checkpoint; `undefined` when there is none. */
  image(name: "a" | "b"): Promise<Image | undefined>;
  /** Puts other values in their place; `undefined` takes the checkpoint away. */
  setImage(name: "a" | "b", image: Image | undefined): Promise<void>;
}
