/** Promise I7: a failure counts from the moment in which it happens, whoever waits for what. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import { placeOf } from "../support/memory-store.ts";
import { blocks, refusal, start } from "./refusal.ts";

// Row 8, case 432 ("@8:ENOSPC|22"): a checkpoint had begun the write, and noted that it had failed
// when its batch was in the journal; a flush was acknowledged in between.
it("a data write of a checkpoint that fails is final at once", async () => {
  const { store, host, disk } = await start();
  await host.flush();
  await disk.write(0, blocks("x"));
  store.onOperation = (operation) => {
    if (placeOf(operation) === "data" && operation.kind === "write") throw new Error("no");
    // The journal takes its time.
    return placeOf(operation) === "journal" ? { type: "delay", turns: 10 } : undefined;
  };
  const checkpoint = refusal(() => host.checkpoint());
  for (let turn = 0; turn < 3; turn++) await nextTurn();
  expect(await refusal(() => host.flush())).toMatchObject({ code: "EIO" });
  expect((await checkpoint).message).toContain("a data write failed");
  await refusal(() => host.close());
});
