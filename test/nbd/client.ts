/**
 * A small NBD client for tests, written from the protocol's document and not from the server's code,
 * so that both must agree with the document to agree with each other. It says exactly what it is
 * told to, right or wrong, and shows exactly what comes back.
 */
import type { Duplex } from "node:stream";

export const opt = {
  exportName: 1,
  abort: 2,
  list: 3,
  startTls: 5,
  info: 6,
  go: 7,
  structured: 8,
  listMeta: 9,
  setMeta: 10,
  extendedHeaders: 11,
} as const;

export const rep = {
  ack: 1,
  server: 2,
  info: 3,
  meta: 4,
  unsupported: 0x80000001,
  policy: 0x80000002,
  invalid: 0x80000003,
  tlsRequired: 0x80000005,
  unknown: 0x80000006,
  shutdown: 0x80000007,
  tooBig: 0x80000009,
} as const;

export const cmd = {
  read: 0,
  write: 1,
  disc: 2,
  flush: 3,
  trim: 4,
  cache: 5,
  zeroes: 6,
  status: 7,
} as const;

export const flag = { fua: 1, noHole: 2, df: 4, reqOne: 8, fastZero: 16 } as const;

export interface OptionReply {
  type: number;
  data: Buffer;
}

export interface Chunk {
  type: number;
  done: boolean;
  payload: Buffer;
}

/** A reply to a request, put together. */
export interface Answer {
  error: number;
  message: string;
  chunks: Chunk[];
  data: Buffer;
  simple: boolean;
}

export interface RequestFields {
  type: number;
  offset?: number | bigint;
  length?: number;
  flags?: number;
  data?: Uint8Array;
}

export class Client {
  readonly stream: Duplex;
  structured = false;
  #buffer = Buffer.alloc(0);
  #ended = false;
  #wake: () => void = () => undefined;
  #nextCookie = 1n;
  readonly #answers = new Map<bigint, { request: RequestFields; resolve: (a: Answer) => void }>();
  readonly #partial = new Map<bigint, Chunk[]>();

  constructor(stream: Duplex) {
    this.stream = stream;
    stream.on("data", (chunk: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk]);
      this.#wake();
    });
    for (const event of ["end", "close", "error"]) {
      stream.on(event, () => {
        this.#ended = true;
        this.#wake();
      });
    }
  }

  /** Exactly so many bytes, or an error when the server hangs up before. */
  async take(count: number): Promise<Buffer> {
    while (this.#buffer.length < count) {
      if (this.#ended) throw new Error(`hung up with ${this.#buffer.length} of ${count} bytes`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const taken = this.#buffer.subarray(0, count);
    this.#buffer = this.#buffer.subarray(count);
    return taken;
  }

  /** Resolves with what is left when the server has hung up. */
  async hangUp(): Promise<Buffer> {
    while (!this.#ended)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return this.#buffer;
  }

  send(...parts: Uint8Array[]): void {
    this.stream.write(Buffer.concat(parts));
  }

  /** Takes the greeting, answers with flags, and returns the server's. */
  async greet(flags = 3): Promise<number> {
    const greeting = await this.take(18);
    if (greeting.toString("latin1", 0, 16) !== "NBDMAGICIHAVEOPT") throw new Error("no greeting");
    this.send(u32(flags));
    return greeting.readUInt16BE(16);
  }

  sendOption(option: number, data: Uint8Array = Buffer.alloc(0)): void {
    this.send(Buffer.from("IHAVEOPT"), u32(option), u32(data.length), data);
  }

  /** Sends an option and returns the replies up to the final one. */
  async option(option: number, data: Uint8Array = Buffer.alloc(0)): Promise<OptionReply[]> {
    this.sendOption(option, data);
    const replies: OptionReply[] = [];
    for (;;) {
      const header = await this.take(20);
      if (header.readBigUInt64BE() !== 0x3e889045565a9n) throw new Error("no option reply");
      if (header.readUInt32BE(8) !== option) throw new Error("a reply to another option");
      const reply = {
        type: header.readUInt32BE(12),
        data: await this.take(header.readUInt32BE(16)),
      };
      replies.push(reply);
      if (reply.type === 1 || reply.type >= 2 ** 31) return replies;
    }
  }

  /** The whole handshake; returns what was selected. */
  async go(
    name: string,
    options: { structured?: boolean; contexts?: string[] } = {},
  ): Promise<void> {
    const { structured = true, contexts = [] } = options;
    await this.greet();
    if (structured) expectAck(await this.option(opt.structured));
    if (contexts.length > 0) expectAck(await this.option(opt.setMeta, metaQuery(name, contexts)));
    expectAck(await this.option(opt.go, exportQuery(name)));
    this.transmit(structured);
  }

  /** The handshake is over: what comes from now on are replies to requests. */
  transmit(structured: boolean): void {
    this.structured = structured;
    this.#receive().catch(() => {
      for (const { resolve } of this.#answers.values()) {
        resolve({
          error: -1,
          message: "hung up",
          chunks: [],
          data: Buffer.alloc(0),
          simple: false,
        });
      }
    });
  }

  async request(request: RequestFields): Promise<Answer> {
    const cookie = this.#nextCookie++;
    const answer = new Promise<Answer>((resolve) => {
      this.#answers.set(cookie, { request, resolve });
    });
    this.send(requestHeader(cookie, request), request.data ?? Buffer.alloc(0));
    return answer;
  }

  async read(offset: number, length: number, flags = 0): Promise<Buffer> {
    return succeeded(await this.request({ type: cmd.read, offset, length, flags })).data;
  }

  async write(offset: number, data: Uint8Array, flags = 0): Promise<void> {
    succeeded(await this.request({ type: cmd.write, offset, length: data.length, flags, data }));
  }

  async do(type: number, offset = 0, length = 0, flags = 0): Promise<void> {
    succeeded(await this.request({ type, offset, length, flags }));
  }

  /** Descriptors of each context, by its id. */
  async status(
    offset: number,
    length: number,
    flags = 0,
  ): Promise<Map<number, [number, number][]>> {
    const { chunks } = succeeded(await this.request({ type: cmd.status, offset, length, flags }));
    const contexts = new Map<number, [number, number][]>();
    for (const { type, payload } of chunks) {
      if (type !== 5) continue;
      const descriptors: [number, number][] = [];
      for (let at = 4; at < payload.length; at += 8) {
        descriptors.push([payload.readUInt32BE(at), payload.readUInt32BE(at + 4)]);
      }
      contexts.set(payload.readUInt32BE(0), descriptors);
    }
    return contexts;
  }

  async #receive(): Promise<void> {
    for (;;) {
      const magic = (await this.take(4)).readUInt32BE();
      if (magic === 0x67446698) await this.#simple();
      else if (magic === 0x668e33ef) await this.#chunk();
      else throw new Error(`no reply begins with ${magic.toString(16)}`);
    }
  }

  async #simple(): Promise<void> {
    const rest = await this.take(12);
    const cookie = rest.readBigUInt64BE(4);
    const error = rest.readUInt32BE(0);
    const waiting = this.#answers.get(cookie);
    const isRead = waiting?.request.type === cmd.read;
    const length = isRead && error === 0 ? waiting.request.length! : 0;
    const data = await this.take(length);
    this.#resolve(cookie, { error, message: "", chunks: [], data, simple: true });
  }

  async #chunk(): Promise<void> {
    const rest = await this.take(16);
    const cookie = rest.readBigUInt64BE(4);
    const payload = await this.take(rest.readUInt32BE(12));
    const chunk = { type: rest.readUInt16BE(2), done: rest.readUInt16BE(0) === 1, payload };
    const chunks = [...(this.#partial.get(cookie) ?? []), chunk];
    this.#partial.set(cookie, chunks);
    if (!chunk.done) return;
    this.#partial.delete(cookie);
    const request = this.#answers.get(cookie)?.request;
    const failed = chunks.find(({ type }) => type >= 0x8000)?.payload;
    this.#resolve(cookie, {
      error: failed?.readUInt32BE(0) ?? 0,
      message: failed?.toString("utf8", 6) ?? "",
      chunks,
      data: request ? gather(request, chunks) : Buffer.alloc(0),
      simple: false,
    });
  }

  #resolve(cookie: bigint, answer: Answer): void {
    const waiting = this.#answers.get(cookie);
    if (!waiting) throw new Error(`a reply to ${cookie}, which nobody asked for`);
    this.#answers.delete(cookie);
    waiting.resolve(answer);
  }
}

/** The contents that data and hole chunks make; they must not overlap and must cover everything. */
function gather({ type, offset = 0, length = 0 }: RequestFields, chunks: Chunk[]): Buffer {
  if (type !== cmd.read || chunks.some((chunk) => chunk.type >= 0x8000)) return Buffer.alloc(0);
  const data = Buffer.alloc(length);
  const covered = new Uint8Array(length);
  for (const chunk of chunks) {
    if (chunk.type === 0) continue;
    const at = Number(chunk.payload.readBigUInt64BE()) - Number(offset);
    const isHole = chunk.type === 2;
    const count = isHole ? chunk.payload.readUInt32BE(8) : chunk.payload.length - 8;
    if (at < 0 || at + count > length || count === 0) throw new Error("a chunk out of bounds");
    if (covered.subarray(at, at + count).includes(1)) throw new Error("chunks overlap");
    covered.fill(1, at, at + count);
    if (!isHole) chunk.payload.copy(data, at, 8);
  }
  if (covered.includes(0)) throw new Error("chunks do not cover the request");
  return data;
}

export function requestHeader(cookie: bigint, request: RequestFields): Buffer {
  const { flags = 0, type, offset = 0, length = 0 } = request;
  const header = Buffer.alloc(28);
  header.writeUInt32BE(0x25609513, 0);
  header.writeUInt16BE(flags, 4);
  header.writeUInt16BE(type, 6);
  header.writeBigUInt64BE(cookie, 8);
  header.writeBigUInt64BE(BigInt(offset), 16);
  header.writeUInt32BE(length, 24);
  return header;
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

function text(value: string): Buffer {
  return Buffer.concat([u32(Buffer.byteLength(value)), Buffer.from(value)]);
}

export function exportQuery(name: string, information: number[] = []): Buffer {
  return Buffer.concat([text(name), u16(information.length), ...information.map(u16)]);
}

export function metaQuery(name: string, queries: string[]): Buffer {
  return Buffer.concat([text(name), u32(queries.length), ...queries.map(text)]);
}

export function expectAck(replies: OptionReply[]): void {
  const last = replies.at(-1)!;
  if (last.type !== 1)
    throw new Error(`refused: ${last.type.toString(16)} ${last.data.toString()}`);
}

export function succeeded(answer: Answer): Answer {
  if (answer.error !== 0) throw new Error(`error ${answer.error}: ${answer.message}`);
  return answer;
}
