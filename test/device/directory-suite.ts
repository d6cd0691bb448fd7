/**
 * The promises of a `Directory` (see `src/device/device.ts`), as one suite for files and memory.
 */
import { beforeEach, describe, expect, it } from "vitest";
import type { Directory } from "../../src/device/device.ts";
import { pattern } from "./scratch.ts";

const SPARSE = { size: 10_000, layout: "sparse" } as const;

/** `make` gives an empty directory that is there. */
export function describeDirectory(medium: string, make: () => Directory): void {
  describe(`directory promises: ${medium}`, () => {
    let directory: Directory;
    beforeEach(() => {
      directory = make();
    });

    async function createWith(name: string, bytes: Uint8Array): Promise<void> {
      const device = await directory.create(name, { size: bytes.length, layout: "sparse" });
      await device.write([bytes], 0);
      await device.close();
    }
    async function contentOf(name: string): Promise<Uint8Array> {
      const device = await directory.open(name, "read");
      const bytes = new Uint8Array(device.size);
      await device.read(bytes, 0);
      await device.close();
      return bytes;
    }

    it("lists its names sorted, and nothing where it does not exist", async () => {
      for (const file of ["b", "c", "a"]) await createWith(file, pattern(1));
      await directory.directory("d").ensure();
      expect(await directory.list()).toEqual(["a", "b", "c", "d"]);
      expect(await directory.directory("missing").list()).toEqual([]);
    });

    it.each(["sparse", "preallocated"] as const)("creates %s files of zeroes", async (layout) => {
      const device = await directory.create("file", { size: 3_000_001, layout });
      expect(device.path).toBe(`${directory.path}/file`);
      expect(device.size).toBe(3_000_001);
      await device.close();
      expect((await contentOf("file")).length).toBe(3_000_001);
      expect((await contentOf("file")).every((byte) => byte === 0)).toBe(true);
    });

    it.each(["sparse", "preallocated"] as const)("empties a file for a %s one", async (layout) => {
      await createWith("file", pattern(9000));
      await (await directory.create("file", { size: 5000, layout })).close();
      expect(await contentOf("file")).toEqual(new Uint8Array(5000));
    });

    it("says ENOENT for what is not there", async () => {
      const missing = { code: "ENOENT", path: `${directory.path}/file` };
      await expect(directory.open("file", "read")).rejects.toMatchObject(missing);
      await expect(directory.open("file", "write")).rejects.toMatchObject(missing);
      await expect(directory.remove("file")).rejects.toMatchObject(missing);
      await expect(directory.rename("file", "other")).rejects.toMatchObject(missing);
      const nowhere = directory.directory("missing");
      await expect(nowhere.open("file", "read")).rejects.toMatchObject({ code: "ENOENT" });
      await expect(nowhere.create("file", SPARSE)).rejects.toMatchObject({ code: "ENOENT" });
      await expect(nowhere.lock("lock", "exclusive")).rejects.toMatchObject({ code: "ENOENT" });
      await expect(nowhere.sync()).rejects.toMatchObject({ code: "ENOENT" });
      expect(await directory.list()).toEqual([]);
    });

    it("says EIO where a directory is in the way of a file, or a file of a directory", async () => {
      await directory.directory("inner").ensure();
      const wrong = { code: "EIO", path: `${directory.path}/inner` };
      await expect(directory.open("inner", "read")).rejects.toMatchObject(wrong);
      await expect(directory.create("inner", SPARSE)).rejects.toMatchObject(wrong);
      await expect(directory.remove("inner")).rejects.toMatchObject(wrong);
      await createWith("file", pattern(1));
      await expect(directory.directory("file").ensure()).rejects.toMatchObject({ code: "EIO" });
      await expect(directory.rename("file", "inner")).rejects.toMatchObject({ code: "EIO" });
    });

    it("renames a file, over another one too", async () => {
      await createWith("a", pattern(700, 1));
      await createWith("b", pattern(900, 2));
      await directory.rename("a", "b");
      expect(await directory.list()).toEqual(["b"]);
      expect(await contentOf("b")).toEqual(pattern(700, 1));
    });

    it("removes a name; an open device stays usable", async () => {
      await createWith("file", pattern(700));
      const device = await directory.open("file", "write");
      await directory.remove("file");
      await directory.sync();
      expect(await directory.list()).toEqual([]);
      await device.write([pattern(100, 5)], 50);
      await device.flush();
      const read = new Uint8Array(100);
      await device.read(read, 50);
      expect(read).toEqual(pattern(100, 5));
      await device.close();
    });

    it("makes directories with their parents, and leaves those that are there", async () => {
      const inner = directory.directory("outer").directory("inner");
      expect(inner.path).toBe(`${directory.path}/outer/inner`);
      await inner.ensure();
      await (await inner.create("file", SPARSE)).close();
      await inner.ensure();
      await inner.sync();
      expect(await directory.directory("outer").list()).toEqual(["inner"]);
      expect(await directory.directory("outer").directory("inner").list()).toEqual(["file"]);
    });

    describe("locks (I8)", () => {
      const locked = { code: "ELOCKED" };

      it("keeps a second exclusive holder out until the first releases", async () => {
        const first = await directory.lock("lock", "exclusive");
        expect(await directory.list()).toEqual(["lock"]);
        const refusal = { ...locked, path: `${directory.path}/lock` };
        await expect(directory.lock("lock", "exclusive")).rejects.toMatchObject(refusal);
        await first.release();
        await (await directory.lock("lock", "exclusive")).release();
      });

      it("lets shared holders in together, but not beside an exclusive one", async () => {
        await (await directory.lock("lock", "exclusive")).release();
        const first = await directory.lock("lock", "shared");
        const second = await directory.lock("lock", "shared");
        await first.release();
        await expect(directory.lock("lock", "exclusive")).rejects.toMatchObject(locked);
        await second.release();
        const exclusive = await directory.lock("lock", "exclusive");
        await expect(directory.lock("lock", "shared")).rejects.toMatchObject(locked);
        await exclusive.release();
      });

      it("has no effect when it is released again", async () => {
        const first = await directory.lock("lock", "exclusive");
        await first.release();
        const second = await directory.lock("lock", "exclusive");
        await first.release();
        await expect(directory.lock("lock", "exclusive")).rejects.toMatchObject(locked);
        await second.release();
      });

      it("creates nothing for a shared lock", async () => {
        await expect(directory.lock("lock", "shared")).rejects.toMatchObject({ code: "ENOENT" });
        expect(await directory.list()).toEqual([]);
      });

      it("keeps the bytes of the file that it locks", async () => {
        await createWith("lock", pattern(40));
        await (await directory.lock("lock", "exclusive")).release();
        expect(await contentOf("lock")).toEqual(pattern(40));
      });

      it("locks each name for itself", async () => {
        const first = await directory.lock("a", "exclusive");
        const second = await directory.lock("b", "exclusive");
        expect(await directory.list()).toEqual(["a", "b"]);
        await first.release();
        await second.release();
      });
    });
  });
}
