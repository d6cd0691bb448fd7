/**
 * A value of a checkpoint that is damaged, and that nobody looks at before a commit of the journal
 * asks for it: a map node. What reads the whole state value says of the checkpoint is fine.
 *
 * A host once refused such a store, although the checkpoint before was sound and the journal reached
 * back to it.
 */
import { describe, expect, it } from "vitest";
import { kinds } from "../../src/format/checkpoint-values.ts";
import { audit } from "../../src/testing-store/audit.ts";
import { B, blocks, expectBytes, refusal } from "../host/refusal.ts";
import { MemoryStore } from "../support/memory-store.ts";

/**
 * Two checkpoints, and behind them a commit that changes a map of several nodes. The journal reaches
 * back to the older checkpoint, and not to the creation of the store.
 */
async function crashed(): Promise<MemoryStore> {
  const store = MemoryStore.create();
  const first = await store.open();
  const filled = await first.create("disk", { size: 64 * B });
  for (let i = 0; i < 20; i++) await filled.write(2 * i * B, blocks("x"));
  await first.close();
  const host = await store.open();
  await host.checkpoint();
  const disk = host.get("disk");
  await disk.write(0, blocks("y"));
  await host.checkpoint();
  await disk.write(2 * B, blocks("z"));
  await host.flush();
  return store.killed();
}

/** Overwrites all map nodes of a checkpoint, behind its back. */
async function damageNodes(store: MemoryStore, name: "a" | "b"): Promise<void> {
  const environment = await store.environments.open(name);
  const { epoch, lsn } = environment.closing()!;
  const nodes = [...environment.scan(kinds.node)];
  expect(nodes.length).toBeGreaterThan(1);
  const rotten = nodes.map(({ id }) => ({ kind: kinds.node, id, value: Buffer.from("rotten") }));
  await environment.commit(rotten, { epoch, lsn, reset: false });
  await environment.close();
}

async function newestOf(store: MemoryStore): Promise<"a" | "b"> {
  const [a, b] = [await store.environments.open("a"), await store.environments.open("b")];
  return a.closing()!.epoch > b.closing()!.epoch ? "a" : "b";
}

describe("I2: a damaged value in the newest checkpoint", () => {
  it("costs a longer replay and no data, and the next checkpoint of its turn is whole", async () => {
    const store = await crashed();
    const newest = await newestOf(store);
    await damageNodes(store, newest);

    const host = await store.open();
    expect(host.recovery).toMatchObject({ commits: 2, lastLsn: 23 });
    expect(host.recovery.damagedCheckpoint).toMatch(new RegExp(`^${newest}: ECORRUPT: `, "u"));
    audit(store.engineOf(host).state);
    const disk = host.get("disk");
    expectBytes(await disk.read(0, 4 * B), bytesOf(["y", undefined, "z", undefined]));
    await host.checkpoint();
    await host.checkpoint();

    for (const lost of ["a", "b"] as const) {
      const left = store.killed();
      await (await left.environments.open(lost, true)).close();
      const reopened = await left.open();
      expect(reopened.recovery).not.toHaveProperty("damagedCheckpoint");
      audit(left.engineOf(reopened).state);
      expectBytes(await reopened.get("disk").read(38 * B, B), blocks("x"));
      await reopened.close();
    }
    await host.close();
  });

  it("is refused when the other one is damaged as well, and the newest is named", async () => {
    const store = await crashed();
    await damageNodes(store, "a");
    await damageNodes(store, "b");
    const error = await refusal(() => store.open());
    expect(error.code).toBe("ECORRUPT");
    expect(error.message).toContain("does not reach back to commit 1");
    expect(error.message).toContain(`passed over: ${await newestOf(store)}: ECORRUPT: `);
  });
});

describe("I6: a value that has rotted in the newest checkpoint", () => {
  it("does not take the place of the sound one: the next checkpoint fails", async () => {
    const store = MemoryStore.create();
    const host = await store.open();
    const disk = await host.create("disk", { size: 64 * B });
    for (let i = 0; i < 20; i++) await disk.write(2 * i * B, blocks("x"));
    await host.checkpoint();
    for (let i = 0; i < 20; i++) await disk.write(2 * i * B, blocks("y"));
    await host.checkpoint();
    const newest = await newestOf(store);
    await damageNodes(store, newest);

    const other = await host.create("other", { size: 64 * B });
    await other.write(0, blocks("z"));
    const failed = await refusal(() => host.checkpoint());
    expect(failed).toMatchObject({ code: "EIO", cause: { code: "ECORRUPT" } });
    expect((await refusal(() => other.write(0, blocks("z")))).code).toBe("EIO");

    // What a repair finds: the older checkpoint, and the journal behind it.
    const left = store.killed();
    await (await left.environments.open(newest, true)).close();
    const repaired = await left.open();
    expectBytes(await repaired.get("disk").read(0, B), blocks("y"));
    expectBytes(await repaired.get("other").read(0, B), blocks("z"));
    audit(left.engineOf(repaired).state);
    for (const each of [host, repaired]) await each.close();
  });
});

function bytesOf(letters: readonly (string | undefined)[]): Buffer {
  const parts = letters.map((letter) => (letter ? blocks(letter) : Buffer.alloc(B)));
  return Buffer.concat(parts);
}
