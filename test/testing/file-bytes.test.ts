/** The bytes of a simulated file against a plain array, and images that never change. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FileBytes, FileImage, PAGE_BYTES, sectorsOf } from "../../src/testing/file-bytes.ts";

interface Step {
  kind: "write" | "clear" | "resize" | "freeze" | "thaw";
  offset: number;
  length: number;
}

const edges = [0, 1, 511, 512, 4095, 4096, 4097, 8191, 8192, 12_288];
const place = fc.oneof(fc.constantFrom(...edges), fc.nat({ max: 16_000 }));
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom("write", "write", "clear", "resize", "freeze", "thaw"),
  offset: place,
  length: place,
});

/** Far more than any step reaches. */
const REACH = 40_000;

function bytesOf(file: FileBytes): Buffer {
  const bytes = Buffer.alloc(REACH, "?");
  file.read(bytes, 0);
  return bytes;
}

describe("the bytes of a file", () => {
  it("are those of a plain array under random changes, and no image of them ever changes", () => {
    const property = fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      let file = new FileBytes();
      let size = 0;
      const plain = Buffer.alloc(REACH);
      const images: { image: FileImage; size: number; bytes: Buffer }[] = [];
      steps.forEach(({ kind, offset, length }, i) => {
        if (kind === "write") {
          const bytes = Buffer.alloc(length, i + 1);
          file.write(bytes, offset);
          plain.set(bytes, offset);
          bytes.fill(0xee);
        } else if (kind === "clear") {
          file.clear(offset, length);
          plain.fill(0, offset, offset + length);
        } else if (kind === "resize") {
          file.resize(offset);
          if (offset < size) plain.fill(0, offset);
          size = offset;
        } else if (kind === "freeze") {
          images.push({ image: file.freeze(), size, bytes: Buffer.from(plain) });
        } else if (images.length > 0) {
          const from = images[offset % images.length]!;
          file = new FileBytes(from.image);
          size = from.size;
          plain.set(from.bytes);
        }
        expect(file.size).toBe(size);
      });
      expect(bytesOf(file).equals(plain)).toBe(true);
      const part = Buffer.alloc(5000);
      file.read(part, 3000);
      expect(part.equals(plain.subarray(3000, 8000))).toBe(true);
      for (const { image, bytes, size: then } of images) {
        expect(image.size).toBe(then);
        expect(bytesOf(new FileBytes(image)).equals(bytes)).toBe(true);
        expect(new FileBytes(image).freeze()).toBe(image);
      }
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("take no page that was never written to, or was given back as a whole", () => {
    const file = new FileBytes();
    expect(file.occupiedBytes).toBe(0);
    file.write(new Uint8Array(PAGE_BYTES + 1), 10 * PAGE_BYTES);
    expect(file.occupiedBytes).toBe(2 * PAGE_BYTES);
    file.resize(2 ** 40);
    file.clear(0, 2 ** 40);
    expect(file.occupiedBytes).toBe(0);
    file.clear(5, 10);
    expect(file.occupiedBytes).toBe(0);
    file.write(Uint8Array.of(1), 2 ** 40 - 1);
    file.clear(2 ** 40 - 4, 3);
    expect(file.occupiedBytes).toBe(PAGE_BYTES);
    const last = new Uint8Array(1);
    file.read(last, 2 ** 40 - 1);
    expect(last[0]).toBe(1);
  });

  it("share their pages with the image, but for those that were changed", () => {
    const file = new FileBytes();
    file.write(new Uint8Array(3 * PAGE_BYTES).fill(1), 0);
    const before = file.freeze();
    file.write(Uint8Array.of(2), PAGE_BYTES);
    const after = file.freeze();
    expect(after).not.toBe(before);
    expect([0, 1, 2].map((page) => after.pages.get(page) === before.pages.get(page))).toEqual([
      true,
      false,
      true,
    ]);
  });

  it("have a fingerprint that does not depend on the way they came about", () => {
    const one = new FileBytes();
    one.write(Uint8Array.of(1, 2, 3), 4095);
    one.resize(5000);
    const other = new FileBytes();
    other.resize(9000);
    other.write(new Uint8Array(9000).fill(7), 0);
    other.freeze();
    other.clear(0, 4095);
    other.write(Uint8Array.of(1, 2, 3), 4095);
    other.resize(4098);
    other.resize(5000);
    expect(other.freeze().fingerprint).toEqual(one.freeze().fingerprint);
    expect(FileImage.empty.fingerprint).toEqual(new FileBytes().freeze().fingerprint);
  });
});

describe("the sectors of a range", () => {
  it("are cut at the edges of the medium", () => {
    expect(sectorsOf(0, 1024, 512)).toEqual([512, 512]);
    expect(sectorsOf(500, 600, 512)).toEqual([12, 512, 76]);
    expect(sectorsOf(513, 10, 512)).toEqual([10]);
    expect(sectorsOf(7, 0, 512)).toEqual([]);
  });
});
