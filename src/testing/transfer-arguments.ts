/**
 * The many shapes in which `node:fs` takes the arguments of reads and writes, brought into one.
 * Ranges that are not within the buffer are refused as there: they are bugs of the program.
 */

/** The part of a buffer that is read into or written from, and where in the file. */
export interface Transfer {
  bytes: Uint8Array;
  /** `null`: where the descriptor stands. */
  position: number | null;
}

export interface TransferOptions {
  offset?: number | null | undefined;
  length?: number | null | undefined;
  position?: number | bigint | null | undefined;
}

/** `read(buffer, offset, length, position)` and `read(buffer, options)`. */
export function readTransfer(
  buffer: NodeJS.ArrayBufferView,
  offsetOrOptions?: number | TransferOptions | null,
  length?: number | null,
  position?: number | bigint | null,
): Transfer {
  const options: TransferOptions =
    typeof offsetOrOptions === "object" && offsetOrOptions !== null
      ? offsetOrOptions
      : { offset: offsetOrOptions, length, position };
  const bytes = within(buffer, options);
  const place = Number(options.position ?? -1);
  if (!Number.isSafeInteger(place) || place < -1) {
    throw outOfRange("position", "a whole number from -1 on", place);
  }
  return { bytes, position: place < 0 ? null : place };
}

/** `write(buffer, offset, length, position)` or with options, `write(text, position, encoding)`. */
export function writeTransfer(
  data: NodeJS.ArrayBufferView | string,
  offsetOrOptions?: number | TransferOptions | null,
  lengthOrEncoding?: number | string | null,
  position?: number | bigint | null,
): Transfer {
  if (typeof data === "string") {
    const encoding = (lengthOrEncoding ?? "utf8") as BufferEncoding;
    return { bytes: Buffer.from(data, encoding), position: placeOf(offsetOrOptions) };
  }
  if (!ArrayBuffer.isView(data)) throw wrongData();
  const options: TransferOptions =
    typeof offsetOrOptions === "object" && offsetOrOptions !== null
      ? offsetOrOptions
      : {
          offset: offsetOrOptions,
          length: typeof lengthOrEncoding === "number" ? lengthOrEncoding : null,
          position,
        };
  return { bytes: within(data, options), position: placeOf(options.position) };
}

/** The bytes of what is to become the content of a file. */
export function bytesOf(data: unknown, encoding?: string | null): Uint8Array {
  if (typeof data === "string") return Buffer.from(data, (encoding ?? "utf8") as BufferEncoding);
  if (!ArrayBuffer.isView(data)) throw wrongData();
  return viewOf(data as NodeJS.ArrayBufferView);
}

export function viewOf(buffer: NodeJS.ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** Only numbers from 0 on are positions; all else means where the descriptor stands. */
export function placeOf(position: unknown): number | null {
  return typeof position === "number" && position >= 0 ? position : null;
}

function within(buffer: NodeJS.ArrayBufferView, { offset, length }: TransferOptions): Uint8Array {
  const start = offset ?? 0;
  if (!Number.isSafeInteger(start) || start < 0) {
    throw outOfRange("offset", "a whole number from 0 on", start);
  }
  const count = length ?? buffer.byteLength - start;
  if (count === 0) return new Uint8Array(0);
  if (!Number.isSafeInteger(count) || count < 0 || start + count > buffer.byteLength) {
    throw outOfRange("length", `>= 0 && <= ${buffer.byteLength - start}`, count);
  }
  return viewOf(buffer).subarray(start, start + count);
}

export function outOfRange(name: string, allowed: string, given: number): RangeError {
  const error = new RangeError(
    `The value of "${name}" is out of range. It must be ${allowed}. Received ${given}`,
  );
  return Object.assign(error, { code: "ERR_OUT_OF_RANGE" });
}

function wrongData(): TypeError {
  const error = new TypeError("The data must be a string, a Buffer, a TypedArray or a DataView");
  return Object.assign(error, { code: "ERR_INVALID_ARG_TYPE" });
}
