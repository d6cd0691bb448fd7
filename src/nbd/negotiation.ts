/**
 * The fixed newstyle handshake: a greeting, then options until one of them chooses an export. Every
 * option is answered, the unknown ones too, so that both sides stay in step; what cannot be
 * answered ends the connection, as the protocol demands.
 */
import type { Negotiated } from "./check-request.ts";
import type { Export, Exports } from "./exports.ts";
import type { Input } from "./input.ts";
import { MAX_CONTEXTS, MAX_OPTION_BYTES, MAX_OPTIONS, MAX_SKIPPED_BYTES } from "./limits.ts";
import { type Context, listContexts, selectContext } from "./meta-contexts.ts";
import { readExportQuery, readMetaQuery, readString } from "./option-data.ts";
import type { Output } from "./output.ts";
import { ProtocolError } from "./request-error.ts";
import {
  blockSizeInformation,
  CLIENT_FLAGS_BYTES,
  exportFlag,
  exportInformation,
  exportNameReply,
  greeting,
  handshakeFlag,
  information,
  option,
  OPTION_BYTES,
  optionReply,
  optionReplyMessage,
  readOptionHeader,
  u16,
  u32,
} from "./wire.ts";

const OFFERED_FLAGS = handshakeFlag.fixedNewstyle | handshakeFlag.noZeroes;
/** Replies to `LIST` that are sent at once. */
const LISTED_AT_ONCE = 256;

/** Where the bytes come from and go to; another one once TLS has begun. */
export interface Link {
  readonly input: Input;
  readonly output: Output;
  /** TLS is in force. */
  readonly secure: boolean;
}

export interface NegotiationParts {
  exports: Exports;
  /** Begins TLS on a link; nothing when the server has no keys. */
  upgrade: ((link: Link) => Promise<Link>) | undefined;
  /** Nothing is told before TLS is in force. */
  tlsRequired: boolean;
  isDraining: () => boolean;
}

/** How a handshake ended well. */
export interface Agreement extends Negotiated {
  readonly link: Link;
  readonly contexts: readonly Context[];
}

/** Goes on with the next option, or ends with what was agreed, or without (`null`). */
type Step = Agreement | null | undefined;

export class Negotiation {
  readonly #parts: NegotiationParts;
  #link: Link;
  #noZeroes = false;
  #structured = false;
  #selected: { subvolume: number; contexts: Context[] } | undefined;

  constructor(link: Link, parts: NegotiationParts) {
    this.#link = link;
    this.#parts = parts;
  }

  /** Resolves with what was agreed, or with `null` when the client leaves. */
  async run(): Promise<Agreement | null> {
    const { input, output } = this.#link;
    await output.sent(greeting(OFFERED_FLAGS));
    if (!(await input.has(CLIENT_FLAGS_BYTES))) return null;
    const flags = input.take(CLIENT_FLAGS_BYTES).readUInt32BE();
    if ((flags & ~OFFERED_FLAGS) !== 0) throw new ProtocolError(`the client flags are ${flags}`);
    this.#noZeroes = (flags & handshakeFlag.noZeroes) !== 0;
    for (let options = 0; options < MAX_OPTIONS; options++) {
      const step = await this.#next();
      if (step !== undefined) return step;
    }
    throw new ProtocolError(`more than ${MAX_OPTIONS} options in one handshake`);
  }

  async #next(): Promise<Step> {
    const { input } = this.#link;
    if (!(await input.has(OPTION_BYTES))) return null;
    const header = readOptionHeader(input.take(OPTION_BYTES));
    if (!header) throw new ProtocolError("an option does not begin with its magic number");
    if (header.length <= MAX_OPTION_BYTES) {
      if (!(await input.has(header.length))) return null;
      return this.#answer(header.option, input.take(header.length));
    }
    if (header.option === option.exportName || header.length > MAX_SKIPPED_BYTES) {
      throw new ProtocolError(`option ${header.option} announces ${header.length} bytes`);
    }
    if (!(await input.skip(header.length))) return null;
    // It replaces what was selected before, also when it fails.
    if (header.option === option.setMetaContext) this.#selected = undefined;
    await this.#reply(header.option, optionReply.tooBig, "the option's data is too long");
    return undefined;
  }

  async #answer(asked: number, data: Buffer): Promise<Step> {
    if (asked === option.abort) {
      await this.#reply(asked, optionReply.ack);
      return null;
    }
    const refusal = this.#refusal(asked);
    if (refusal) {
      if (asked === option.exportName) throw new ProtocolError(refusal.message);
      await this.#reply(asked, refusal.type, refusal.message);
      return undefined;
    }
    switch (asked) {
      case option.exportName:
        return this.#exportName(data);
      case option.list:
        return this.#list(data);
      case option.startTls:
        return this.#startTls(data);
      case option.info:
      case option.go:
        return this.#infoOrGo(asked, data);
      case option.structuredReply:
        return this.#structuredReply(data);
      case option.listMetaContext:
      case option.setMetaContext:
        return this.#metaContext(asked, data);
      default:
        await this.#reply(asked, optionReply.unsupported, `there is no option ${asked}`);
        return undefined;
    }
  }

  #refusal(asked: number): { type: number; message: string } | undefined {
    if (this.#parts.isDraining()) {
      return { type: optionReply.shutdown, message: "the server is shutting down" };
    }
    if (this.#parts.tlsRequired && !this.#link.secure && asked !== option.startTls) {
      return { type: optionReply.tlsRequired, message: "this server wants TLS first" };
    }
    return undefined;
  }

  async #exportName(data: Buffer): Promise<Agreement> {
    const name = readString(data);
    const found = name === undefined ? undefined : this.#parts.exports.find(name);
    if (!found) throw new ProtocolError("EXPORT_NAME asked for an export that is not there");
    await this.#link.output.sent(exportNameReply(found.size, this.#flags(found), !this.#noZeroes));
    return this.#agreement(found);
  }

  async #list(data: Buffer): Promise<undefined> {
    if (data.length > 0) return this.#invalid(option.list, "LIST takes no data");
    const listed = this.#parts.exports.list();
    for (let i = 0; i < listed.length; i += LISTED_AT_ONCE) {
      const messages = listed.slice(i, i + LISTED_AT_ONCE).map(({ name, description }) => {
        const bytes = Buffer.from(name);
        const parts = [u32(bytes.length), bytes, Buffer.from(description)];
        return optionReplyMessage(option.list, optionReply.server, ...parts);
      });
      await this.#link.output.sent(...messages);
    }
    await this.#reply(option.list, optionReply.ack);
    return undefined;
  }

  async #startTls(data: Buffer): Promise<undefined> {
    const { upgrade } = this.#parts;
    if (data.length > 0) return this.#invalid(option.startTls, "STARTTLS takes no data");
    if (this.#link.secure) return this.#invalid(option.startTls, "TLS is in force already");
    if (!upgrade) {
      await this.#reply(option.startTls, optionReply.policy, "this server has no TLS");
      return undefined;
    }
    await this.#reply(option.startTls, optionReply.ack);
    // Somebody in the middle could have put it there, to be taken for what comes over TLS.
    if (this.#link.input.available > 0) throw new ProtocolError("plain bytes behind STARTTLS");
    this.#link = await upgrade(this.#link);
    this.#structured = false;
    this.#selected = undefined;
    return undefined;
  }

  async #infoOrGo(asked: number, data: Buffer): Promise<Step> {
    const query = readExportQuery(data);
    if (!query) return this.#invalid(asked, "the query is malformed");
    const found = this.#parts.exports.find(query.name);
    if (!found) return this.#unknown(asked, query.name);
    const wanted = new Set([information.export, ...query.information]);
    for (const item of wanted) {
      const payload = this.#information(found, item);
      if (!payload) continue;
      this.#link.output.send([optionReplyMessage(asked, optionReply.info, u16(item), payload)]);
    }
    await this.#reply(asked, optionReply.ack);
    return asked === option.go ? this.#agreement(found) : undefined;
  }

  #information(found: Export, item: number): Buffer | undefined {
    switch (item) {
      case information.export:
        return exportInformation(found.size, this.#flags(found));
      case information.name:
        return Buffer.from(found.name);
      case information.description:
        return Buffer.from(found.description);
      case information.blockSize:
        return blockSizeInformation(this.#parts.exports.blockSizes);
      default:
        return undefined;
    }
  }

  async #structuredReply(data: Buffer): Promise<undefined> {
    const asked = option.structuredReply;
    if (data.length > 0) return this.#invalid(asked, "STRUCTURED_REPLY takes no data");
    this.#structured = true;
    await this.#reply(asked, optionReply.ack);
    return undefined;
  }

  async #metaContext(asked: number, data: Buffer): Promise<undefined> {
    if (asked === option.setMetaContext) this.#selected = undefined;
    if (!this.#structured) return this.#invalid(asked, "structured replies come first");
    const query = readMetaQuery(data);
    if (!query) return this.#invalid(asked, "the query is malformed");
    const { exports } = this.#parts;
    const found = exports.find(query.name);
    if (!found) return this.#unknown(asked, query.name);
    const { subvolume } = found;
    if (asked === option.listMetaContext) {
      await this.#contextReplies(asked, listContexts(exports, subvolume, query.queries));
      return undefined;
    }
    const contexts = [...new Set(query.queries)]
      .map((name) => selectContext(exports, name))
      .filter((context) => context !== undefined);
    if (contexts.length > MAX_CONTEXTS) {
      await this.#reply(asked, optionReply.tooBig, `allowed are ${MAX_CONTEXTS} contexts`);
      return undefined;
    }
    this.#selected = { subvolume: subvolume.id, contexts };
    await this.#contextReplies(
      asked,
      contexts.map(({ name }) => name),
    );
    return undefined;
  }

  async #contextReplies(asked: number, names: readonly string[]): Promise<void> {
    const isSet = asked === option.setMetaContext;
    for (const [index, name] of names.entries()) {
      const id = u32(isSet ? index : 0);
      const message = optionReplyMessage(asked, optionReply.metaContext, id, Buffer.from(name));
      this.#link.output.send([message]);
    }
    await this.#reply(asked, optionReply.ack);
  }

  async #unknown(asked: number, name: string): Promise<undefined> {
    const what = name === "" ? "there is no default export" : "there is no export of that name";
    await this.#reply(asked, optionReply.unknown, what);
    return undefined;
  }

  async #invalid(asked: number, message: string): Promise<undefined> {
    await this.#reply(asked, optionReply.invalid, message);
    return undefined;
  }

  async #reply(asked: number, type: number, message = ""): Promise<void> {
    await this.#link.output.sent(optionReplyMessage(asked, type, Buffer.from(message)));
  }

  #agreement(found: Export): Agreement {
    const selected = this.#selected?.subvolume === found.subvolume.id ? this.#selected : undefined;
    const contexts = selected?.contexts ?? [];
    return { link: this.#link, export: found, structured: this.#structured, contexts };
  }

  #flags({ readOnly }: Export): number {
    const { hasFlags, sendFlush, sendFua, canMultiConn, sendCache } = exportFlag;
    const always = hasFlags | sendFlush | sendFua | canMultiConn | sendCache;
    const { sendTrim, sendWriteZeroes, sendFastZero } = exportFlag;
    const access = readOnly ? exportFlag.readOnly : sendTrim | sendWriteZeroes | sendFastZero;
    return always | access | (this.#structured ? exportFlag.sendDf : 0);
  }
}
