/** FORMAT.md says what the code does, field by field; and the tests of that can fail. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ByteWriter } from "../../src/format/byte-writer.ts";
import { encodeKey } from "../../src/format/checkpoint-key.ts";
import { CLOSING_VERSION, encodeClosing } from "../../src/format/closing-record.ts";
import { encodeFileHeader, encodeFrame, writeCommit } from "../../src/format/journal-frame.ts";
import { encodeNode, newBranch, newLeaf } from "../../src/format/map-node.ts";
import { type JournalRecord, writeRecord } from "../../src/format/records.ts";
import { seal } from "../../src/format/sealed-value.ts";
import { encodeSegmentRecord, newSegmentRecord } from "../../src/format/segment-record.ts";
import { encodeDataLabel, encodeSuperblock, FORMAT_VERSION } from "../../src/format/superblock.ts";
import { blockChecksums } from "../../src/base/checksum.ts";
import {
  codeFindings,
  fenced,
  formatExports,
  layoutFindings,
  layouts,
  limitFindings,
  structsIn,
  tables,
} from "./document.ts";

const document = readFileSync(new URL("../../FORMAT.md", import.meta.url), "utf8");
const exported = await formatExports();
const structs = structsIn(exported);

const findings = (text: string): string[] => [
  ...layoutFindings(text, structs),
  ...codeFindings(text),
  ...limitFindings(text, exported),
];

/** The example of the document: the first frame of a store. */
function exampleFrame(): Buffer {
  const storeId = Uint8Array.of(0x6f, 0x9a, 0x1c, 0x2e, 0x4b, 0x7d, 0x48, 0x03);
  const created = Date.parse("2023-11-14T22:13:20Z");
  const checksums = blockChecksums(new Uint8Array(4096), 4096);
  const writer = new ByteWriter();
  writeCommit(writer, [{ type: "create", subvolume: 1, size: 65_536, created, name: "disk" }]);
  writeCommit(writer, [{ type: "remap", subvolume: 1, vblock: 2, pblock: 0, count: 1, checksums }]);
  const facts = { firstLsn: 1, durableLsn: 0, commits: 2, previous: 0, storeId };
  const { chunks } = encodeFrame(facts, writer.view(), [], 512);
  return Buffer.concat(chunks);
}

/** Bytes as `hexdump -C` shows them, without offsets beyond two digits. */
function hexdump(bytes: Buffer): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const line = bytes.subarray(at, at + 16);
    const pairs = [...line].map((byte) => byte.toString(16).padStart(2, "0"));
    const hex = `${pairs.slice(0, 8).join(" ")}  ${pairs.slice(8).join(" ")}`;
    const text = line.toString("latin1").replaceAll(/[^ -~]/g, ".");
    lines.push(`${at.toString(16).padStart(2, "0")}  ${hex}  |${text}|`);
  }
  return lines.join("\n");
}

/** The rows of the table with this caption, by field. */
function rowsOf(name: string): Map<string, Record<string, string>> {
  const layout = layouts(document).find((each) => each.name === name)!;
  return new Map(layout.rows.map((row) => [row["field"]!.replaceAll("_", ""), row]));
}

/** The value of a size like `8 + 6 n` or `refsWidth × b`. */
function evaluate(formula: string, values: Record<string, number>): number {
  return formula
    .replace(/ceil\((\w+) \/ 8\)/, (_, name: string) => String(Math.ceil(values[name]! / 8)))
    .split(" + ")
    .map((term) => term.split(/ × | /).map((factor) => values[factor] ?? Number(factor)))
    .reduce((sum, factors) => sum + factors.reduce((product, factor) => product * factor, 1), 0);
}

describe("FORMAT.md", () => {
  it("has a table for every structure, and every field stands where the code puts it", () => {
    expect(structs.length).toBeGreaterThan(14);
    expect(layoutFindings(document, structs)).toEqual([]);
  });

  it("lists every kind of value and every code of a record", () => {
    expect(codeFindings(document)).toEqual([]);
  });

  it("states the limits that the code has", () => {
    expect(limitFindings(document, exported)).toEqual([]);
  });

  it("is found out when any number in one of these tables is changed", () => {
    const lines = document.split("\n");
    let changes = 0;
    lines.forEach((line, i) => {
      const numbers =
        /^\| (\d+) +\| (\d+) +\|/.exec(line) ?? /^\| ([A-Z_\d]+ +\| )?(\d+) +\|/.exec(line);
      if (!numbers) return;
      const last = numbers[0].lastIndexOf(numbers[2] ?? numbers[1]!);
      const digit = line.charCodeAt(last) === 57 ? "8" : String(Number(line[last]) + 1);
      const changed = lines.with(i, line.slice(0, last) + digit + line.slice(last + 1));
      expect(findings(changed.join("\n")), `changed: ${line}`).not.toEqual([]);
      changes++;
    });
    expect(changes).toBeGreaterThan(130);
  });

  it("is found out when a row is gone, a name is wrong, or a table is missing", () => {
    const gone = document.replace(/\n\| 12 +\| 4 +\| checksum .*/, "");
    expect(findings(gone)).toContain("superblock.sequence: not at 12");
    const renamed = document.replace("| durableLsn ", "| durable    ");
    expect(findings(renamed)[0]).toMatch(
      /^journal frame header: the document says 24 \+ 8: durable,/,
    );
    const missing = document.replace("**state value**", "**status value**");
    expect(findings(missing)).toEqual([
      "state value: has 0 tables",
      "status value: is not written",
    ]);
    const code = document.replace(/\n\| 11 +\| reclaim .*/, "");
    expect(findings(code)).toEqual(["record reclaim = 11: missing"]);
    const kind = document.replace(/\n\| 7 +\| busy .*/, "");
    expect(findings(kind)).toEqual(["kind busy = 7: missing"]);
    const limit = document.replace(/\n\| MAX_ID .*/, "");
    expect(findings(limit)).toEqual(["MAX_ID: missing"]);
  });

  it("shows a frame as it is written", () => {
    const frame = exampleFrame();
    const length = frame.readUInt32LE(8);
    expect(fenced(document, "hexdump")).toBe(hexdump(frame.subarray(0, length)));
    expect(frame.length).toBe(512);
    expect(frame.subarray(length).every((byte) => byte === 0)).toBe(true);
  });
});

describe("what FORMAT.md says in words", () => {
  it("of the first bytes of each structure", () => {
    const uuid = new Uint8Array(16);
    const storeId = new Uint8Array(8);
    const superblock = encodeSuperblock({
      sequence: 1,
      uuid,
      compatibleFeatures: 0,
      readOnlyFeatures: 0,
      requiredFeatures: 0,
      blockSize: 512,
      segmentBlocks: 8,
      nodeSize: 512,
      capacityBlocks: 64,
      dataOffset: 512,
      journalAlignment: 512,
      created: 0,
    });
    const facts = { firstLsn: 1, durableLsn: 0, commits: 1, previous: 0, storeId };
    const begins: Record<string, Uint8Array> = {
      superblock,
      "data label": encodeDataLabel(uuid),
      "journal file header": encodeFileHeader({ ...facts, sequence: 1, blocks: 4 }, 512),
      "journal frame header": encodeFrame(facts, new Uint8Array(8), [], 512).chunks[0]!,
      "closing record": encodeClosing({ epoch: 1, lsn: 0, count: 0, digest: 0, storeId }),
    };
    for (const layout of layouts(document)) {
      const magic = layout.rows.find((row) => row["field"] === "magic");
      const first = begins[layout.name];
      expect(first !== undefined, `magic of ${layout.name}`).toBe(magic !== undefined);
      const text = /`(\w+)`/.exec(magic?.["meaning"] ?? "``")?.[1] ?? "";
      expect(Buffer.from(first ?? []).toString("latin1", 0, text.length)).toBe(text);
      const number = /0x(\w+)/.exec(magic?.["meaning"] ?? "")?.[1];
      const reversed = Buffer.from(first?.subarray(0, 4) ?? []).toReversed();
      expect([undefined, Buffer.from(reversed).toString("hex").toUpperCase()]).toContain(number);
    }
  });

  it("of the version of each structure that has one", () => {
    const versions = layouts(document).flatMap(({ name, rows }) =>
      rows.filter((row) => row["field"] === "version").map((row) => [name, row["meaning"]]),
    );
    expect(versions).toEqual([
      ["superblock", `format version: ${FORMAT_VERSION}`],
      ["closing record", `of the checkpoint: ${CLOSING_VERSION}`],
    ]);
    expect(document).toContain(`in format version ${FORMAT_VERSION}.`);
    expect(document).toContain(`Version ${FORMAT_VERSION} knows no feature`);
    expect(document).toContain(`\n- **${FORMAT_VERSION}** (`);
  });

  it("of the structure of each record", () => {
    const name = "name";
    const samples: JournalRecord[] = [
      { type: "remap", subvolume: 1, vblock: 1, pblock: 1, count: 9, checksums: null },
      {
        type: "convert",
        subvolume: 1,
        vblock: 1,
        pblock: 1,
        count: 3,
        checksums: new Uint32Array(3),
      },
      { type: "unmap", subvolume: 1, vblock: 1, count: 1 },
      { type: "create", subvolume: 1, size: 1, created: 1, name },
      { type: "snapshot", source: 1, subvolume: 2, created: 1, name },
      { type: "clone", source: 1, subvolume: 2, created: 1, name },
      { type: "rollback", subvolume: 1, source: 1 },
      { type: "rename", subvolume: 1, name },
      { type: "delete", subvolume: 1 },
      { type: "resize", subvolume: 1, size: 1 },
      { type: "reclaim", nodes: 1 },
      { type: "relocate", from: 1, to: 2, count: 1 },
    ];
    const [rows = []] = tables(document, "code", "record", "structure");
    const documented = rows.map((row) => {
      const sample = samples.find(({ type }) => type === row["record"])!;
      const used = "name" in sample ? name.length : sample.type === "convert" ? 3 * 4 : 0;
      const { size } = structs.find((struct) => struct.name === row["structure"])!;
      return [row["record"], size + used];
    });
    const written = samples.map((sample) => {
      const writer = new ByteWriter();
      writeRecord(writer, sample);
      return [sample.type, writer.length];
    });
    expect(documented).toEqual(written);
  });

  it("of keys and seals", () => {
    const key = Buffer.from(encodeKey(7, 0x0102030405));
    const { offset, size } = rowsOf("checkpoint key").get("id") as { offset: string; size: string };
    expect(key.readUIntBE(Number(offset), Number(size))).toBe(0x0102030405);
    expect([key[0], key[1]]).toEqual([7, 0]);
    const body = new Uint8Array(10);
    expect(seal(7, 1, body)).toHaveLength(evaluate("n + 4", { n: body.length }));
  });

  it("of the columns of map nodes", () => {
    const leaf = newLeaf(4);
    leaf.count = 3;
    const branch = newBranch(1, 4);
    branch.count = 3;
    for (let i = 0; i < 3; i++) {
      leaf.vblocks[i] = 0x1000 + 16 * i;
      leaf.pblocks[i] = 0x2000 + i;
      leaf.lengths[i] = 0x8001 + i;
      branch.keys[i] = 0x3000 + i;
      branch.children[i] = 0x4000 + i;
    }
    const columns = (name: string, bytes: Uint8Array, ...fields: string[]): number[] =>
      fields.map((field) => {
        const row = rowsOf(name).get(field)!;
        const size = evaluate(row["size"]!, { n: 3 }) / 3;
        return Buffer.from(bytes).readUIntLE(evaluate(row["offset"]!, { n: 3 }) + size, size);
      });
    const [one, other] = [encodeNode(leaf), encodeNode(branch)];
    expect(columns("map leaf", one, "vblocks", "pblocks", "lengths")).toEqual([
      0x1010, 0x2001, 0x8002,
    ]);
    expect(columns("map branch", other, "keys", "children")).toEqual([0x3001, 0x4001]);
    const size = layouts(document).find(({ name }) => name === "map leaf")!.size;
    expect([one.length, other.length]).toEqual([evaluate(size, { n: 3 }), 8 + 12 * 3]);
  });

  it("of the columns of a segment record", () => {
    const record = newSegmentRecord(9);
    for (const i of [1, 8]) {
      record.refs.set(i, 300 + i);
      record.checksums[i] = 0xabc0 + i;
      record.written[i] = 1;
      record.families.set(i, 50 + i);
      record.vblocks.set(i, 1000 + i * 70_000);
    }
    const bytes = Buffer.from(encodeSegmentRecord(record));
    const [rows = []] = tables(document, "column", "bytes");
    const values = { b: 9, f: 2, refsWidth: 2, vblockWidth: 3, familyWidth: 1 };
    let at = structs.find(({ name }) => name === "segment record header")!.size;
    const places = new Map<string, number>();
    for (const row of rows) {
      places.set(row["column"]!.replaceAll("_", ""), at);
      at += evaluate(row["bytes"]!, values);
    }
    expect(at).toBe(bytes.length);
    const read = (column: string, index: number, width: number): number =>
      bytes.readUIntLE(places.get(column)! + index * width, width);
    expect([read("family ids", 0, 4), read("family ids", 1, 4)]).toEqual([51, 58]);
    expect([read("written", 0, 1), read("written", 1, 1)]).toEqual([0b10, 0b1]);
    expect([read("checksums", 1, 4), read("checksums", 8, 4)]).toEqual([0xabc1, 0xabc8]);
    expect([read("refs", 1, 2), read("refs", 8, 2)]).toEqual([301, 308]);
    expect([read("vblocks", 1, 3), read("vblocks", 8, 3)]).toEqual([0, 490_000]);
    expect([read("families", 1, 1), read("families", 8, 1)]).toEqual([0, 1]);
  });
});
