/**
 * What the users of a store see: every block of every subvolume, or why it cannot be read. Two
 * pictures are compared block by block, so that a repair answers for every byte that it changes.
 */
import { isBlockspaceError } from "../../../src/base/errors.ts";
import type { Loss } from "../../../src/fsck/loss.ts";
import type { FsckStore } from "./fsck-store.ts";

const B = 512;

/** By subvolume: its blocks, `undefined` for one that fails with EBADSUM. */
export type Picture = Map<string, { size: number; blocks: (Buffer | undefined)[] }>;

export async function pictureOf(store: FsckStore): Promise<Picture> {
  const host = await store.open({ readOnly: true });
  try {
    const picture: Picture = new Map();
    for (const { name, size } of host.list()) {
      const subvolume = host.get(name);
      const blocks: (Buffer | undefined)[] = [];
      for (let at = 0; at < Math.min(size, 400 * B); at += B) {
        try {
          blocks.push(Buffer.from(await subvolume.read(at, Math.min(B, size - at))));
        } catch (error) {
          if (!isBlockspaceError(error, "EBADSUM")) throw error;
          blocks.push(undefined);
        }
      }
      picture.set(name, { size, blocks });
    }
    return picture;
  } finally {
    await host.close();
  }
}

/** What differs and no line of the loss report accounts for. */
export function unaccounted(before: Picture, after: Picture, losses: readonly Loss[]): string[] {
  const found: string[] = [];
  const anywhere = losses.some(
    ({ kind, subvolume }) => kind === "older" && subvolume === undefined,
  );
  for (const [name, { blocks }] of before) {
    const twin = after.get(name);
    const renamed = losses.some(({ kind }) => kind === "renamed" || kind === "orphans");
    if (!twin) {
      const lost = losses.some(({ kind, offset }) => kind === "gone" && offset === undefined);
      if (!renamed && !anywhere && !lost) found.push(`"${name}" is gone`);
      continue;
    }
    for (const [i, block] of blocks.entries()) {
      const now = twin.blocks[i];
      if (block && now && Buffer.compare(block, now) === 0) continue;
      if (!block) continue;
      const resized = losses.some(
        ({ kind, subvolume }) => kind === "resized" && subvolume === name,
      );
      if (resized && i >= twin.blocks.length && block.every((byte) => byte === 0)) continue;
      const told = losses.some(
        ({ kind, subvolume, offset = 0, length = Infinity }) =>
          ["gone", "older", "unreadable", "unverified", "doubtful"].includes(kind) &&
          (subvolume === undefined || subvolume === name || kind === "gone") &&
          offset <= i * B &&
          i * B < offset + length,
      );
      const kept = [...after].some(
        ([other, { blocks: there }]) =>
          other.startsWith("lost+found/") && there[i] && Buffer.compare(there[i], block) === 0,
      );
      if (!told && !anywhere && !kept) found.push(`"${name}" differs at block ${i}`);
    }
  }
  return found;
}
