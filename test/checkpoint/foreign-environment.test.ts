/**
 * An environment knows whose it is: opened for another store it is damaged, however sound it is,
 * until it has been made anew. Asked of LMDB and of its twin in memory.
 */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { OpenEnvironment } from "../../src/checkpoint/environment.ts";
import { lmdbEnvironments } from "../../src/checkpoint/lmdb-environment.ts";
import { MemoryEnvironments } from "../../src/checkpoint/memory-environment.ts";
import { scratchDirectory } from "../device/scratch.ts";
import { put, storeId } from "./naive-closing.ts";

const other: Uint8Array = storeId.map((byte) => byte ^ 1);
const at = (epoch: number): { epoch: number; lsn: number; reset: boolean } => ({
  epoch,
  lsn: epoch,
  reset: false,
});

describe.each(["on disk", "in memory"])("an environment %s", (twin) => {
  const scratch = scratchDirectory();

  /** One place, opened for whichever store. */
  function place(): (id: Uint8Array) => OpenEnvironment {
    if (twin === "in memory") return new MemoryEnvironments().openFor;
    return (id) => lmdbEnvironments(join(scratch(), "checkpoint"), { storeId: id });
  }

  it("I6: is not believed by another store, and takes no delta from it", async () => {
    const openFor = place();
    const own = await openFor(storeId)("a");
    await own.commit([put(3, 7, 100)], at(1));
    await own.close();
    const foreign = await openFor(other)("a");
    expect(() => foreign.closing()).toThrow(/^ECORRUPT: .* belongs to another store/);
    await expect(foreign.commit([put(3, 8, 100)], at(2))).rejects.toThrow("another store");
    await foreign.close();
    const again = await openFor(storeId)("a");
    expect(again.closing()).toMatchObject({ epoch: 1, count: 1 });
    await again.close();
  });

  it("made anew is the store's that made it", async () => {
    const openFor = place();
    const own = await openFor(storeId)("a");
    await own.commit([put(3, 7, 100)], at(5));
    await own.close();
    const anew = await openFor(other)("a", true);
    expect(anew.closing()).toBeUndefined();
    await anew.commit([put(3, 8, 100)], at(1));
    expect(anew.closing()).toMatchObject({ epoch: 1, count: 1 });
    await anew.close();
    const former = await openFor(storeId)("a");
    expect(() => former.closing()).toThrow("another store");
    await former.close();
  });
});
