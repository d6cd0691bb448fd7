/** An idle host comes to rest: what the cleaner moves does not make a checkpoint due for ever. */
import { setImmediate as immediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { openSimulatedHost } from "../../src/testing-store/simulated-host.ts";
import { SimulatedDisk } from "../../src/testing/disk.ts";
import { randomBelow, randomFrom } from "../../src/testing/random.ts";

const BLOCK = 512;
/** Of a history of a dozen changes, each of which may make one due. */
const MOST_CHECKPOINTS = 100;

// With little memory every move made a checkpoint due, after which the cleaner moved the same
// blocks once more, into the next segment: an idle host wrote without end. Found by row 1 of the
// recovery tests, which did not end (1:49).
it("the cleaner in the background comes to an end, however little memory there is", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    let checkpoints = 0;
    const disk = new SimulatedDisk({
      onOperation: ({ kind }) => {
        if (kind === "commit" && ++checkpoints > MOST_CHECKPOINTS) throw new Error("no end");
      },
    });
    const host = await openSimulatedHost(disk, {
      create: true,
      blockSize: BLOCK,
      capacity: 64 * BLOCK,
      geometry: { segmentBlocks: 8, nodeSize: 100 },
      memory: { cacheSize: 2048, maxDirty: 2048 },
    });
    const random = randomFrom(seed);
    const names = ["a", "b"];
    for (const name of names) await host.create(name, { size: 16 * BLOCK });
    const filling = await host.create("filling", { size: 32 * BLOCK });
    await filling.write(0, new Uint8Array(32 * BLOCK).fill(1));
    for (let change = 0; change < 12; change++) {
      const volume = host.get(names[randomBelow(random, names.length)]!);
      const at = randomBelow(random, 12) * BLOCK;
      const length = (1 + randomBelow(random, 4)) * BLOCK;
      if (randomBelow(random, 3) > 0) await volume.write(at, new Uint8Array(length).fill(change));
      else await volume.discard(at, length);
    }
    for (let turn = 0; turn < 20; turn++) await immediate();
    await host.close();
    expect(checkpoints, `seed ${seed}`).toBeLessThan(MOST_CHECKPOINTS);
  }
});
