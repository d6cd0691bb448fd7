/** A server's socket whose bytes the system puts into our memory: all of them, and not too many. */
import { once } from "node:events";
import { connect, createServer, Socket } from "node:net";
import { describe, expect, it } from "vitest";
import type { Incoming } from "../../src/nbd/connection.ts";
import { readDirectly } from "../../src/nbd/direct-socket.ts";
import { scratch } from "../cli/blockspace.ts";
import { pattern } from "./served-store.ts";

const at = scratch();

/** The two ends of a connection, ours as a server takes it over. */
async function connected(): Promise<{ accepted: Socket; ours: Incoming; theirs: Socket }> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(at("sock"));
  await once(server, "listening");
  const theirs = connect({ path: at("sock"), allowHalfOpen: true });
  const [accepted] = (await once(server, "connection")) as [Socket];
  server.close();
  return { accepted, ours: readDirectly(accepted), theirs };
}

describe("readDirectly", () => {
  it("takes over the connection, in both directions, to its end", async () => {
    const { accepted, ours, theirs } = await connected();
    expect(ours.stream).not.toBe(accepted);
    const bytes = pattern(3_000_000, 1);
    theirs.end(bytes);
    const taken = Buffer.alloc(bytes.length);
    expect(await ours.input.fill(taken)).toBe(true);
    expect(taken.equals(bytes)).toBe(true);
    expect(await ours.input.has(1)).toBe(false);
    const answer: Buffer[] = [];
    theirs.on("data", (chunk: Buffer) => answer.push(chunk));
    ours.stream.end("and back");
    await once(theirs, "end");
    expect(Buffer.concat(answer).toString()).toBe("and back");
  });

  it("reads no more while nobody takes what has come", async () => {
    const { ours, theirs } = await connected();
    const bytes = pattern(8_000_000, 2);
    theirs.end(bytes);
    expect(await ours.input.has(1)).toBe(true);
    for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate);
    expect(ours.input.available).toBeLessThan(2 ** 20);
    const taken = Buffer.alloc(bytes.length);
    expect(await ours.input.fill(taken)).toBe(true);
    expect(taken.equals(bytes)).toBe(true);
    ours.stream.destroy();
  });

  it("tells that the other side is gone", async () => {
    const { ours, theirs } = await connected();
    theirs.destroy();
    expect(await ours.input.has(1)).toBe(false);
    expect(ours.input.ended).toBe(true);
    ours.stream.destroy();
  });

  it("leaves a socket as it is whose handle is not what it takes", async () => {
    const socket = new Socket();
    const { stream, input } = readDirectly(socket);
    expect(stream).toBe(socket);
    socket.emit("data", Buffer.from("bytes"));
    expect(input.take(5).toString()).toBe("bytes");
    socket.destroy();
  });
});
