/**
 * Damage to the two checkpoints of a store, and what a host makes of it: a longer replay where there
 * is another way to the state, a refusal where there is none, and never a worse store than before.
 */
import { describe, expect, it } from "vitest";
import type { Change, Environment } from "../../src/checkpoint/environment.ts";
import { encodeNumberPage, kinds } from "../../src/format/checkpoint-values.ts";
import { seal } from "../../src/format/sealed-value.ts";
import type { Host } from "../../src/host/host.ts";
import { audit } from "../../src/testing-store/audit.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { B, blocks, expectBytes, refusal } from "./refusal.ts";

type Name = "a" | "b";

/** Puts values into a checkpoint behind its back. */
async function replace(
  store: MemoryStore,
  name: Name,
  valuesFor: (environment: Environment) => Change[],
): Promise<void> {
  const environment = await store.environments.open(name);
  const { epoch, lsn } = environment.closing()!;
  await environment.commit(valuesFor(environment), { epoch, lsn, reset: false });
  await environment.close();
}

/** Damages the state value, and a list that is read with it. */
async function damageState(store: MemoryStore, name: Name): Promise<void> {
  const dead = seal(kinds.deadNodes, 0, encodeNumberPage([99]));
  await replace(store, name, () => [
    { kind: kinds.state, id: 0, value: Buffer.from("rotten") },
    { kind: kinds.deadNodes, id: 0, value: dead },
  ]);
}

/** Damages all map nodes, which nobody looks at before he needs them. */
async function damageNodes(store: MemoryStore, name: Name): Promise<void> {
  await replace(store, name, (environment) => {
    const nodes = [...environment.scan(kinds.node)];
    expect(nodes.length).toBeGreaterThan(1);
    return nodes.map(({ id }) => ({ kind: kinds.node, id, value: Buffer.from("rotten") }));
  });
}

async function lose(store: MemoryStore, name: Name): Promise<void> {
  await (await store.environments.open(name, true)).close();
}

async function newestOf(store: MemoryStore): Promise<Name> {
  const [a, b] = [await store.environments.open("a"), await store.environments.open("b")];
  return a.closing()!.epoch > b.closing()!.epoch ? "a" : "b";
}

/** With either checkpoint alone the store opens, and holds what it should. */
async function expectBothWhole(
  store: MemoryStore,
  expectContents: (host: Host) => Promise<void>,
): Promise<void> {
  for (const lost of ["a", "b"] as const) {
    const left = store.killed();
    await lose(left, lost);
    const host = await left.open();
    expect(host.recovery).not.toHaveProperty("damagedCheckpoint");
    audit(left.engineOf(host).state);
    await expectContents(host);
    await host.close();
  }
}

/** 20 blocks with holes between them: a map of several nodes. */
async function writeScattered(host: Host, letter: string): Promise<void> {
  for (let i = 0; i < 20; i++) await host.get("disk").write(2 * i * B, blocks(letter));
}

/**
 * Two checkpoints, and behind them a commit that changes the map. The journal reaches back to the
 * older checkpoint, and not to the creation of the store.
 */
async function crashed(): Promise<MemoryStore> {
  const store = MemoryStore.create();
  const first = await store.open();
  await first.create("disk", { size: 64 * B });
  await writeScattered(first, "x");
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

/**
 * The second checkpoint that was made afterwards once was not whole: the damaged environment seemed
 * to be just one checkpoint behind the first, so only a delta was written over its rotten values.
 */
describe("both checkpoints damaged, and the journal whole since creation", () => {
  it("I2, I4: costs a longer replay, and later checkpoints hold everything again", async () => {
    const first = MemoryStore.create();
    let host = await first.open();
    await host.checkpoint();
    const disk = await host.create("disk", { size: 16 * B });
    await disk.write(0, blocks("x", 8));
    await host.snapshot("disk", "snap");
    await host.checkpoint();
    const store = first.killed();
    await damageState(store, "a");
    await damageState(store, "b");

    host = await store.open();
    expect(host.recovery).toMatchObject({ checkpointLsn: 0, lastLsn: 3, commits: 3 });
    expect(host.recovery.damagedCheckpoint).toBeDefined();
    await host.get("disk").write(B, blocks("y", 1));
    await host.checkpoint();
    await host.checkpoint();

    await expectBothWhole(store, async (reopened) => {
      expect(reopened.recovery).toMatchObject({ checkpointLsn: 4, commits: 0 });
      expectBytes(await reopened.get("snap").read(0, 8 * B), blocks("x", 8));
      expectBytes(await reopened.get("disk").read(B, B), blocks("y", 1));
    });
    await host.close();
  });
});

/** A host once refused such a store, although the checkpoint before was sound. */
describe("a value of the newest checkpoint that a commit of the journal asks for", () => {
  it("I2: costs a longer replay, and the next checkpoint of its turn is whole", async () => {
    const store = await crashed();
    const newest = await newestOf(store);
    await damageNodes(store, newest);

    const host = await store.open();
    expect(host.recovery).toMatchObject({ commits: 2, lastLsn: 23 });
    expect(host.recovery.damagedCheckpoint).toMatch(new RegExp(`^${newest}: ECORRUPT: `, "u"));
    audit(store.engineOf(host).state);
    const disk = host.get("disk");
    expectBytes(await disk.read(0, B), blocks("y"));
    expectBytes(await disk.read(2 * B, B), blocks("z"));
    await host.checkpoint();
    await host.checkpoint();

    await expectBothWhole(store, async (reopened) => {
      expectBytes(await reopened.get("disk").read(38 * B, B), blocks("x"));
    });
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

/** The next checkpoint once copied it over the sound one, and the journal was used again. */
describe("a value of the newest checkpoint that rots while the host is open", () => {
  it("I6: does not take the place of the sound one: the next checkpoint fails", async () => {
    const store = MemoryStore.create();
    const host = await store.open();
    await host.create("disk", { size: 64 * B });
    await writeScattered(host, "x");
    await host.checkpoint();
    await writeScattered(host, "y");
    await host.checkpoint();
    const newest = await newestOf(store);
    await damageNodes(store, newest);

    const other = await host.create("other", { size: 64 * B });
    await other.write(0, blocks("z"));
    const failed = await refusal(() => host.checkpoint());
    expect(failed).toMatchObject({ code: "EIO", cause: { code: "ECORRUPT" } });
    expect(failed.message).toContain("let fsck look at the store");
    expect((await refusal(() => other.write(0, blocks("z")))).code).toBe("EIO");

    // What a repair finds: the older checkpoint, and the journal behind it.
    const left = store.killed();
    await lose(left, newest);
    const repaired = await left.open();
    expectBytes(await repaired.get("disk").read(0, B), blocks("y"));
    expectBytes(await repaired.get("other").read(0, B), blocks("z"));
    audit(left.engineOf(repaired).state);
    await repaired.close();
    // What had no answer by then may be there, and may not.
    expect((await refusal(() => host.close())).code).toBe("EIO");
  });
});
