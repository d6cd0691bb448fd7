/**
 * What code for storage relies on of names and of whole files, as one suite that runs against
 * node's own file system and the simulated one, with promises and without.
 */
import { pathToFileURL } from "node:url";
import { beforeEach, describe, expect, it } from "vitest";
import type { SimulatedFileSystem } from "../../src/testing/file-system.ts";
import type { Subject } from "./file-system-suite.ts";

export function describeNames(subject: string, make: () => Subject | Promise<Subject>): void {
  describe(`names and whole files: ${subject}`, () => {
    let fs: SimulatedFileSystem;
    let root: string;
    const at = (name: string): string => `${root}/${name}`;
    beforeEach(async () => {
      ({ fs, root } = await make());
    });
    const textOf = (name: string): Promise<string> => fs.readFile(at(name), "utf8");
    const names = async (): Promise<string[]> => (await fs.readdir(root)).toSorted();

    /** The error of a call on one path, or two, as node words it. */
    async function expectRefusal(
      work: Promise<unknown>,
      code: string,
      syscall: string,
      path: string,
      dest?: string,
    ): Promise<void> {
      const error = await work.then(
        () => undefined,
        (refusal: unknown) => refusal as NodeJS.ErrnoException & { dest?: string },
      );
      expect(error).toBeInstanceOf(Error);
      const { name, message } = error!;
      expect({ name, code: error!.code, syscall: error!.syscall, path: error!.path }).toEqual({
        name: "Error",
        code,
        syscall,
        path,
      });
      expect(error!.errno).toBeLessThan(0);
      expect(error!.dest).toBe(dest);
      const to = dest === undefined ? "" : ` -> '${dest}'`;
      expect(message).toMatch(new RegExp(`^${code}: [a-z ]+, ${syscall} '${path}'${to}$`));
    }

    describe("whole files", () => {
      it("are written, appended to and read, as text or bytes", async () => {
        await fs.writeFile(at("file"), "grüße");
        expect(await fs.readFile(at("file"))).toEqual(Buffer.from("grüße"));
        expect(await fs.readFile(at("file"), { encoding: "latin1" })).toBe("grÃ¼Ã\u009fe");
        await fs.appendFile(at("file"), Buffer.from("!"));
        await fs.appendFile(at("file"), "3f", "hex");
        expect(await textOf("file")).toBe("grüße!?");
        await fs.writeFile(at("file"), Uint8Array.of(65, 66));
        await fs.writeFile(at("file"), "C", { flag: "a", flush: true });
        expect(await textOf("file")).toBe("ABC");
        await fs.writeFile(at("file"), "x", { flag: "r+" });
        expect(await textOf("file")).toBe("xBC");
        await expectRefusal(
          fs.writeFile(at("file"), "y", { flag: "wx" }),
          "EEXIST",
          "open",
          at("file"),
        );
        await fs.writeFile(at("file"), "");
        expect(await textOf("file")).toBe("");
      });

      it("may be larger than what node writes at once", async () => {
        const bytes = Buffer.from(Uint8Array.from({ length: 1_300_000 }, (_, i) => i % 251));
        await fs.writeFile(at("file"), bytes);
        expect(Buffer.compare(await fs.readFile(at("file")), bytes)).toBe(0);
      });

      it("may be named by an open file, which stays open", async () => {
        const file = await fs.open(at("file"), "w+");
        await fs.writeFile(file, "one");
        await fs.appendFile(file, "two");
        expect(await fs.readFile(file, "utf8")).toBe("");
        await file.close();
        expect(await textOf("file")).toBe("onetwo");
      });

      it("are cut and lengthened by name", async () => {
        await fs.writeFile(at("file"), "12345");
        await fs.truncate(at("file"), 2);
        expect(await textOf("file")).toBe("12");
        await fs.truncate(at("file"), 4);
        expect(await textOf("file")).toBe("12\0\0");
        await fs.truncate(at("file"));
        expect(await textOf("file")).toBe("");
        await expectRefusal(fs.truncate(at("missing"), 1), "ENOENT", "open", at("missing"));
      });

      it("are copied, but not onto a folder, and not over a name that must be new", async () => {
        await fs.writeFile(at("a"), "one");
        await fs.writeFile(at("b"), "longer");
        await fs.copyFile(at("a"), at("b"));
        expect(await textOf("b")).toBe("one");
        await fs.copyFile(at("a"), at("a"));
        expect(await textOf("a")).toBe("one");
        const exclusive = fs.copyFile(at("a"), at("b"), fs.constants.COPYFILE_EXCL);
        await expectRefusal(exclusive, "EEXIST", "copyfile", at("a"), at("b"));
        const missing = fs.copyFile(at("missing"), at("c"));
        await expectRefusal(missing, "ENOENT", "copyfile", at("missing"), at("c"));
        await expectRefusal(fs.copyFile(at("a"), root), "EISDIR", "copyfile", at("a"), root);
        await expectRefusal(fs.copyFile(root, at("c")), "EISDIR", "copyfile", root, at("c"));
        expect(await names()).toEqual(["a", "b"]);
      });
    });

    describe("names", () => {
      it("are changed by rename, over another file too", async () => {
        await fs.writeFile(at("a"), "one");
        await fs.writeFile(at("b"), "two");
        await fs.rename(at("a"), at("b"));
        expect(await names()).toEqual(["b"]);
        expect(await textOf("b")).toBe("one");
        await fs.rename(at("b"), at("b"));
        await expectRefusal(fs.rename(at("a"), at("b")), "ENOENT", "rename", at("a"), at("b"));
        const nowhere = at("missing/b");
        await expectRefusal(fs.rename(at("b"), nowhere), "ENOENT", "rename", at("b"), nowhere);
        expect(await textOf("b")).toBe("one");
      });

      it("of folders take along what is in them", async () => {
        await fs.mkdir(at("a/inner"), { recursive: true });
        await fs.writeFile(at("a/inner/file"), "text");
        await fs.mkdir(at("b"));
        await fs.rename(at("a"), at("b"));
        expect(await textOf("b/inner/file")).toBe("text");
        expect(await names()).toEqual(["b"]);
      });

      it("are not renamed where a folder or a file is in the way", async () => {
        await fs.mkdir(at("full/inner"), { recursive: true });
        await fs.mkdir(at("empty"));
        await fs.writeFile(at("file"), "");
        const refusals: [string, string, string][] = [
          ["empty", "full", "ENOTEMPTY"],
          ["full/inner", "full", "ENOTEMPTY"],
          ["file", "empty", "EISDIR"],
          ["empty", "file", "ENOTDIR"],
          ["full", "full/inner/x", "EINVAL"],
          ["full", "full/inner", "EINVAL"],
          ["file", "file/x", "ENOTDIR"],
          ["file", "new/", "ENOTDIR"],
        ];
        for (const [from, to, code] of refusals) {
          await expectRefusal(fs.rename(at(from), at(to)), code, "rename", at(from), at(to));
        }
        expect(await names()).toEqual(["empty", "file", "full"]);
      });

      it("have at most 255 bytes", async () => {
        const long = "é".repeat(127);
        await fs.writeFile(at(`${long}n`), "");
        const name = at(`${long}nn`);
        await expectRefusal(fs.open(name, "w"), "ENAMETOOLONG", "open", name);
        await expectRefusal(fs.mkdir(name), "ENAMETOOLONG", "mkdir", name);
        await expectRefusal(fs.stat(`${name}/x`), "ENAMETOOLONG", "stat", `${name}/x`);
        expect(await names()).toEqual([`${long}n`]);
      });

      it("are not those of a folder itself and of the one above", async () => {
        await fs.mkdir(at("folder/inner"), { recursive: true });
        const [self, inner] = [at("folder/."), at("folder/inner")];
        await expectRefusal(fs.rename(self, at("new")), "EBUSY", "rename", self, at("new"));
        await expectRefusal(fs.rename(inner, self), "EBUSY", "rename", inner, self);
        await expectRefusal(fs.rmdir(self), "EINVAL", "rmdir", self);
        expect(await names()).toEqual(["folder"]);
      });

      it("are removed, each in its way", async () => {
        await fs.mkdir(at("folder/inner"), { recursive: true });
        await fs.writeFile(at("file"), "");
        await expectRefusal(fs.unlink(at("folder")), "EISDIR", "unlink", at("folder"));
        await expectRefusal(fs.rmdir(at("folder")), "ENOTEMPTY", "rmdir", at("folder"));
        await expectRefusal(fs.rmdir(at("file")), "ENOTDIR", "rmdir", at("file"));
        await expectRefusal(fs.unlink(at("missing")), "ENOENT", "unlink", at("missing"));
        await expectRefusal(fs.unlink(at("file/x")), "ENOTDIR", "unlink", at("file/x"));
        await fs.unlink(at("file"));
        await fs.rmdir(at("folder/inner"));
        await fs.rmdir(at("folder"));
        expect(await names()).toEqual([]);
      });

      it("are removed with all below them by rm", async () => {
        await fs.mkdir(at("folder/inner"), { recursive: true });
        for (const name of ["file", "folder/a", "folder/inner/b"]) await fs.writeFile(at(name), "");
        await fs.rm(at("file"));
        await expect(fs.rm(at("folder"))).rejects.toMatchObject({ code: "ERR_FS_EISDIR" });
        await expect(fs.rm(at("missing"))).rejects.toMatchObject({ code: "ENOENT" });
        await fs.rm(at("missing"), { force: true });
        await fs.rm(at("folder"), { recursive: true, force: true });
        expect(await names()).toEqual([]);
      });

      it("may be several of one file", async () => {
        await fs.writeFile(at("a"), "one");
        await fs.link(at("a"), at("b"));
        await fs.appendFile(at("b"), "two");
        expect(await textOf("a")).toBe("onetwo");
        await fs.rename(at("a"), at("b"));
        expect(await names()).toEqual(["a", "b"]);
        await fs.unlink(at("a"));
        expect(await textOf("b")).toBe("onetwo");
        await expectRefusal(fs.link(at("b"), at("b")), "EEXIST", "link", at("b"), at("b"));
        await expectRefusal(fs.link(root, at("c")), "EPERM", "link", root, at("c"));
        await expectRefusal(fs.link(at("x"), at("c")), "ENOENT", "link", at("x"), at("c"));
      });

      it("are found in all ways of writing a path", async () => {
        await fs.mkdir(at("folder"));
        await fs.writeFile(at("folder/../file"), "text");
        await fs.writeFile(Buffer.from(at("./folder//inner")), "inner");
        expect(await fs.readFile(pathToFileURL(at("file")), "utf8")).toBe("text");
        expect(await textOf("folder/./inner")).toBe("inner");
        expect(await fs.realpath(at("folder/../folder/inner"))).toBe(at("folder/inner"));
        await fs.access(at("file"));
        await expectRefusal(fs.access(at("missing")), "ENOENT", "access", at("missing"));
        await expectRefusal(fs.stat(at("missing")), "ENOENT", "stat", at("missing"));
        await expectRefusal(fs.lstat(at("file/x")), "ENOTDIR", "lstat", at("file/x"));
        await expect(fs.realpath(at("missing"))).rejects.toMatchObject({ code: "ENOENT" });
      });
    });

    describe("folders", () => {
      it("are made one by one, or with those above", async () => {
        expect(await fs.mkdir(at("a"))).toBeUndefined();
        await expectRefusal(fs.mkdir(at("a")), "EEXIST", "mkdir", at("a"));
        await expectRefusal(fs.mkdir(at("b/c")), "ENOENT", "mkdir", at("b/c"));
        expect(await fs.mkdir(at("b/c/d"), { recursive: true })).toBe(at("b"));
        expect(await fs.mkdir(at("b/c/e/"), { recursive: true })).toBe(at("b/c/e/"));
        expect(await fs.mkdir(at("b/c/d"), { recursive: true })).toBeUndefined();
        await fs.writeFile(at("file"), "");
        const inTheWay = at("file/x/y");
        await expectRefusal(
          fs.mkdir(at("file"), { recursive: true }),
          "EEXIST",
          "mkdir",
          at("file"),
        );
        await expectRefusal(fs.mkdir(inTheWay, { recursive: true }), "ENOTDIR", "mkdir", inTheWay);
        expect(await names()).toEqual(["a", "b", "file"]);
      });

      it("are listed by name, with kinds, and with all below", async () => {
        await fs.mkdir(at("a/b"), { recursive: true });
        await fs.writeFile(at("a/b/c"), "");
        await fs.writeFile(at("d"), "");
        const entries = await fs.readdir(root, { withFileTypes: true });
        const kinds = entries.map((entry) => [entry.name, entry.isFile(), entry.isDirectory()]);
        expect(kinds).toHaveLength(2);
        expect(kinds).toContainEqual(["a", false, true]);
        expect(kinds).toContainEqual(["d", true, false]);
        expect(entries.map(({ parentPath }) => parentPath)).toEqual([root, root]);
        const below = await fs.readdir(root, { recursive: true });
        expect(below.toSorted()).toEqual(["a", "a/b", "a/b/c", "d"]);
        const inner = await fs.readdir(root, { recursive: true, withFileTypes: true });
        const paths = inner.map((entry) => `${entry.parentPath}/${entry.name}`);
        expect(paths.toSorted()).toEqual(["a", "a/b", "a/b/c", "d"].map(at));
        await expectRefusal(fs.readdir(at("d")), "ENOTDIR", "scandir", at("d"));
        await expectRefusal(fs.readdir(at("x")), "ENOENT", "scandir", at("x"));
      });

      it("for a time get a name of their own", async () => {
        const first = await fs.mkdtemp(at("time-"));
        const second = await fs.mkdtemp(at("time-"));
        expect(first).toMatch(/\/time-.{6}$/);
        expect(first).not.toBe(second);
        expect((await names()).map(at)).toEqual([first, second].toSorted());
        await expect(fs.mkdtemp(at("missing/time-"))).rejects.toMatchObject({ code: "ENOENT" });
      });
    });

    it("takes modes, owners and times of what is there", async () => {
      await fs.writeFile(at("file"), "", { mode: 0o644 });
      const stats = await fs.stat(at("file"));
      expect(stats.mode & 0o777).toBe(0o644);
      await fs.chmod(at("file"), 0o644);
      await fs.chown(at("file"), stats.uid, stats.gid);
      await fs.utimes(at("file"), 0, 0);
      // Programs that copy and unpack use these also where there are no links.
      await fs.lchown(at("file"), stats.uid, stats.gid);
      await fs.lutimes(at("file"), 0, 0);
      const file = await fs.open(at("file"), "r+");
      await file.chmod(0o644);
      await file.chown(stats.uid, stats.gid);
      await file.utimes(0, 0);
      await file.close();
      await expectRefusal(fs.chmod(at("x"), 0o644), "ENOENT", "chmod", at("x"));
      await expectRefusal(fs.utimes(at("x"), 0, 0), "ENOENT", "utime", at("x"));
      await expectRefusal(fs.lchown(at("x"), 0, 0), "ENOENT", "lchown", at("x"));
      await expectRefusal(fs.lutimes(at("x"), 0, 0), "ENOENT", "lutime", at("x"));
    });
  });
}
