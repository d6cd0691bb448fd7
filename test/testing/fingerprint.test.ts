/** Fingerprints of images and of traces: the same exactly for what is the same. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/disk.ts";
import { fingerprintOfImage, ROOT } from "../../src/testing/disk-image.ts";
import {
  fingerprintOf,
  fingerprintOfText,
  NOTHING,
  toNumber,
} from "../../src/testing/fingerprint.ts";
import { randomBelow, randomFrom } from "../../src/testing/random.ts";
import { fingerprintOfTrace } from "../../src/testing/trace-fingerprint.ts";
import { HandMade, imageOf, type Listing } from "./hand-made.ts";

const of = (files: Listing, folders: readonly string[] = []): number =>
  fingerprintOfImage(imageOf(files, folders));

function ofDisk(work: (disk: SimulatedDisk) => void): number {
  const disk = new SimulatedDisk();
  work(disk);
  return fingerprintOfImage(disk.image());
}

describe("the fingerprint of an image", () => {
  it("is the same for the same content, whatever its history", () => {
    const plain = ofDisk((disk) => {
      disk.write(disk.createFile("/b"), Buffer.from("22"), 0);
      disk.write(disk.createFile("/a"), Buffer.from("11"), 0);
    });
    const roundabout = ofDisk((disk) => {
      disk.createFile("/c");
      const file = disk.createFile("/x");
      disk.write(file, Buffer.alloc(20_000, 1), 0);
      disk.resize(file, 1);
      disk.write(file, Buffer.from("11"), 0);
      disk.rename("/x", "/a");
      disk.remove("/c", "file");
      const other = disk.createFile("/b", 9000);
      disk.discard(other, 0, 9000);
      disk.resize(other, 2);
      disk.write(other, Buffer.from("22"), 0);
    });
    expect(roundabout).toBe(plain);
    expect(plain).toBe(of({ a: "11", b: "22" }));
  });

  it("is the same of a disk and of what a crash leaves of it that loses nothing", () => {
    // A new file that nobody had written to was taken for a folder.
    const disk = new SimulatedDisk();
    disk.createFile("/empty");
    disk.createFolder("/folder");
    disk.write(disk.createFile("/folder/file"), Buffer.from("text"), 0);
    const print = fingerprintOfImage(disk.image());
    expect(fingerprintOfImage(disk.crash(() => 0.999).image())).toBe(print);
    expect(fingerprintOfImage(disk.killed().image())).toBe(print);
  });

  it("does not tell zeroes that were written from those that were not", () => {
    const sparse = ofDisk((disk) => disk.createFile("/a", 9000));
    const full = ofDisk((disk) => disk.write(disk.createFile("/a"), new Uint8Array(9000), 0));
    expect(full).toBe(sparse);
  });

  it("differs with any byte of any file", () => {
    const base = Buffer.alloc(8193, "base");
    const seen = new Map([[of({ a: base.toString("latin1") }), -1]]);
    for (let at = 0; at < base.length; at += at < 64 ? 1 : 61) {
      for (const change of [1, 0x80, 0xff]) {
        const bytes = Buffer.from(base);
        bytes[at]! ^= change;
        const print = of({ a: bytes.toString("latin1") });
        expect(seen.has(print), `byte ${at}, as ${seen.get(print)}`).toBe(false);
        seen.set(print, at);
      }
    }
  });

  it("differs when pages, files, names or folders are swapped, or sizes differ", () => {
    const [one, two] = ["1".repeat(4096), "2".repeat(4096)];
    const prints = [
      of({}),
      of({ a: "" }),
      of({ a: "\0" }),
      of({ a: "\0\0" }),
      of({ b: "" }),
      of({}, ["a"]),
      of({ a: one + two }),
      of({ a: two + one }),
      of({ a: one, b: two }),
      of({ a: two, b: one }),
      of({ a: one + one }),
      of({ a: one, b: one }),
      of({ ab: "" }),
      of({ a: "", b: "" }),
      of({ ["a\0"]: "" }),
      ...[2 ** 30, 2 ** 31, 2 ** 32, 2 ** 33, 2 ** 32 + 1, 2 ** 45].map((size) =>
        ofDisk((disk) => disk.createFile("/a", size)),
      ),
    ];
    expect(new Set(prints).size).toBe(prints.length);
  });

  it("differs when a file stands in another folder, or a folder within another", () => {
    const within = (...paths: string[]): number =>
      ofDisk((disk) => {
        for (const path of paths) {
          if (path.endsWith("/")) disk.createFolder(path.slice(0, -1));
          else disk.createFile(path);
        }
      });
    const prints = [
      within("/f/", "/g/", "/f/a"),
      within("/f/", "/g/", "/g/a"),
      within("/f/", "/g/", "/a"),
      within("/f/", "/f/g/", "/a"),
      within("/f/", "/f/g/", "/f/a"),
      within("/f/", "/f/g/", "/f/g/a"),
      within("/g/", "/g/f/", "/g/f/a"),
    ];
    expect(new Set(prints).size).toBe(prints.length);
  });

  it("counts cells by name and by the fingerprint of their value, all 53 bits", () => {
    const cell = (name: string, print: number): number =>
      ofDisk((disk) => disk.setCell(name, 0, print));
    const prints = [
      ofDisk(() => undefined),
      cell("a", 1),
      cell("b", 1),
      cell("a", 2),
      cell("a", 1 + 2 ** 32),
      cell("a", 1 + 2 ** 52),
    ];
    expect(new Set(prints).size).toBe(prints.length);
  });

  it("tells two names of one file from two files that are equal", () => {
    const file = (disk: SimulatedDisk, path: string): void =>
      void disk.write(disk.createFile(path), Buffer.from("text"), 0);
    const paths = ["/a", "/b", "/c"];
    const linked = (...links: [string, string][]): number =>
      ofDisk((disk) => {
        for (const path of paths.filter((each) => !links.some(([, to]) => to === each)))
          file(disk, path);
        for (const [from, to] of links) disk.link(from, to);
      });
    const prints = [linked(), linked(["/a", "/b"]), linked(["/a", "/c"]), linked(["/b", "/c"])];
    prints.push(linked(["/a", "/b"], ["/a", "/c"]));
    expect(new Set(prints).size).toBe(5);
    expect(linked(["/b", "/a"])).toBe(linked(["/a", "/b"]));
  });

  it("is not shared by any two of very many small images", () => {
    const random = randomFrom(1);
    const prints = new Set<number>();
    const texts = new Set<string>();
    for (let i = 0; i < 40_000; i++) {
      const size = 1 + randomBelow(random, 6);
      const text = Array.from({ length: size }, () =>
        String.fromCharCode(randomBelow(random, 256)),
      ).join("");
      const name = "abc"[randomBelow(random, 3)]!;
      texts.add(`${name}=${text}`);
      prints.add(of({ [name]: text }));
    }
    expect(prints.size).toBe(texts.size);
  });

  it("of pages that differ in little is not shared by any two of a million", () => {
    const prints = new Set<number>();
    const words = new Int32Array(16);
    const bytes = new Uint8Array(words.buffer);
    for (let i = 0; i < 1_000_000; i++) {
      words[i % 16] = (words[i % 16]! + 1 + (i % 3)) | 0;
      prints.add(toNumber(fingerprintOf(bytes)));
    }
    expect(prints.size).toBe(1_000_000);
  });
});

describe("the fingerprint of bytes", () => {
  it("is that of nothing for zeroes however many, and does not look at what is around them", () => {
    expect(fingerprintOf(new Uint8Array(100))).toBe(NOTHING);
    const around = Buffer.alloc(64, 0xff);
    const property = fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.nat({ max: 7 }),
      (bytes, at) => {
        around.fill(0xff).set(bytes, at);
        expect(fingerprintOf(around.subarray(at, at + bytes.length))).toEqual(fingerprintOf(bytes));
      },
    );
    fc.assert(property);
  });

  it("of texts differs also by characters of no value at the end", () => {
    const texts = ["", "\0", "\0\0", "a", "a\0", "ä", "a."];
    expect(new Set(texts.map((text) => toNumber(fingerprintOfText(text)))).size).toBe(texts.length);
  });
});

describe("the fingerprint of a trace", () => {
  const base = (made: HandMade): void => {
    made.create(ROOT, "a", 1);
    made.write(1, "text", 0, 4);
    made.mark("one");
    made.flush(1);
  };
  const ofTrace = (work: (made: HandMade) => void): number => {
    const made = new HandMade();
    work(made);
    return fingerprintOfTrace(made.trace);
  };

  it("is the same for the same trace, whatever its marks say", () => {
    const again = ofTrace((made) => {
      base(made);
      Object.assign(made.trace[2]!.operation, { value: { other: 2 } });
    });
    expect(again).toBe(ofTrace(base));
  });

  it("differs with operation, place, bytes, order, effect, mark and cell", () => {
    const cell = (name: string, fingerprint: number) => (made: HandMade) => {
      base(made);
      const effect = { type: "cell", name, cell: { value: 0, fingerprint } } as const;
      made.entry({ kind: "commit", path: "c" }, effect);
    };
    const works: ((made: HandMade) => void)[] = [
      () => undefined,
      base,
      (made) => void (base(made), made.mark()),
      (made) => void (base(made), made.flush(1)),
      (made) => void (base(made), made.flush(2)),
      (made) => void (base(made), made.flush(1, true)),
      (made) => void (base(made), made.write(1, "text", 1)),
      (made) => void (base(made), made.write(1, "test", 1)),
      (made) => void (base(made), made.write(1, "tset", 1)),
      (made) => void (base(made), made.write(1, "text", 1, 9)),
      (made) => void (base(made), made.discard(1, 1, 4)),
      (made) => void (base(made), made.write(1, "\0\0\0\0", 1)),
      (made) => void (base(made), made.mark(), made.flush(1)),
      (made) => void (base(made), made.flush(1), made.mark()),
      cell("c", 1),
      cell("c", 2),
      cell("d", 1),
    ];
    expect(new Set(works.map(ofTrace)).size).toBe(works.length);
  });
});
