/** A store in memory as something to damage. */
import type { DamageTarget } from "../../../tools/damage/target.ts";
import type { FsckStore } from "./fsck-store.ts";

export function targetOf(store: FsckStore): DamageTarget {
  return {
    journal: async () =>
      (await store.directory.directory("journal").list()).filter((name) => /^\d+$/.test(name)),
    read: (path) => store.read(path),
    write: (path, bytes) => store.write(path, bytes),
    remove: (path) => store.remove(path),
    image: async (name) => store.images[name]?.clone(),
    setImage: async (name, image) => {
      store.images[name] = image;
    },
  };
}
