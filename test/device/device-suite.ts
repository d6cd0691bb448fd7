/**
 * The promises of a `Device` (see `src/device/device.ts`, numbered as there), as one suite that
 * every medium runs.
 */
import { afterEach, describe, expect, it } from "vitest";
import { KiB } from "../../src/base/units.ts";
import { type Device, writeDurably } from "../../src/device/device.ts";
import { pattern, seededNumbers } from "./scratch.ts";

/** How the suite gets at a medium; what it opens here is closed by the suite. */
export interface Medium {
  /** A new device of zeroes, opened for writing. */
  make(size: number): Promise<Device>;
  /** Another opening of the device made last. */
  reopen(mode: "read" | "write"): Promise<Device>;
}

const SIZE = 512 * KiB;

export function describeDevice(name: string, medium: Medium): void {
  describe(`device promises: ${name}`, () => {
    const opened: Device[] = [];
    afterEach(async () => {
      for (const device of opened.splice(0)) await device.close();
    });
    async function make(size = SIZE): Promise<Device> {
      const device = await medium.make(size);
      opened.push(device);
      return device;
    }
    async function reopen(mode: "read" | "write"): Promise<Device> {
      const device = await medium.reopen(mode);
      opened.push(device);
      return device;
    }

    it("has the size that it was made with, in every opening", async () => {
      expect((await make()).size).toBe(SIZE);
      expect((await reopen("read")).size).toBe(SIZE);
    });

    it("1: reads zeroes where nothing was written, also next to what was", async () => {
      const device = await make();
      await device.write([pattern(100)], 70_000);
      const expected = new Uint8Array(SIZE);
      expected.set(pattern(100), 70_000);
      expect(equal(await bytesOf(device), expected)).toBe(true);
    });

    it("1: fills the target and nothing around it", async () => {
      const device = await make();
      await device.write([pattern(300)], 4000);
      const memory = new Uint8Array(400).fill(0xee);
      await device.read(memory.subarray(50, 350), 4000);
      expect(memory.subarray(50, 350)).toEqual(pattern(300));
      expect([...memory.subarray(0, 50), ...memory.subarray(350)]).toEqual(Array(100).fill(0xee));
    });

    it("2: writes chunks one after the other, also empty ones and thousands of them", async () => {
      const device = await make();
      const next = seededNumbers(7);
      const chunks = Array.from({ length: 3000 }, (_, i) => pattern(next(120), i));
      await device.write(chunks, 1234);
      const expected = Buffer.concat(chunks);
      const read = new Uint8Array(expected.length);
      await device.read(read, 1234);
      expect(equal(read, expected)).toBe(true);
    });

    it("2: needs a caller's buffer only until the write has resolved", async () => {
      const device = await make();
      const buffer = pattern(8192);
      await device.write([buffer], 0);
      buffer.fill(0xff);
      const read = new Uint8Array(8192);
      await device.read(read, 0);
      expect(equal(read, pattern(8192))).toBe(true);
    });

    it("2: takes writes to many places at once", async () => {
      const device = await make();
      const places = Array.from({ length: 64 }, (_, i) => i * 8000 + 5);
      await Promise.all(places.map((place) => device.write([pattern(7000, place)], place)));
      const all = await bytesOf(device);
      for (const place of places) {
        expect(equal(all.subarray(place, place + 7000), pattern(7000, place))).toBe(true);
      }
    });

    it("1, 2, 4: behaves as an array of bytes under random reads, writes and discards", async () => {
      const device = await make();
      const model = new Uint8Array(SIZE);
      const next = seededNumbers(20);
      for (let step = 0; step < 400; step++) {
        const offset = next(SIZE);
        const length = next(Math.min(SIZE - offset, 20_000) + 1);
        const range = model.subarray(offset, offset + length);
        const kind = next(8);
        if (kind < 4) {
          const data = pattern(length, step);
          await device.write([data], offset);
          model.set(data, offset);
        }
        if (kind === 4) await device.discard(offset, length);
        if (kind === 5) await device.flush();
        const read = new Uint8Array(length);
        await device.read(read, offset);
        // After a discard each byte is zero or as before; from then on the model knows which.
        const same = read.every((byte, i) => byte === range[i] || (kind === 4 && byte === 0));
        expect(same, `step ${step}: kind ${kind}, ${length} bytes at ${offset}`).toBe(true);
        range.set(read);
      }
      expect(equal(await bytesOf(device), model)).toBe(true);
    });

    it("6: is never made shorter", async () => {
      const device = await make();
      await device.extend(SIZE - 1);
      await device.extend(SIZE);
      expect(device.size).toBe(SIZE);
    });

    it("3: what was flushed is there in another opening", async () => {
      const device = await make();
      await device.write([pattern(5000)], 9999);
      await device.flush();
      await device.close();
      const read = new Uint8Array(5000);
      await (await reopen("read")).read(read, 9999);
      expect(equal(read, pattern(5000))).toBe(true);
    });

    it("2, 3: what was written durably is there in another opening, one write after the other", async () => {
      const device = await make();
      const chunks = [pattern(5000, 1), pattern(3, 2), pattern(70_000, 3)];
      await device.write([pattern(200_000, 4)], 0);
      await writeDurably(device, chunks, 9999);
      await writeDurably(device, [pattern(10, 5)], 9999);
      await device.close();
      const expected = pattern(200_000, 4);
      expected.set(Buffer.concat(chunks), 9999);
      expected.set(pattern(10, 5), 9999);
      const read = new Uint8Array(200_000);
      await (await reopen("read")).read(read, 0);
      expect(equal(read, expected)).toBe(true);
    });

    it("4: a discard leaves its neighbours alone, and the range writable", async () => {
      const device = await make();
      await device.write([pattern(65_536)], 0);
      await device.discard(5000, 40_000);
      const read = new Uint8Array(65_536);
      await device.read(read, 0);
      expect(equal(read.subarray(0, 5000), pattern(65_536).subarray(0, 5000))).toBe(true);
      expect(equal(read.subarray(45_000), pattern(65_536).subarray(45_000))).toBe(true);
      await device.write([pattern(65_536, 2)], 0);
      await device.read(read, 0);
      expect(equal(read, pattern(65_536, 2))).toBe(true);
    });

    it("5: refuses ranges that are not within it, and changes nothing", async () => {
      const device = await make();
      await device.write([pattern(4096)], SIZE - 4096);
      const wrong: [number, number][] = [
        [SIZE - 1, 2],
        [SIZE, 1],
        [SIZE + 1, 0],
        [-1, 1],
        [0.5, 1],
        [NaN, 1],
        [2 ** 53, 1],
      ];
      for (const [offset, length] of wrong) {
        const refusal = { code: "ERANGE", path: device.path, offset, length };
        await expect(device.read(new Uint8Array(length), offset)).rejects.toMatchObject(refusal);
        await expect(device.write([new Uint8Array(length)], offset)).rejects.toMatchObject(refusal);
        await expect(device.discard(offset, length)).rejects.toMatchObject(refusal);
      }
      await expect(device.discard(10, -1)).rejects.toMatchObject({ code: "ERANGE" });
      const tail = (await bytesOf(device)).subarray(SIZE - 4096);
      expect(equal(tail, pattern(4096))).toBe(true);
    });

    it("5: allows empty ranges up to its end", async () => {
      const device = await make();
      for (const offset of [0, 100, SIZE]) {
        await device.read(new Uint8Array(0), offset);
        await device.write([], offset);
        await device.write([new Uint8Array(0)], offset);
        await device.discard(offset, 0);
      }
      expect((await bytesOf(device)).every((byte) => byte === 0)).toBe(true);
    });

    it("opened for reading, fails to write and to discard", async () => {
      await (await make()).write([pattern(4096)], 0);
      const device = await reopen("read");
      const refusal = { code: "EIO", path: device.path, offset: 0, length: 4096 };
      await expect(device.write([new Uint8Array(4096)], 0)).rejects.toMatchObject(refusal);
      await expect(device.discard(0, 4096)).rejects.toMatchObject(refusal);
      const read = new Uint8Array(4096);
      await device.read(read, 0);
      expect(equal(read, pattern(4096))).toBe(true);
    });

    it("closes once the calls under way are over, as often as one likes, and then fails", async () => {
      const device = await make();
      const writes = Array.from({ length: 8 }, (_, i) =>
        device.write([pattern(4096, i)], i * 4096),
      );
      await Promise.all([device.close(), device.close()]);
      await device.close();
      await Promise.all(writes);
      const closed = { code: "EIO", path: device.path };
      await expect(device.read(new Uint8Array(1), 0)).rejects.toMatchObject(closed);
      await expect(device.write([new Uint8Array(1)], 0)).rejects.toMatchObject(closed);
      await expect(device.discard(0, 1)).rejects.toMatchObject(closed);
      await expect(device.flush()).rejects.toMatchObject(closed);
      const all = await bytesOf(await reopen("read"));
      for (let i = 0; i < 8; i++) {
        expect(equal(all.subarray(i * 4096, (i + 1) * 4096), pattern(4096, i))).toBe(true);
      }
    });
  });
}

async function bytesOf(device: Device): Promise<Uint8Array> {
  const bytes = new Uint8Array(device.size).fill(0xee);
  await device.read(bytes, 0);
  return bytes;
}

/** Compares long runs of bytes at once; the matchers of the test runner take seconds for them. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** What a medium promises that can be made longer, besides. */
export function describeExtension(name: string, medium: Medium): void {
  it(`6: is made longer, by zeroes, in every opening: ${name}`, async () => {
    const device = await medium.make(SIZE);
    await device.write([pattern(100)], SIZE - 100);
    await device.extend(SIZE + 10_000);
    expect(device.size).toBe(SIZE + 10_000);
    await device.write([pattern(50)], SIZE + 9950);
    await device.flush();
    await device.close();
    const expected = new Uint8Array(10_100);
    expected.set(pattern(100));
    expected.set(pattern(50), 10_050);
    const again = await medium.reopen("read");
    expect(again.size).toBe(SIZE + 10_000);
    const found = new Uint8Array(10_100);
    await again.read(found, SIZE - 100);
    await again.close();
    expect(equal(found, expected)).toBe(true);
  });
}
