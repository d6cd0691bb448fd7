/**
 * P3: a journal file that somebody has filled with what looks like frames is searched in bounded
 * work, and frames that a crash has cut short are no reason to give a search up.
 */
import { describe, expect, it } from "vitest";
import { encodeFrame, frameHeaderStruct, MAX_FRAME_BYTES } from "../../src/format/journal-frame.ts";
import { findFrame, type FrameSpace, SearchBudget } from "../../src/journal/frame-reader.ts";

const MiB = 2 ** 20;
const alignment = 4096;
const storeId = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const identity = { alignment, storeId };

/** A file with a frame header at every place that claims all the rest, and no frame. */
function hostile(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += alignment) writeHeader(bytes, at, size - at);
  return bytes;
}

function writeHeader(bytes: Uint8Array, at: number, length: number): void {
  const counts = { flags: 0, firstLsn: 9, durableLsn: 8, commits: 1, commitsLength: 8 };
  const header = { magic: 0x464a5342, checksum: 0, length, ...counts, previous: 0, storeId };
  frameHeaderStruct.write(bytes, at, header);
}

function soundFrame(): Uint8Array {
  const commits = { firstLsn: 3, commits: 1, durableLsn: 2, previous: 0 };
  const frame = encodeFrame({ ...commits, storeId }, new Uint8Array(8), [], alignment);
  return Buffer.concat(frame.chunks);
}

function spaceOf(bytes: Uint8Array): FrameSpace & { bytesRead: number } {
  const space = {
    size: bytes.length,
    bytesRead: 0,
    async read(target: Uint8Array, offset: number) {
      space.bytesRead += target.length;
      target.set(bytes.subarray(offset, offset + target.length));
    },
  };
  return space;
}

describe("the search for a frame", () => {
  it("P3: gives up where nearly everything looks like a frame and is none", async () => {
    const space = spaceOf(hostile(16 * MiB));
    const search = findFrame(space, 0, identity, () => true, new SearchBudget());
    await expect(search).rejects.toMatchObject({ code: "ECORRUPT" });
    expect(space.bytesRead).toBeLessThan(6 * MAX_FRAME_BYTES);
  });

  it("P3: spends one budget on all files", async () => {
    const budget = new SearchBudget();
    const spaces: ReturnType<typeof spaceOf>[] = [];
    const searchAll = async (): Promise<void> => {
      for (let file = 0; file < 1000; file++) {
        const space = spaceOf(hostile(MiB));
        spaces.push(space);
        await findFrame(space, 0, identity, () => true, budget);
      }
    };
    await expect(searchAll()).rejects.toMatchObject({ code: "ECORRUPT" });
    const spent = spaces.reduce((sum, { bytesRead }) => sum + bytesRead, 0);
    expect(spent).toBeLessThan(6 * MAX_FRAME_BYTES);
  });

  it("finds a sound frame behind some that are cut short", async () => {
    const bytes = new Uint8Array(4 * MiB);
    for (let i = 0; i < 20; i++) writeHeader(bytes, i * alignment, MiB);
    bytes.set(soundFrame(), 3 * MiB);
    const found = await findFrame(spaceOf(bytes), 0, identity, () => true, new SearchBudget());
    expect(found).toMatchObject({ position: 3 * MiB, frame: { header: { firstLsn: 3 } } });
  });
});
