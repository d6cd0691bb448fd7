/** Flushes that wait for the same are one to the host; each is answered, and none too early. */
import { describe, expect, it } from "vitest";
import { cmd } from "./client.ts";
import { B, pattern, serve } from "./served-store.ts";

const EIO = 5;

describe("many flushes at once", () => {
  it("I1: are answered when what was answered before them is durable, each of them", async () => {
    const { host, open } = await serve();
    const client = await open();
    const answered: Promise<void>[] = [];
    for (let round = 0; round < 20; round++) {
      await client.write(round * B, pattern(B, round));
      const { lastLsn } = host.statistics();
      for (let i = 0; i < 8; i++) {
        const answer = client.do(cmd.flush).then(() => {
          expect(host.statistics().durableLsn).toBeGreaterThanOrEqual(lastLsn);
        });
        answered.push(answer);
      }
    }
    await Promise.all(answered);
    expect(answered).toHaveLength(160);
  });

  it("have one promise of the host, and who comes when it is kept has another", async () => {
    const { host } = await serve();
    const disk = host.get("disk");
    for (let round = 0; round < 3; round++) {
      await disk.write(0, pattern(B, round));
      const promise = host.flushTogether();
      expect(host.flushTogether()).toBe(promise);
      await promise;
      const { lastLsn, durableLsn } = host.statistics();
      expect(durableLsn).toBe(lastLsn);
      expect(host.flushTogether()).not.toBe(promise);
    }
  });

  it("I7: are all told of a failure, and so is who comes later", async () => {
    const { store, open } = await serve();
    const client = await open();
    await client.write(0, pattern(B));
    store.onOperation = ({ kind }) => {
      if (kind === "flush") throw new Error("no such luck");
    };
    const together = Array.from({ length: 8 }, () => client.request({ type: cmd.flush }));
    const answers = await Promise.all(together);
    answers.push(await client.request({ type: cmd.flush }));
    expect(answers.map(({ error }) => error)).toEqual(Array.from({ length: 9 }, () => EIO));
  });
});
