/**
 * What code for storage relies on of a file system, as one suite that runs against node's own and
 * the simulated one, with promises and without, so that they cannot drift apart.
 */
import { constants } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import type { SimulatedFileSystem } from "../../src/testing/file-system.ts";

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC } = constants;
const { O_APPEND, O_SYNC, O_DSYNC } = constants;

/** What a file of `12345` is once opened, its first byte, and the file after a write of `ab`. */
const flagsOfFiles: readonly [string | number, string, string, string][] = [
  ["r", "12345", "1", "12345"],
  ["rs", "12345", "1", "12345"],
  ["sr", "12345", "1", "12345"],
  ["r+", "12345", "1", "ab345"],
  ["rs+", "12345", "1", "ab345"],
  ["w", "", "EBADF", "ab"],
  ["w+", "", "", "ab"],
  ["a", "12345", "EBADF", "12345ab"],
  ["as", "12345", "EBADF", "12345ab"],
  ["a+", "12345", "1", "12345ab"],
  ["sa+", "12345", "1", "12345ab"],
  [O_RDONLY, "12345", "1", "12345"],
  [O_WRONLY, "12345", "EBADF", "ab345"],
  [O_RDWR | O_EXCL, "12345", "1", "ab345"],
  [O_RDWR | O_SYNC, "12345", "1", "ab345"],
  [O_RDWR | O_DSYNC, "12345", "1", "ab345"],
  [O_RDWR | O_CREAT, "12345", "1", "ab345"],
  [O_RDWR | O_TRUNC, "", "", "ab"],
  [O_WRONLY | O_APPEND, "12345", "EBADF", "12345ab"],
  [O_WRONLY | O_CREAT | O_TRUNC, "", "EBADF", "ab"],
];

export interface Subject {
  fs: SimulatedFileSystem;
  /** An empty folder. */
  root: string;
}

export function describeFileSystem(subject: string, make: () => Subject | Promise<Subject>): void {
  describe(`file system: ${subject}`, () => {
    let fs: SimulatedFileSystem;
    let root: string;
    const at = (name: string): string => `${root}/${name}`;
    beforeEach(async () => {
      ({ fs, root } = await make());
    });
    const textOf = (name: string): Promise<string> => fs.readFile(at(name), "utf8");

    describe("descriptors", () => {
      it("read and write at positions, and where they stand when there is none", async () => {
        const file = await fs.open(at("file"), "w+");
        const data = Buffer.from("hello world");
        expect(await file.write(data)).toEqual({ bytesWritten: 11, buffer: data });
        expect((await file.write(data, 6, null, null)).bytesWritten).toBe(5);
        expect((await file.write(data, 0, 5, 20)).bytesWritten).toBe(5);
        // The types of node do not know this shape yet.
        const tail = { offset: 4, length: 1 } as unknown as number;
        expect((await file.write(data, tail)).bytesWritten).toBe(1);
        expect((await file.write("é!", 30, "utf8")).bytesWritten).toBe(3);
        expect((await file.write("77", null, "hex")).bytesWritten).toBe(1);
        const expected = `hello worldworldow\0\0hello\0\0\0\0\0é!`;
        const buffer = Buffer.alloc(40, ".");
        expect(await file.read(buffer, 0, 40, 0)).toEqual({ bytesRead: 33, buffer });
        expect(buffer.toString()).toBe(`${expected}.......`);
        expect((await file.read(Buffer.alloc(2))).buffer.toString()).toBe("\0\0");
        expect((await file.read(Buffer.alloc(5))).buffer.toString()).toBe("hello");
        const options = { offset: 1, length: 2, position: 6 };
        expect((await file.read(Buffer.alloc(4, "."), options)).buffer.toString()).toBe(".wo.");
        const whole = await file.read({ buffer: Buffer.alloc(3), position: 0 });
        expect(whole.buffer.toString()).toBe("hel");
        expect((await file.read({ position: 31 })).bytesRead).toBe(2);
        expect((await file.read(Buffer.alloc(3), 0, 3, 33)).bytesRead).toBe(0);
        expect((await file.read(Buffer.alloc(0))).bytesRead).toBe(0);
        await file.close();
      });

      it("take a position below nothing as where they stand", async () => {
        const file = await fs.open(at("file"), "w+");
        await file.writev([Buffer.from("ab"), Buffer.from("c")], -1);
        await file.writev([Buffer.from("d")], -1);
        expect(await textOf("file")).toBe("abcd");
        expect((await file.readv([Buffer.alloc(2)], -1)).bytesRead).toBe(0);
        await file.close();
      });

      it("refuse a size that is no whole number", async () => {
        await fs.writeFile(at("file"), "text");
        const refusal = { code: "ERR_OUT_OF_RANGE" };
        await expect(fs.truncate(at("file"), 1.5)).rejects.toMatchObject(refusal);
        expect(await textOf("file")).toBe("text");
      });

      it("take any view of memory", async () => {
        const file = await fs.open(at("file"), "w+");
        await file.write(Uint16Array.of(0x4241, 0x4443, 0x4645).subarray(1));
        await file.write(new DataView(Buffer.from("xGHx").buffer, 0, 0));
        const words = new Uint16Array(3);
        expect((await file.read(words, 2, 4, 0)).bytesRead).toBe(4);
        expect([...words]).toEqual([0, 0x4443, 0x4645]);
        await file.close();
      });

      it("read into and write from many buffers at once", async () => {
        const file = await fs.open(at("file"), "w+");
        const parts = ["ab", "", "cde"].map((text) => Buffer.from(text));
        expect((await file.writev(parts)).bytesWritten).toBe(5);
        expect((await file.writev(parts, 3)).bytesWritten).toBe(5);
        expect((await file.writev([Buffer.from("X")])).bytesWritten).toBe(1);
        expect(await textOf("file")).toBe("abcabXde");
        const targets = [3, 2, 9].map((length) => Buffer.alloc(length, "."));
        expect((await file.readv(targets, 1)).bytesRead).toBe(7);
        expect(targets.join("|")).toBe("bca|bX|de.......");
        await file.close();
      });

      it("that append write at the end, whatever position is given", async () => {
        await fs.writeFile(at("file"), "12345");
        const file = await fs.open(at("file"), "a+");
        await file.write(Buffer.from("A"), 0, 1, 0);
        await fs.appendFile(at("file"), "B");
        await file.write("C");
        expect(await textOf("file")).toBe("12345ABC");
        expect((await file.read(Buffer.alloc(4), 0, 4, 0)).buffer.toString()).toBe("1234");
        await file.close();
      });

      it("read and write from where they stand to the end", async () => {
        await fs.writeFile(at("file"), "0123456789");
        const file = await fs.open(at("file"), "r+");
        await file.read(Buffer.alloc(3));
        expect(await file.readFile("utf8")).toBe("3456789");
        expect((await file.readFile()).length).toBe(0);
        await file.writeFile("abc");
        await file.appendFile(Buffer.from("def"));
        expect(await textOf("file")).toBe("0123456789abcdef");
        await file.truncate(4);
        await file.write("Z");
        expect(await textOf("file")).toBe(`0123${"\0".repeat(12)}Z`);
        await file.truncate(-1);
        expect((await file.stat()).size).toBe(0);
        await file.truncate(2);
        await file.truncate();
        expect((await file.stat()).size).toBe(0);
        await file.close();
      });

      it("tell sizes and kinds", async () => {
        await fs.writeFile(at("file"), Buffer.alloc(5000, 1));
        const file = await fs.open(at("file"), "r");
        const stats = await file.stat();
        expect([stats.size, stats.isFile(), stats.isDirectory()]).toEqual([5000, true, false]);
        expect(stats.isSymbolicLink()).toBe(false);
        expect(stats.ino).toBe((await fs.stat(at("file"))).ino);
        expect(stats.mtime.getTime()).toBe(Math.round(stats.mtimeMs));
        expect((await file.stat({ bigint: true })).size).toBe(5000n);
        expect(typeof (await fs.stat(at("file"), { bigint: true })).mtimeNs).toBe("bigint");
        await file.close();
        const folder = await fs.lstat(root);
        expect([folder.isFile(), folder.isDirectory()]).toEqual([false, true]);
      });

      it("refuse what they were not opened for", async () => {
        await fs.writeFile(at("file"), "text");
        const reader = await fs.open(at("file"));
        const badWrite = { code: "EBADF", errno: -9, syscall: "write" };
        await expect(reader.write("x")).rejects.toMatchObject(badWrite);
        await expect(reader.writeFile("x")).rejects.toMatchObject({ code: "EBADF" });
        await expect(reader.truncate(1)).rejects.toMatchObject({
          code: "EINVAL",
          syscall: "ftruncate",
          message: "EINVAL: invalid argument, ftruncate",
        });
        await reader.sync();
        await reader.datasync();
        await reader.close();
        const writer = await fs.open(at("file"), "a");
        const badRead = { code: "EBADF", syscall: "read" };
        await expect(writer.read(Buffer.alloc(1))).rejects.toMatchObject(badRead);
        await expect(writer.readFile()).rejects.toMatchObject({ code: "EBADF" });
        await writer.close();
        expect(await textOf("file")).toBe("text");
      });

      it("are over once they are closed, which may be done again", async () => {
        const file = await fs.open(at("file"), "w+");
        expect(file.fd).toBeGreaterThan(2);
        await file.close();
        await file.close();
        expect(file.fd).toBe(-1);
        const closed = { code: "EBADF" };
        await expect(file.read(Buffer.alloc(1))).rejects.toMatchObject(closed);
        await expect(file.write("x")).rejects.toMatchObject(closed);
        await expect(file.sync()).rejects.toMatchObject(closed);
        await expect(file.datasync()).rejects.toMatchObject(closed);
        await expect(file.stat()).rejects.toMatchObject(closed);
        await expect(file.truncate()).rejects.toMatchObject(closed);
      });

      it("are given out again, the lowest first", async () => {
        const files = [await fs.open(root), await fs.open(root), await fs.open(root)];
        const numbers = files.map(({ fd }) => fd);
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
        await files[1]!.close();
        const again = await fs.open(root);
        expect(again.fd).toBe(numbers[1]);
        for (const file of [...files, again]) await file.close();
      });

      it("refuse ranges that are not within the buffer", async () => {
        const file = await fs.open(at("file"), "w+");
        const range = { name: "RangeError", code: "ERR_OUT_OF_RANGE" };
        const four = Buffer.alloc(4);
        await expect(file.read(four, 0, 9, 0)).rejects.toMatchObject(range);
        await expect(file.read(four, 5, 1, 0)).rejects.toMatchObject(range);
        await expect(file.read(four, -1, 1, 0)).rejects.toMatchObject(range);
        await expect(file.write(four, 2, 3)).rejects.toMatchObject(range);
        await expect(file.write(four, 0, -1)).rejects.toMatchObject(range);
        const type = { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" };
        await expect(file.write(4 as unknown as string)).rejects.toMatchObject(type);
        await expect(file.writeFile({} as unknown as string)).rejects.toMatchObject(type);
        await file.close();
      });

      it("of folders can be synced and nothing else", async () => {
        const folder = await fs.open(root, "r");
        await folder.sync();
        await folder.datasync();
        expect((await folder.stat()).isDirectory()).toBe(true);
        const read = folder.read(Buffer.alloc(1));
        await expect(read).rejects.toMatchObject({ code: "EISDIR", syscall: "read" });
        await expect(folder.readFile()).rejects.toMatchObject({ code: "EISDIR" });
        // Found by random calls: nothing is read into several buffers without a look at the folder.
        const [one, none] = [Buffer.alloc(1), Buffer.alloc(0)];
        const isFolder = { code: "EISDIR", syscall: "read" };
        await expect(folder.readv([none])).rejects.toMatchObject(isFolder);
        await expect(folder.readv([none, one])).rejects.toMatchObject(isFolder);
        expect((await folder.readv([none, none])).bytesRead).toBe(0);
        await expect(folder.write("x")).rejects.toMatchObject({ code: "EBADF" });
        await expect(folder.truncate(1)).rejects.toMatchObject({ code: "EINVAL" });
        await folder.close();
      });

      it("lead to the file even when it has another name or none", async () => {
        const file = await fs.open(at("a"), "w+");
        await file.write("one");
        await fs.rename(at("a"), at("b"));
        await file.write("two");
        expect(await textOf("b")).toBe("onetwo");
        await fs.unlink(at("b"));
        await fs.writeFile(at("b"), "other");
        await file.write("!");
        await file.sync();
        expect((await file.read(Buffer.alloc(7), 0, 7, 0)).buffer.toString()).toBe("onetwo!");
        await file.close();
        expect(await textOf("b")).toBe("other");
      });
    });

    describe("the flags of open", () => {
      it.each(flagsOfFiles)("%s: of 12345 leave %o", async (flags, left, first, written) => {
        await fs.writeFile(at("file"), "12345");
        const file = await fs.open(at("file"), flags);
        expect(await textOf("file")).toBe(left);
        const orBad = (error: NodeJS.ErrnoException): unknown => error.code;
        const read = file.read(Buffer.alloc(1), 0, 1, 0);
        const begin = read.then((done) => done.buffer.toString("utf8", 0, done.bytesRead), orBad);
        expect(await begin).toBe(first);
        const write = file.write("ab").then((done) => done.bytesWritten, orBad);
        expect(await write).toBe(written === left ? "EBADF" : 2);
        await file.close();
        expect(await textOf("file")).toBe(written);
      });

      it.each(["r", "r+", "rs+", O_RDWR, O_WRONLY])("%s: needs a file", async (flags) => {
        const missing = { code: "ENOENT", errno: -2, syscall: "open", path: at("file") };
        await expect(fs.open(at("file"), flags)).rejects.toMatchObject(missing);
      });

      it.each(["w", "wx", "xw", "w+", "wx+", "a", "ax", "a+", "ax+", "as", O_RDWR | O_CREAT])(
        "%s: makes a file",
        async (flags) => {
          await (await fs.open(at("file"), flags)).close();
          expect(await textOf("file")).toBe("");
        },
      );

      it.each(["wx", "wx+", "xw+", "ax", "ax+", O_RDWR | O_CREAT | O_EXCL])(
        "%s: refuses a name that is taken",
        async (flags) => {
          await fs.writeFile(at("file"), "12345");
          const taken = { code: "EEXIST", syscall: "open" };
          await expect(fs.open(at("file"), flags)).rejects.toMatchObject(taken);
          await expect(fs.open(root, flags)).rejects.toMatchObject(taken);
          expect(await textOf("file")).toBe("12345");
        },
      );

      it("refuses words that are none, folders to write to, and files as folders", async () => {
        const wrong = { name: "TypeError", code: "ERR_INVALID_ARG_VALUE" };
        await expect(fs.open(at("file"), "q")).rejects.toMatchObject(wrong);
        await expect(fs.open(`${root}/\0`, "r")).rejects.toMatchObject(wrong);
        for (const flags of ["w", "r+", "a", "w+"]) {
          await expect(fs.open(root, flags)).rejects.toMatchObject({ code: "EISDIR" });
        }
        await fs.writeFile(at("file"), "");
        const folder = fs.open(at("file"), fs.constants.O_DIRECTORY);
        await expect(folder).rejects.toMatchObject({ code: "ENOTDIR" });
        await expect(fs.open(at("file/"))).rejects.toMatchObject({ code: "ENOTDIR" });
        await expect(fs.open(at("file/inner"), "w")).rejects.toMatchObject({ code: "ENOTDIR" });
        await expect(fs.open(at("new/"), "w")).rejects.toMatchObject({ code: "EISDIR" });
        await expect(fs.open("", "w")).rejects.toMatchObject({ code: "ENOENT", path: "" });
      });
    });
  });
}
