/**
 * Both checkpoints are damaged, each in another place. What one has lost the other still has, and
 * under every key that the newer one does not list as changed it is the same value.
 *
 * A repair once salvaged each by itself: a subvolume lost its name and became read-only below
 * lost+found, although the other checkpoint knew all about it.
 */
import { expect, it } from "vitest";
import { kinds } from "../../src/format/checkpoint-values.ts";
import { repairStore } from "../../src/fsck/repair.ts";
import { FsckStore } from "./support/fsck-store.ts";
import { stamp } from "./support/sample-store.ts";

const B = 512;
const names = ["one", "two", "three"];

/** Three disks as old as both checkpoints, and "two" written to between them. */
async function storeWithTwins(): Promise<FsckStore> {
  const store = new FsckStore();
  const host = await store.open();
  for (const [i, name] of names.entries()) {
    await (await host.create(name, { size: 16 * B })).write(0, stamp(i, 8));
  }
  await host.checkpoint();
  await host.get("two").write(4 * B, stamp(9, 2));
  await host.checkpoint();
  await host.get("one").write(12 * B, stamp(10, 2));
  await host.flush();
  const left = store.copy();
  await host.close();
  return left;
}

async function contentsOf(store: FsckStore): Promise<string[]> {
  const host = await store.open({ readOnly: true });
  const all: string[] = [];
  for (const { name, size, readOnly } of host.list()) {
    const bytes = Buffer.from(await host.get(name).read(0, size));
    all.push(`${name} ${readOnly} ${bytes.toString()}`);
  }
  await host.close();
  return all.toSorted();
}

it.each([true, false])("nothing is lost that one of them has, missing: %s", async (isMissing) => {
  const store = await storeWithTwins();
  const before = await contentsOf(store.copy());
  for (const [name, id] of [["a", 1] as const, ["b", 3] as const]) {
    const image = store.images[name]!;
    const value = Uint8Array.from(image.get(kinds.subvolume, id)!);
    value[20]! ^= 1;
    if (isMissing) image.delete(kinds.subvolume, id);
    else image.set(kinds.subvolume, id, value);
  }
  const report = await repairStore(store.access, undefined, { data: true });
  expect(report).toMatchObject({ exitCode: 1, losses: [] });
  expect(await contentsOf(store)).toEqual(before);
});

it("what the newer one has changed is not taken from the older", async () => {
  const store = await storeWithTwins();
  const before = await contentsOf(store.copy());
  const { a, b } = store.images;
  const changed = (kind: number): number => {
    const differs = b!.scan(kind).find(([id, value]) => {
      const older = a!.get(kind, id);
      return older && Buffer.compare(older, value) !== 0;
    });
    return differs![0];
  };
  const [node, segment] = [changed(kinds.node), changed(kinds.segment)];
  b!.delete(kinds.node, node);
  a!.delete(kinds.segment, segment);
  const report = await repairStore(store.access, undefined, { data: true });
  expect(report.losses.map(({ kind }) => kind)).toEqual(["rebuilt"]);
  expect(await contentsOf(store)).toEqual(before);
});
