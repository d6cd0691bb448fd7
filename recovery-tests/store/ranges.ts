/** The small arithmetic of steps: ranges within a subvolume, bytes in others, all of several. */

export function pick<T>(from: readonly T[], index: number): T | undefined {
  return from[index % Math.max(1, from.length)];
}

export function within(
  { at, length }: { at: number; length: number },
  size: number,
): { at: number; length: number } {
  const start = at % size;
  return { at: start, length: Math.min(length, size - start) };
}

export function put(bytes: Uint8Array, at: number, data: Uint8Array): Uint8Array {
  const after = new Uint8Array(bytes);
  after.set(data, at);
  return after;
}

/** Waits for all, and only then throws what the first of them that failed has thrown. */
export async function allOf(works: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(works)) {
    if (result.status === "rejected") throw result.reason;
  }
}
