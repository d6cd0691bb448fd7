/** What is sent arrives whole and in order, in parts of any size, however slowly it is taken. */
import { once } from "node:events";
import { connect, createServer, Socket } from "node:net";
import { type Duplex, PassThrough } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Output } from "../../src/nbd/output.ts";
import { scratch } from "../cli/blockspace.ts";
import { seededNumbers } from "../device/scratch.ts";

const at = scratch();

/** The two ends of a connection over a socket file. */
async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer().listen(at("sock"));
  await once(server, "listening");
  const theirs = connect(at("sock"));
  const [ours] = (await once(server, "connection")) as [Socket];
  server.close();
  return [ours, theirs];
}

/** Sends parts of all sizes in batches of all sizes, and holds what arrives against them. */
async function expectWhole(ours: Duplex, theirs: Duplex, seed: number): Promise<void> {
  const pick = seededNumbers(seed);
  const output = new Output(ours);
  const sent: Buffer[] = [];
  const received: Buffer[] = [];
  let taken = 0;
  output.onTaken = (replies) => (taken += replies);
  const send = (): void => {
    const sizes = [20, 28, 4096 + 28, 8192, 8193, 100_000];
    const part = Buffer.alloc(sizes[pick(sizes.length)]!, `part ${sent.length} `);
    sent.push(part);
    output.reply([part], 0);
  };
  theirs.on("data", (chunk: Buffer) => {
    received.push(chunk);
    // Between what the system takes and the moment in which the next batch goes out.
    for (let i = pick(4); i > 0 && sent.length < 800; i--) send();
  });
  for (let i = 0; i < 400; i++) {
    send();
    // The sender is free to go on with the next batch before the last one has been taken.
    if (pick(5) === 0) await new Promise(setImmediate);
    if (pick(60) === 0) theirs.pause();
    if (pick(20) === 0) theirs.resume();
    if (pick(10) === 0) await setTimeout(1);
  }
  theirs.resume();
  const total = (buffers: Buffer[]): number => buffers.reduce((sum, { length }) => sum + length, 0);
  while (total(received) < total(sent)) await new Promise(setImmediate);
  const whole = Buffer.concat(sent);
  expect({ seed, same: Buffer.concat(received).equals(whole) }).toEqual({ seed, same: true });
  while (taken < sent.length) await new Promise(setImmediate);
}

describe("Output", () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])("over a socket, seed %i", async (seed) => {
    const [ours, theirs] = await socketPair();
    await expectWhole(ours, theirs, seed);
    ours.destroy();
    theirs.destroy();
  });

  it.each([1, 2, 3])("over a stream that holds on to what it is given, seed %i", async (seed) => {
    const stream = new PassThrough({ highWaterMark: 2 ** 20 });
    await expectWhole(stream, stream, seed);
  });

  it("leaves alone what waits to go out when the batch before it has been taken", async () => {
    const written: Uint8Array[] = [];
    const taken: (() => void)[] = [];
    const socket = new Socket();
    socket.write = (chunk: Uint8Array | string, ...rest: unknown[]): boolean => {
      written.push(chunk as Uint8Array);
      const done = rest.at(-1);
      if (typeof done === "function") taken.push(done as () => void);
      return true;
    };
    const output = new Output(socket);
    output.send([Buffer.alloc(30, "a")]);
    await new Promise(setImmediate);
    output.send([Buffer.alloc(20, "b"), Buffer.alloc(10_000, "c")]);
    for (const done of taken) done();
    output.send([Buffer.alloc(60, "d")]);
    await new Promise(setImmediate);
    const second = Buffer.concat(written.slice(1)).toString();
    expect(second).toBe(`${"b".repeat(20)}${"c".repeat(10_000)}${"d".repeat(60)}`);
  });

  it("tells the sender also when nobody takes it any more", async () => {
    const [ours, theirs] = await socketPair();
    theirs.pause();
    ours.on("error", () => undefined);
    const output = new Output(ours);
    const told = Promise.all([
      output.sent(Buffer.alloc(10)),
      output.sent(Buffer.alloc(2 ** 23)),
      output.sent(Buffer.alloc(10)),
    ]);
    await setTimeout(5);
    ours.destroy();
    await expect(told).resolves.toHaveLength(3);
    theirs.destroy();
  });
});
