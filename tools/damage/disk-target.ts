/** A store on disk as something to damage. Its environments are written anew for field verbs. */
import { readdir, readFile, rm, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { lmdbEnvironments } from "../../src/checkpoint/lmdb-environment.ts";
import { decodeClosing } from "../../src/format/closing-record.ts";
import { storeAccess } from "../../src/fsck/store-access.ts";
import type { DamageTarget } from "./target.ts";

export function diskTarget(store: string): DamageTarget {
  const access = storeAccess(store);
  const checkpoint = join(store, "checkpoint");
  return {
    async journal() {
      const names = await readdir(join(store, "journal"));
      return names.filter((name) => /^\d+$/.test(name)).toSorted();
    },
    read: (path) => readFile(join(store, path)),
    write: (path, bytes) => writeFile(join(store, path), bytes),
    remove: (path) => unlink(join(store, path)),
    async image(name) {
      const { present, image } = await access.readEnvironment(name);
      return present ? image : undefined;
    },
    async setImage(name, image) {
      if (!image) {
        await rm(join(checkpoint, name), { recursive: true });
        return;
      }
      const { epoch, lsn, storeId } = decodeClosing(image.closing!);
      const environment = await lmdbEnvironments(checkpoint, { storeId })(name, true);
      try {
        await environment.commit(image.changes(), { epoch, lsn, reset: true });
      } finally {
        await environment.close();
      }
    },
  };
}
