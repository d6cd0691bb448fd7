/**
 * Both checkpoints damaged, and the journal whole since creation: the journal alone rebuilds the
 * state, and the checkpoints that follow are made anew.
 *
 * The second of them once was not. The damaged environment seemed to be just one checkpoint behind
 * the first, so only a delta was written over its rotten values.
 */
import { describe, expect, it } from "vitest";
import { encodeNumberPage, kinds } from "../../src/format/checkpoint-values.ts";
import { seal } from "../../src/format/sealed-value.ts";
import { audit } from "../../src/testing-store/audit.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { B, blocks, expectBytes } from "./refusal.ts";

async function damage(store: MemoryStore, name: "a" | "b"): Promise<void> {
  const environment = await store.environments.open(name);
  const { epoch, lsn } = environment.closing()!;
  const dead = seal(kinds.deadNodes, 0, encodeNumberPage([99]));
  const rotten = [
    { kind: kinds.state, id: 0, value: Buffer.from("rotten") },
    { kind: kinds.deadNodes, id: 0, value: dead },
  ];
  await environment.commit(rotten, { epoch, lsn, reset: false });
  await environment.close();
}

describe("both checkpoints damaged", () => {
  it("I2, I4: costs a longer replay, and later checkpoints hold everything again", async () => {
    const first = MemoryStore.create();
    let host = await first.open();
    await host.checkpoint();
    const disk = await host.create("disk", { size: 16 * B });
    await disk.write(0, blocks("x", 8));
    await host.snapshot("disk", "snap");
    await host.checkpoint();
    const store = first.killed();
    await damage(store, "a");
    await damage(store, "b");

    host = await store.open();
    expect(host.recovery).toMatchObject({ checkpointLsn: 0, lastLsn: 3, commits: 3 });
    expect(host.recovery.damagedCheckpoint).toBeDefined();
    await host.get("disk").write(B, blocks("y", 1));
    await host.checkpoint();
    await host.checkpoint();

    for (const lost of ["a", "b"] as const) {
      const left = store.killed();
      await (await left.environments.open(lost, true)).close();
      const reopened = await left.open();
      expect(reopened.recovery).toMatchObject({ checkpointLsn: 4, commits: 0 });
      expect(reopened.recovery.damagedCheckpoint).toBeUndefined();
      audit(left.engineOf(reopened).state);
      expectBytes(await reopened.get("snap").read(0, 8 * B), blocks("x", 8));
      expectBytes(await reopened.get("disk").read(B, B), blocks("y", 1));
      await reopened.close();
    }
    await host.close();
  });
});
