/**
 * The undo file of a repair in place: everything that the repair writes over, as it was before.
 *
 * It is complete and durable before the first byte of the store is changed. While the store is in
 * pieces its superblock goes by another name, so nobody can open it; the rename back is the last
 * step. So, whenever a repair is killed:
 *
 *  - the superblock has its name, and there is no undo file: nothing has happened;
 *  - the superblock is away: the undo file is whole, and rolls everything back;
 *  - the superblock has its name, and there is an undo file: the repair is done, and can be undone
 *    for as long as nothing was written to the store since.
 */
import { crc32 } from "../base/checksum.ts";
import { BlockspaceError } from "../base/errors.ts";
import type { Device } from "../device/device.ts";
import { ByteReader } from "../format/byte-reader.ts";
import { ByteWriter } from "../format/byte-writer.ts";
import { struct, type Struct } from "../format/struct.ts";
import { journalDirectory } from "../host/store.ts";
import { isJournalFileName, journalFileName } from "../journal/files.ts";
import { reasonOf } from "./findings.ts";
import { readWhole, type StoreAccess, writeWhole } from "./store-access.ts";
import { SUPERBLOCK, SUPERBLOCK_AWAY, UNDO, UNDO_DRAFT } from "./store-parts.ts";

const MAGIC = 0x4e554b42;
const VERSION = 1;
/** Where the part begins that the checksum covers. */
const CHECKED_FROM = 12;

/** What a piece of the undo file belongs to. */
const pieceKinds = { superblock: 1, journal: 2, environment: 3, data: 4 } as const;
type PieceKind = (typeof pieceKinds)[keyof typeof pieceKinds];

/** Some bytes as they were; `number` is a journal file's name, 0 or 1 for a or b, or an address. */
export interface Piece {
  kind: PieceKind;
  number: number;
  bytes: Uint8Array;
}

interface PieceHeader {
  kind: number;
  number: number;
  length: number;
}

const pieceStruct: Struct<PieceHeader> = struct("undo piece", {
  kind: "u32",
  reserved: { zero: 4 },
  number: "u64",
  length: "u64",
});

interface UndoHeader {
  magic: number;
  version: number;
  checksum: number;
  pieces: number;
  /** The state that the repair left, to see whether the store was used since. */
  epoch: number;
  lsn: number;
}

const undoStruct: Struct<UndoHeader> = struct("undo file", {
  magic: "u32",
  version: "u32",
  checksum: "u32",
  pieces: "u32",
  epoch: "u64",
  lsn: "u64",
});

/**
 * What a repair writes over: its metadata, and these ranges of the data device. What `unreadable`
 * names in the journal has nothing that could be put back.
 */
export async function collectPieces(
  access: StoreAccess,
  device: Device,
  ranges: readonly { address: number; length: number }[],
  unreadable: ReadonlySet<string> = new Set(),
): Promise<Piece[]> {
  const { directory } = access;
  const pieces: Piece[] = [];
  const superblock = await readWhole(directory, SUPERBLOCK);
  pieces.push({ kind: pieceKinds.superblock, number: 0, bytes: superblock });
  const journal = journalDirectory(access);
  for (const name of await journal.list()) {
    if (!isJournalFileName(name) || unreadable.has(name)) continue;
    const bytes = await readWhole(journal, name);
    pieces.push({ kind: pieceKinds.journal, number: Number(name), bytes });
  }
  for (const [number, name] of (["a", "b"] as const).entries()) {
    const bytes = await access.saveEnvironment(name);
    if (bytes) pieces.push({ kind: pieceKinds.environment, number, bytes });
  }
  for (const { address, length } of ranges) {
    const bytes = new Uint8Array(length);
    await device.read(bytes, address);
    pieces.push({ kind: pieceKinds.data, number: address, bytes });
  }
  return pieces;
}

/** Writes the undo file; it is durable under its name when this resolves. */
export async function writeUndo(
  access: StoreAccess,
  pieces: readonly Piece[],
  left: { epoch: number; lsn: number },
): Promise<void> {
  const writer = new ByteWriter();
  const header = { magic: MAGIC, version: VERSION, checksum: 0, pieces: pieces.length, ...left };
  writer.struct(undoStruct, header);
  for (const { kind, number, bytes } of pieces) {
    writer.struct(pieceStruct, { kind, number, length: bytes.length });
    writer.bytes(bytes);
  }
  const bytes = writer.view();
  undoStruct.write(bytes, 0, { ...header, checksum: crc32(bytes.subarray(CHECKED_FROM)) });
  const { directory } = access;
  try {
    await writeWhole(directory, UNDO_DRAFT, bytes);
  } catch (error) {
    // On a full disk it would only take space that is wanted.
    await directory.remove(UNDO_DRAFT).catch(() => undefined);
    throw error;
  }
  await directory.rename(UNDO_DRAFT, UNDO);
  await directory.sync();
}

export interface UndoFile {
  pieces: Piece[];
  epoch: number;
  lsn: number;
}

/** The undo file of a store, or the reason why there is none. */
export async function readUndo({ directory }: StoreAccess): Promise<UndoFile> {
  const bytes = await readWhole(directory, UNDO);
  const reader = new ByteReader(bytes, "the undo file");
  const header = reader.struct(undoStruct);
  if (header.magic !== MAGIC || header.checksum !== crc32(bytes.subarray(CHECKED_FROM))) {
    throw new BlockspaceError("ECORRUPT", "the undo file is damaged", { path: directory.path });
  }
  if (header.version !== VERSION) {
    throw new BlockspaceError("ENOTSUP", `the undo file has version ${header.version}`);
  }
  const pieces: Piece[] = [];
  const known: ReadonlySet<number> = new Set(Object.values(pieceKinds));
  for (let i = 0; i < header.pieces; i++) {
    const { kind, number, length } = reader.struct(pieceStruct);
    if (!known.has(kind)) throw new BlockspaceError("ECORRUPT", `an undo piece of kind ${kind}`);
    pieces.push({ kind: kind as PieceKind, number, bytes: reader.bytes(length) });
  }
  reader.end();
  return { pieces, epoch: header.epoch, lsn: header.lsn };
}

/** Why a repair that was cut short cannot be rolled back; nothing when it can. */
export async function whyNoWayBack(access: StoreAccess): Promise<string | undefined> {
  try {
    await readUndo(access);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

/** Takes the superblock away, so that nobody opens the store; durable when it resolves. */
export async function takeApart({ directory }: StoreAccess): Promise<void> {
  if (!(await directory.list()).includes(SUPERBLOCK)) return;
  await directory.rename(SUPERBLOCK, SUPERBLOCK_AWAY);
  await directory.sync();
}

/** Puts everything back as the undo file has it; may be cut short and done again. */
export async function rollBack(access: StoreAccess, device: Device): Promise<void> {
  const { pieces } = await readUndo(access);
  const { directory } = access;
  await takeApart(access);
  const of = (kind: PieceKind): Piece[] => pieces.filter((piece) => piece.kind === kind);
  const journal = journalDirectory(access);
  const names = new Map(
    of(pieceKinds.journal).map(({ number, bytes }) => [journalFileName(number), bytes]),
  );
  for (const name of await journal.list()) {
    if (isJournalFileName(name) && !names.has(name)) await journal.remove(name);
  }
  for (const [name, bytes] of names) await writeWhole(journal, name, bytes);
  await journal.sync();
  for (const [number, name] of (["a", "b"] as const).entries()) {
    const piece = of(pieceKinds.environment).find((one) => one.number === number);
    await access.restoreEnvironment(name, piece?.bytes);
  }
  for (const { number, bytes } of of(pieceKinds.data)) await device.write([bytes], number);
  await device.flush();
  const superblock = of(pieceKinds.superblock)[0];
  if (!superblock) throw new BlockspaceError("ECORRUPT", "the undo file has no superblock");
  await writeWhole(directory, SUPERBLOCK_AWAY, superblock.bytes);
  await directory.rename(SUPERBLOCK_AWAY, SUPERBLOCK);
  await directory.sync();
}

/** The undo file is no longer wanted. */
export async function dropUndo({ directory }: StoreAccess): Promise<void> {
  const names = await directory.list();
  for (const name of [UNDO, UNDO_DRAFT]) if (names.includes(name)) await directory.remove(name);
  await directory.sync();
}
