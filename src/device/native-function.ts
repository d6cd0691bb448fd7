/**
 * Functions of the system's C library that Node does not offer, by way of `koffi`; only on systems
 * whose numbers and layouts we know.
 */

/** Where `off_t` and pointers have 64 bits, and numbers are little-endian. */
const KNOWN_SYSTEMS: ReadonlySet<string> = new Set(["linux x64", "linux arm64"]);

/** What koffi offers of itself, and a function of the C library. */
export interface NativeFunction<F> {
  call: F;
  addressOf: (bytes: Uint8Array) => bigint;
}

/** The function `name`; `undefined` where there is none, or where it cannot be called. */
export async function nativeFunction<F>(
  name: string,
  result: string,
  parameters: string[],
): Promise<NativeFunction<F> | undefined> {
  if (!KNOWN_SYSTEMS.has(`${process.platform} ${process.arch}`)) return undefined;
  try {
    const { default: koffi } = await import("koffi");
    const call = koffi.load(null).func(name, result, parameters) as F;
    return { call, addressOf: (bytes) => koffi.address(bytes) };
  } catch {
    return undefined;
  }
}
