/** The options of `node:fs` that may also be given as one word, and what they are unless told. */
import type { OpenMode } from "node:fs";

export interface ContentOptions {
  encoding?: string | null | undefined;
  flag?: OpenMode | undefined;
  /** Make it durable before returning; of `writeFile` and `appendFile`. */
  flush?: boolean | undefined;
}

/** A word alone is an encoding. */
export type ContentArgument = ContentOptions | string | null | undefined;

export function contentOptions(given: ContentArgument): ContentOptions {
  return typeof given === "string" ? { encoding: given } : (given ?? {});
}

/** What was read, as text if an encoding was asked for. */
export function contentOf(bytes: Buffer, given: ContentArgument): Buffer | string {
  const { encoding } = contentOptions(given);
  const isText = encoding !== undefined && encoding !== null && encoding !== "buffer";
  return isText ? bytes.toString(encoding as BufferEncoding) : bytes;
}

export interface ListOptions {
  withFileTypes?: boolean | undefined;
  recursive?: boolean | undefined;
}

export interface RemoveOptions {
  recursive?: boolean | undefined;
  force?: boolean | undefined;
}

/** `mkdir` takes the mode alone as well, which is not simulated. */
export type FolderArgument = { recursive?: boolean | undefined } | number | string | null;

export function isRecursive(given: FolderArgument | undefined): boolean {
  return typeof given === "object" && given !== null && given.recursive === true;
}
