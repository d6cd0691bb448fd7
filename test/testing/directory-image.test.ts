/** Images of simulated disks as directories of a real file system, and back. */
import {
  link,
  lstat,
  mkdir,
  mkdtemp,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { fingerprintOfImage, readImage, SimulatedDisk, writeImage } from "../../src/testing.ts";

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "directory-image-test-"));
});
afterEach(() => rm(directory, { recursive: true }));

it("what is written out and read back is the same", async () => {
  const disk = new SimulatedDisk();
  disk.createFolder("empty");
  disk.createFolder("a");
  disk.createFolder("a/b");
  disk.write(disk.createFile("a/b/f"), Buffer.from("text"), 5000);
  disk.createFile("nothing");
  disk.createFile("sparse", 2 ** 21 + 1);
  disk.link("a/b/f", "second name");
  await writeImage(disk.image(), directory);
  expect(fingerprintOfImage(await readImage(directory))).toBe(fingerprintOfImage(disk.image()));
  expect((await stat(join(directory, "sparse"))).blocks).toBe(0);
});

it("a directory that is read keeps which names are one file, and its holes", async () => {
  await mkdir(join(directory, "d"));
  await writeFile(join(directory, "d/f"), "x".repeat(5000));
  await link(join(directory, "d/f"), join(directory, "g"));
  await truncate(join(directory, "g"), 2 ** 20);
  const image = await readImage(directory);
  const node = image.folders.get(0)!.get("g")!;
  expect(image.folders.get(image.folders.get(0)!.get("d")!)!.get("f")).toBe(node);
  const file = image.files.get(node)!;
  expect([file.size, file.pages.size]).toEqual([2 ** 20, 2]);
  expect(image.nextNode).toBe(3);
});

it("what is no file or folder is refused", async () => {
  await symlink("nowhere", join(directory, "link"));
  expect((await lstat(join(directory, "link"))).isSymbolicLink()).toBe(true);
  await expect(readImage(directory)).rejects.toThrow(/link is neither a file nor a folder/);
});
