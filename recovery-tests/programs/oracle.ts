/** What a store may hold after a crash: the state after some prefix of the operations (P1). */
import { fileURLToPath } from "node:url";

/** The path of a program beside this file. */
export function programAt(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

/**
 * Throws unless `content` is what one of the prefixes leads to, from the last acknowledged
 * operation on; `descriptions` has one for each number of operations.
 */
export function expectPrefix(
  found: { content: string } | { error: string },
  descriptions: readonly string[],
  acknowledged: number,
): void {
  if ("error" in found) throw new Error(`the store does not open or work: ${found.error}`);
  if (descriptions.includes(found.content, acknowledged)) return;
  const earlier = descriptions.lastIndexOf(found.content, acknowledged);
  const which = earlier < 0 ? "no prefix of the operations" : `only ${earlier} operations`;
  throw new Error(`${acknowledged} operations are acknowledged; found ${which}: ${found.content}`);
}
