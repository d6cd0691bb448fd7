/** What the checkpoint environments of a store take for its maps, counted from their values. */
import { kinds } from "../../../src/format/checkpoint-values.ts";
import { storeAccess } from "../../../src/fsck/store-access.ts";
import type { Image } from "../../../src/fsck/image.ts";

/** For each environment. */
export interface MapSizes {
  /** Bytes of map nodes for each extent. */
  mapBytes: number[];
  /** Bytes of segment records for each allocated block. */
  segmentBytes: number[];
}

/** Of a store that nobody has open, in which every extent is one block. */
export async function measureMap(store: string, extents: number): Promise<MapSizes> {
  const access = storeAccess(store);
  const images = await Promise.all(
    (["a", "b"] as const).map(async (name) => (await access.readEnvironment(name)).image),
  );
  return {
    mapBytes: images.map((image) => bytesOf(image, kinds.node) / extents),
    segmentBytes: images.map((image) => bytesOf(image, kinds.segment) / extents),
  };
}

function bytesOf(image: Image, kind: number): number {
  return image.scan(kind).reduce((sum, [, value]) => sum + value.length, 0);
}
