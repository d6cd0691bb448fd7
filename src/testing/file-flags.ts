/** What a program may do with a file that it opens: the flags of `open`, as strings or numbers. */
import { constants, type OpenMode } from "node:fs";

export interface FileAccess {
  read: boolean;
  write: boolean;
  /** Every write goes to the end. */
  append: boolean;
  create: boolean;
  /** With `create`: the name must be new. */
  exclusive: boolean;
  truncate: boolean;
  /** A write is durable when it has returned. */
  durable: boolean;
  folderOnly: boolean;
}

const { O_RDONLY, O_WRONLY, O_RDWR, O_APPEND, O_CREAT, O_EXCL, O_SYNC, O_TRUNC } = constants;
/** Not on every system. */
const O_DSYNC: number = constants.O_DSYNC ?? 0;
const O_DIRECTORY: number = constants.O_DIRECTORY ?? 0;

const write = O_CREAT | O_TRUNC;
const append = O_CREAT | O_APPEND;

/** The words of `node:fs`; their letters may also be swapped, as in `xw`. */
const words: Readonly<Record<string, number>> = {
  r: O_RDONLY,
  rs: O_RDONLY | O_SYNC,
  "r+": O_RDWR,
  "rs+": O_RDWR | O_SYNC,
  w: O_WRONLY | write,
  wx: O_WRONLY | write | O_EXCL,
  "w+": O_RDWR | write,
  "wx+": O_RDWR | write | O_EXCL,
  a: O_WRONLY | append,
  ax: O_WRONLY | append | O_EXCL,
  as: O_WRONLY | append | O_SYNC,
  "a+": O_RDWR | append,
  "ax+": O_RDWR | append | O_EXCL,
  "as+": O_RDWR | append | O_SYNC,
};

/** Reading only unless told. */
export function accessOf(flags: OpenMode | null | undefined): FileAccess {
  const number = numberOf(flags ?? "r");
  const way = number & (O_WRONLY | O_RDWR);
  return {
    read: way !== O_WRONLY,
    write: way !== O_RDONLY,
    append: (number & O_APPEND) !== 0,
    create: (number & O_CREAT) !== 0,
    exclusive: (number & O_EXCL) !== 0,
    truncate: (number & O_TRUNC) !== 0,
    durable: (number & (O_SYNC | O_DSYNC)) !== 0,
    folderOnly: (number & O_DIRECTORY) !== 0,
  };
}

function numberOf(flags: OpenMode): number {
  if (typeof flags === "number") return flags;
  const word = flags.replace(/^([xs])([rwa])/, "$2$1");
  if (!Object.hasOwn(words, word)) {
    const error = new TypeError(`The argument 'flags' is invalid. Received '${flags}'`);
    throw Object.assign(error, { code: "ERR_INVALID_ARG_VALUE" });
  }
  return words[word]!;
}
