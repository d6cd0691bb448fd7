/**
 * The NBD protocol's bytes: every number that both sides must agree on, the layouts as data, and
 * pure functions between messages and bytes. Nothing here waits or does I/O. All integers are
 * big-endian. What the messages mean is the NBD project's `doc/proto.md`.
 *
 * A cookie (the client's name for a request) is opaque: it is kept as two halves and sent back.
 */

/** The server's greeting: `NBDMAGIC`, `IHAVEOPT`. */
const INIT_MAGIC = [0x4e42444d, 0x41474943] as const;
const OPTION_MAGIC = [0x49484156, 0x454f5054] as const;
const OPTION_REPLY_MAGIC = [0x0003e889, 0x045565a9] as const;
const REQUEST_MAGIC = 0x25609513;
const SIMPLE_REPLY_MAGIC = 0x67446698;
const CHUNK_MAGIC = 0x668e33ef;

/** Bits of the handshake, the same for both sides. */
export const handshakeFlag = { fixedNewstyle: 1, noZeroes: 2 } as const;

/** What an export can do. */
export const exportFlag = {
  hasFlags: 1,
  readOnly: 2,
  sendFlush: 4,
  sendFua: 8,
  sendTrim: 32,
  sendWriteZeroes: 64,
  sendDf: 128,
  canMultiConn: 256,
  sendCache: 1024,
  sendFastZero: 2048,
} as const;

export const option = {
  exportName: 1,
  abort: 2,
  list: 3,
  startTls: 5,
  info: 6,
  go: 7,
  structuredReply: 8,
  listMetaContext: 9,
  setMetaContext: 10,
} as const;

export const optionReply = {
  ack: 1,
  server: 2,
  info: 3,
  metaContext: 4,
  unsupported: 0x80000001,
  policy: 0x80000002,
  invalid: 0x80000003,
  tlsRequired: 0x80000005,
  unknown: 0x80000006,
  shutdown: 0x80000007,
  tooBig: 0x80000009,
} as const;

export const information = { export: 0, name: 1, description: 2, blockSize: 3 } as const;

export const command = {
  read: 0,
  write: 1,
  disconnect: 2,
  flush: 3,
  trim: 4,
  cache: 5,
  writeZeroes: 6,
  blockStatus: 7,
} as const;

export const commandFlag = { fua: 1, noHole: 2, df: 4, reqOne: 8, fastZero: 16 } as const;

const chunkType = { none: 0, data: 1, hole: 2, blockStatus: 5, error: 0x8001 } as const;
const CHUNK_DONE = 1;

/** The only error values that the protocol knows. */
export const errno = {
  EPERM: 1,
  EIO: 5,
  ENOMEM: 12,
  EINVAL: 22,
  ENOSPC: 28,
  EOVERFLOW: 75,
  ENOTSUP: 95,
  ESHUTDOWN: 108,
} as const;
export type Errno = (typeof errno)[keyof typeof errno];

/** The longest string, and so the longest name or error message. */
export const MAX_STRING = 4096;

interface Layout<K extends string> {
  readonly size: number;
  /** Where each field begins. */
  readonly at: Readonly<Record<K, number>>;
}

/** Fields laid end to end, each with its width in bytes. */
function layout<K extends string>(widths: Record<K, number>): Layout<K> {
  let size = 0;
  const at: Partial<Record<K, number>> = {};
  for (const name of Object.keys(widths) as K[]) {
    at[name] = size;
    size += widths[name];
  }
  return { size, at: at as Record<K, number> };
}

const greetingLayout = layout({ init: 8, options: 8, flags: 2 });
const optionLayout = layout({ magic: 8, option: 4, length: 4 });
const optionReplyLayout = layout({ magic: 8, option: 4, type: 4, length: 4 });
const exportLayout = layout({ size: 8, flags: 2 });
const blockSizeLayout = layout({ minimum: 4, preferred: 4, maximum: 4 });
const requestLayout = layout({ magic: 4, flags: 2, type: 2, cookie: 8, offset: 8, length: 4 });
const simpleReplyLayout = layout({ magic: 4, error: 4, cookie: 8 });
const chunkLayout = layout({ magic: 4, flags: 2, type: 2, cookie: 8, length: 4 });

export const CLIENT_FLAGS_BYTES = 4;
export const OPTION_BYTES: number = optionLayout.size;
export const REQUEST_BYTES: number = requestLayout.size;
/** Reserved zeroes after the answer to `EXPORT_NAME`, unless the client asked for none. */
const EXPORT_NAME_ZEROES = 124;

export interface Cookie {
  readonly high: number;
  readonly low: number;
}

export interface Request {
  flags: number;
  type: number;
  cookie: Cookie;
  /** Exact up to 2^53, and beyond it larger than any export. */
  offset: number;
  length: number;
}

export interface OptionHeader {
  option: number;
  length: number;
}

function setPair(target: Buffer, at: number, [high, low]: readonly [number, number]): void {
  target.writeUInt32BE(high, at);
  target.writeUInt32BE(low, at + 4);
}

function hasPair(source: Buffer, at: number, [high, low]: readonly [number, number]): boolean {
  return source.readUInt32BE(at) === high && source.readUInt32BE(at + 4) === low;
}

function setU64(target: Buffer, at: number, value: number): void {
  setPair(target, at, [Math.floor(value / 2 ** 32), value % 2 ** 32]);
}

export function greeting(flags: number): Buffer {
  const { size, at } = greetingLayout;
  const bytes = Buffer.alloc(size);
  setPair(bytes, at.init, INIT_MAGIC);
  setPair(bytes, at.options, OPTION_MAGIC);
  bytes.writeUInt16BE(flags, at.flags);
  return bytes;
}

/** Nothing when the magic number is wrong. */
export function readOptionHeader(bytes: Buffer): OptionHeader | undefined {
  const { at } = optionLayout;
  if (!hasPair(bytes, at.magic, OPTION_MAGIC)) return undefined;
  return { option: bytes.readUInt32BE(at.option), length: bytes.readUInt32BE(at.length) };
}

export function optionReplyMessage(to: number, type: number, ...data: Buffer[]): Buffer {
  const { size, at } = optionReplyLayout;
  const header = Buffer.alloc(size);
  setPair(header, at.magic, OPTION_REPLY_MAGIC);
  header.writeUInt32BE(to, at.option);
  header.writeUInt32BE(type, at.type);
  const length = data.reduce((sum, part) => sum + part.length, 0);
  header.writeUInt32BE(length, at.length);
  return Buffer.concat([header, ...data]);
}

export function exportInformation(size: number, flags: number): Buffer {
  const bytes = Buffer.alloc(exportLayout.size);
  setU64(bytes, exportLayout.at.size, size);
  bytes.writeUInt16BE(flags, exportLayout.at.flags);
  return bytes;
}

/** The answer to `EXPORT_NAME`. */
export function exportNameReply(size: number, flags: number, zeroes: boolean): Buffer {
  const padding = Buffer.alloc(zeroes ? EXPORT_NAME_ZEROES : 0);
  return Buffer.concat([exportInformation(size, flags), padding]);
}

export function blockSizeInformation(sizes: {
  minimum: number;
  preferred: number;
  maximum: number;
}): Buffer {
  const { size, at } = blockSizeLayout;
  const bytes = Buffer.alloc(size);
  for (const name of ["minimum", "preferred", "maximum"] as const) {
    bytes.writeUInt32BE(sizes[name], at[name]);
  }
  return bytes;
}

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** The request whose header begins at `from`; nothing when the magic number is wrong. */
export function readRequest(bytes: Buffer, from = 0): Request | undefined {
  const { at } = requestLayout;
  if (bytes.readUInt32BE(from + at.magic) !== REQUEST_MAGIC) return undefined;
  const high = bytes.readUInt32BE(from + at.cookie);
  const low = bytes.readUInt32BE(from + at.cookie + 4);
  const offset = from + at.offset;
  return {
    flags: bytes.readUInt16BE(from + at.flags),
    type: bytes.readUInt16BE(from + at.type),
    cookie: { high, low },
    offset: bytes.readUInt32BE(offset) * 2 ** 32 + bytes.readUInt32BE(offset + 4),
    length: bytes.readUInt32BE(from + at.length),
  };
}

/** Bytes of a simple reply without data. */
export const SIMPLE_REPLY_BYTES: number = simpleReplyLayout.size;

/** Writes a simple reply, or what stands before its data, to `at`. */
export function putSimpleReply(bytes: Buffer, from: number, cookie: Cookie, error: number): void {
  const { at } = simpleReplyLayout;
  bytes.writeUInt32BE(SIMPLE_REPLY_MAGIC, from + at.magic);
  bytes.writeUInt32BE(error, from + at.error);
  bytes.writeUInt32BE(cookie.high, from + at.cookie);
  bytes.writeUInt32BE(cookie.low, from + at.cookie + 4);
}

export function simpleReply(cookie: Cookie, error: number): Buffer {
  const bytes = Buffer.allocUnsafe(SIMPLE_REPLY_BYTES);
  putSimpleReply(bytes, 0, cookie, error);
  return bytes;
}

interface ChunkFacts {
  cookie: Cookie;
  type: number;
  done: boolean;
  /** Bytes of its payload. */
  length: number;
}

function putChunk(bytes: Buffer, from: number, { cookie, type, done, length }: ChunkFacts): void {
  const { at } = chunkLayout;
  bytes.writeUInt32BE(CHUNK_MAGIC, from + at.magic);
  bytes.writeUInt16BE(done ? CHUNK_DONE : 0, from + at.flags);
  bytes.writeUInt16BE(type, from + at.type);
  bytes.writeUInt32BE(cookie.high, from + at.cookie);
  bytes.writeUInt32BE(cookie.low, from + at.cookie + 4);
  bytes.writeUInt32BE(length, from + at.length);
}

/** A chunk's header with room for its payload. */
function chunk(cookie: Cookie, type: number, done: boolean, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(chunkLayout.size + length);
  putChunk(bytes, 0, { cookie, type, done, length });
  return bytes;
}

/** Bytes of a chunk without a payload. */
export const DONE_CHUNK_BYTES: number = chunkLayout.size;

/** Writes a {@link doneChunk} to `at`. */
export function putDoneChunk(bytes: Buffer, at: number, cookie: Cookie): void {
  putChunk(bytes, at, { cookie, type: chunkType.none, done: true, length: 0 });
}

/** Success without content; always the last chunk. */
export function doneChunk(cookie: Cookie): Buffer {
  return chunk(cookie, chunkType.none, true, 0);
}

/** Bytes of what stands before the data in a chunk. */
export const DATA_CHUNK_BYTES: number = chunkLayout.size + 8;

/** What a chunk of data says of it. */
interface DataFacts {
  cookie: Cookie;
  offset: number;
  length: number;
  done: boolean;
}

/** Writes what stands before `length` bytes of data to `at`. */
export function putDataChunk(
  bytes: Buffer,
  at: number,
  { cookie, offset, length, done }: DataFacts,
): void {
  putChunk(bytes, at, { cookie, type: chunkType.data, done, length: 8 + length });
  setU64(bytes, at + chunkLayout.size, offset);
}

/** What stands before `length` bytes of data. */
export function dataChunkHeader(
  cookie: Cookie,
  offset: number,
  length: number,
  done: boolean,
): Buffer {
  const bytes = Buffer.allocUnsafe(DATA_CHUNK_BYTES);
  putDataChunk(bytes, 0, { cookie, offset, length, done });
  return bytes;
}

export function holeChunk(cookie: Cookie, offset: number, length: number, done: boolean): Buffer {
  const bytes = chunk(cookie, chunkType.hole, done, 12);
  setU64(bytes, chunkLayout.size, offset);
  bytes.writeUInt32BE(length, chunkLayout.size + 8);
  return bytes;
}

export function errorChunk(cookie: Cookie, error: Errno, message: string): Buffer {
  const text = Buffer.from(message).subarray(0, MAX_STRING);
  const bytes = chunk(cookie, chunkType.error, true, 6 + text.length);
  bytes.writeUInt32BE(error, chunkLayout.size);
  bytes.writeUInt16BE(text.length, chunkLayout.size + 4);
  text.copy(bytes, chunkLayout.size + 6);
  return bytes;
}

/** One run of bytes in the same state. */
export interface Descriptor {
  length: number;
  flags: number;
}

export function blockStatusChunk(
  cookie: Cookie,
  context: number,
  descriptors: readonly Descriptor[],
  done: boolean,
): Buffer {
  const bytes = chunk(cookie, chunkType.blockStatus, done, 4 + 8 * descriptors.length);
  let at = bytes.writeUInt32BE(context, chunkLayout.size);
  for (const { length, flags } of descriptors) {
    at = bytes.writeUInt32BE(length, at);
    at = bytes.writeUInt32BE(flags, at);
  }
  return bytes;
}
