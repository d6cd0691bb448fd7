/**
 * Edits of maps that hold together but say wrong things: a place is unmapped, or led to the block
 * that belongs there. They are the ordinary edits of a state, so everything stays counted.
 */
import { decodeState, encodeState, kinds } from "../format/checkpoint-values.ts";
import { open as openSealed, seal } from "../format/sealed-value.ts";
import { replaceRange } from "../map/edit.ts";
import { nextExtent } from "../map/lookup.ts";
import type { State } from "../replay/state.ts";
import type { Claim } from "./claims.ts";
import type { Image } from "./image.ts";

/** The block that belongs where a map leads to another; without a checksum it was never written. */
export interface RightBlock {
  pblock: number;
  checksum: number | undefined;
}

export class Cutter {
  changed = false;
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  /** Makes `[from, to)` of a subvolume a hole. */
  unmap(id: number, from: number, to: number): void {
    const { catalogue, nodes } = this.#state;
    const extent = nextExtent(nodes, catalogue.require(id).root, from, to);
    if (extent) this.#edit(id, from, to, null);
  }

  /** Leads a place that a wrong claim is about elsewhere; false where it does not lead there. */
  replace(id: number, { vblock, pblock, family }: Claim, right: RightBlock | undefined): boolean {
    const { catalogue, nodes, segments } = this.#state;
    const extent = nextExtent(nodes, catalogue.require(id).root, vblock, vblock + 1);
    if (!extent || extent.pblock !== pblock) return false;
    if (right?.pblock === pblock) return false;
    if (!right) {
      this.#edit(id, vblock, vblock + 1, null);
      return true;
    }
    const sums = right.checksum === undefined ? null : Uint32Array.of(right.checksum);
    if (segments.references(right.pblock) > 0) segments.retain(right.pblock, 1);
    else segments.claim(right.pblock, 1, { family, vblock }, sums);
    this.#edit(id, vblock, vblock + 1, { pblock: right.pblock, unwritten: sums === null });
    return true;
  }

  /** Maps a block that nobody uses in a subvolume of that name; false when somebody does. */
  keep(name: string, family: number, block: RightBlock, vblock: number): boolean {
    const { catalogue, segments, geometry, nodes } = this.#state;
    if (segments.references(block.pblock) > 0 || block.checksum === undefined) return false;
    const known = catalogue.named(name);
    const id = known?.id ?? catalogue.next;
    const least = (vblock + 1) * geometry.blockSize;
    const fresh = { id, name, readOnly: true, source: 0, family, root: 0, created: 0 };
    if (known && nextExtent(nodes, known.root, vblock, vblock + 1)) return false;
    catalogue.set({ ...fresh, ...known, size: Math.max(known?.size ?? 0, least) });
    segments.claim(block.pblock, 1, { family, vblock }, Uint32Array.of(block.checksum));
    this.#edit(id, vblock, vblock + 1, { pblock: block.pblock, unwritten: false });
    return true;
  }

  #edit(
    id: number,
    from: number,
    to: number,
    insertion: { pblock: number; unwritten: boolean } | null,
  ): void {
    const { catalogue, tree } = this.#state;
    const entry = catalogue.require(id);
    const root = replaceRange(tree, entry.root, from, to, insertion);
    if (root !== entry.root) catalogue.set({ ...entry, root });
    this.changed = true;
  }
}

/** Blocks that a repair has freed need not wait: no checkpoint but the repaired one is left. */
export function withoutBusy(image: Image, lsn: number): Image {
  for (const [id] of image.scan(kinds.busy)) image.delete(kinds.busy, id);
  const state = decodeState(openSealed(kinds.state, 0, image.get(kinds.state, 0)!));
  const body = encodeState({ ...state, busySegments: 0 });
  image.set(kinds.state, 0, seal(kinds.state, 0, body));
  image.close(1, lsn);
  return image;
}
