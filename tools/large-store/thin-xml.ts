/**
 * A dump of a store as the XML that `thin_restore` reads: as many devices as subvolumes, and as
 * many mappings as the leaves of all maps hold. `thin_restore` cannot share, so each leaf is given
 * to the first device alone that has it.
 */
import { createInterface } from "node:readline";
import { once } from "node:events";
import type { DumpLine } from "../../src/fsck/dump.ts";

type Line<T extends DumpLine["type"]> = Extract<DumpLine, { type: T }>;

/** Sectors of a block in the pool: 64 KiB, the least that it takes. Only numbers count. */
const BLOCK_SECTORS = 128;

export async function writeThinXml(
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
): Promise<void> {
  const put = async (line: string): Promise<void> => {
    if (!output.write(`${line}\n`)) await once(output, "drain");
  };
  const devices: Line<"subvolume">[] = [];
  const branches = new Map<number, number[]>();
  const leaves = new Map<number, string>();
  for await (const text of createInterface({ input, crlfDelay: Infinity })) {
    const line = JSON.parse(text) as DumpLine;
    if (line.type === "store") {
      const blocks = line.superblock.capacityBlocks;
      const counts = `data_block_size="${BLOCK_SECTORS}" nr_data_blocks="${blocks}"`;
      await put(`<superblock uuid="" time="0" transaction="1" version="2" ${counts}>`);
    } else if (line.type === "subvolume") devices.push(line);
    else if (line.type === "node" && line.level > 0) {
      branches.set(
        line.id,
        line.entries.map(([, child]) => child!),
      );
    } else if (line.type === "node") {
      leaves.set(line.id, line.entries.map(mapping).join("\n"));
    }
  }
  for (const { id, root } of devices) {
    const own = leavesBelow(root, branches).flatMap((leaf) => leaves.get(leaf) ?? []);
    for (const leaf of leavesBelow(root, branches)) leaves.delete(leaf);
    const mappings = own.join("\n");
    const blocks = mappings === "" ? 0 : mappings.split("\n").length;
    const times = `transaction="0" creation_time="0" snap_time="0"`;
    await put(`<device dev_id="${id}" mapped_blocks="${blocks}" ${times}>\n${mappings}`);
    await put("</device>");
  }
  await put("</superblock>");
}

/** Every extent of a large store has one block. */
function mapping([vblock, pblock]: number[]): string {
  return `<single_mapping origin_block="${vblock}" data_block="${pblock}" time="0"/>`;
}

function leavesBelow(node: number, branches: ReadonlyMap<number, number[]>): number[] {
  if (node === 0) return [];
  const children = branches.get(node);
  return children ? children.flatMap((child) => leavesBelow(child, branches)) : [node];
}
