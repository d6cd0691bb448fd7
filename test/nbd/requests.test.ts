/** Requests: what each command does, and how each mistake is answered. */
import { describe, expect, it, vi } from "vitest";
import { cmd, flag, requestHeader } from "./client.ts";
import { B, DISK_BYTES, pattern, serve } from "./served-store.ts";

const EPERM = 1;
const EINVAL = 22;
const ENOSPC = 28;
const ENOTSUP = 95;
const ESHUTDOWN = 108;

describe.each([true, false])("with structured replies: %s", (structured) => {
  it("bytes that were written are read again, at any offset and length", async () => {
    const { open, host } = await serve();
    const client = await open("disk", { structured });
    const data = pattern(3 * B + 77);
    await client.write(B - 13, data);
    expect(await client.read(B - 13, data.length)).toEqual(data);
    expect(await host.get("disk").read(B - 13, data.length)).toEqual(data);
    expect(await client.read(0, DISK_BYTES)).toEqual(await host.get("disk").read(0, DISK_BYTES));
  });

  it("many requests under way at once are each answered with their own cookie", async () => {
    const { open } = await serve();
    const client = await open("disk", { structured });
    const blocks = Array.from({ length: 200 }, (_, i) => i);
    await Promise.all(blocks.map((i) => client.write(i * B, pattern(B, i))));
    const read = await Promise.all(blocks.map((i) => client.read(i * B, B)));
    expect(read).toEqual(blocks.map((i) => pattern(B, i)));
  });

  it("a disconnect in the midst finishes what is under way and closes", async () => {
    const { open, host } = await serve();
    const client = await open("disk", { structured });
    const writes = Array.from({ length: 20 }, (_, i) => client.write(i * B, pattern(B, i)));
    client.send(requestHeader(0n, { type: cmd.disc }));
    await Promise.all(writes);
    expect(await client.hangUp()).toHaveLength(0);
    expect(await host.get("disk").read(19 * B, B)).toEqual(pattern(B, 19));
  });

  it.each([
    ["a read beyond the end", { type: cmd.read, offset: DISK_BYTES - 1, length: 2 }, EINVAL],
    ["a read at 2^64 - 1", { type: cmd.read, offset: 2n ** 64n - 1n, length: 1 }, EINVAL],
    ["a read at 2^53 + 1", { type: cmd.read, offset: 2n ** 53n + 1n, length: 1 }, EINVAL],
    ["a trim beyond the end", { type: cmd.trim, offset: DISK_BYTES, length: 1 }, EINVAL],
    ["zeroes beyond the end", { type: cmd.zeroes, offset: 1, length: 2 ** 32 - 1 }, ENOSPC],
    ["a cache beyond the end", { type: cmd.cache, offset: 0, length: DISK_BYTES + 1 }, EINVAL],
    ["a status beyond the end", { type: cmd.status, offset: 0, length: DISK_BYTES + 1 }, EINVAL],
    ["a status without contexts", { type: cmd.status, offset: 0, length: 1 }, EINVAL],
    ["a flush with a length", { type: cmd.flush, length: 1 }, EINVAL],
    ["a resize", { type: 8, offset: 5 }, EINVAL],
    ["an unknown command", { type: 999 }, EINVAL],
    ["an unknown flag", { type: cmd.read, length: 1, flags: 1 << 9 }, EINVAL],
    ["a flag of another command", { type: cmd.read, length: 1, flags: flag.noHole }, EINVAL],
    [
      "a flag of another command on a trim",
      { type: cmd.trim, length: 1, flags: flag.fastZero },
      EINVAL,
    ],
  ])("%s is refused, and the connection goes on", async (_what, request, error) => {
    const { open } = await serve();
    const client = await open("disk", { structured });
    const answer = await client.request(request);
    expect(answer.error).toBe(error);
    expect(answer.simple).toBe(!structured);
    expect(await client.read(0, 1)).toHaveLength(1);
  });

  it("a write beyond the end is ENOSPC, and its data is not taken for requests", async () => {
    const { open } = await serve();
    const client = await open("disk", { structured });
    const data = Buffer.concat([
      requestHeader(9n, { type: cmd.trim, length: DISK_BYTES }),
      Buffer.alloc(200_000),
    ]);
    await client.write(0, pattern(B));
    const answer = await client.request({ type: cmd.write, offset: B, length: data.length, data });
    expect(answer.error).toBe(ENOSPC);
    expect(await client.read(0, B)).toEqual(pattern(B));
  });

  it("requests for nothing are answered", async () => {
    const { open } = await serve();
    const client = await open("disk", { structured });
    for (const type of [cmd.read, cmd.write, cmd.trim, cmd.zeroes, cmd.cache]) {
      expect((await client.request({ type, offset: DISK_BYTES, length: 0 })).error).toBe(0);
    }
  });

  it("nothing changes a snapshot, or an export of a read-only server", async () => {
    const { open, host } = await serve();
    await host.get("disk").write(0, pattern(B));
    await host.snapshot("disk", "disk@1");
    const readOnly = await serve({ readOnly: true });
    const clients = [
      await open("disk@1", { structured }),
      await readOnly.open("disk", { structured }),
    ];
    for (const client of clients) {
      for (const type of [cmd.write, cmd.trim, cmd.zeroes]) {
        const data = type === cmd.write ? pattern(B) : undefined;
        expect((await client.request({ type, length: B, ...(data && { data }) })).error).toBe(
          EPERM,
        );
      }
      await client.do(cmd.flush);
      await client.do(cmd.cache, 0, B, flag.fua);
    }
    expect(await clients[0]!.read(0, B)).toEqual(pattern(B));
  });
});

describe("the connection ends", () => {
  it.each([
    ["a wrong magic number", Buffer.alloc(28, 7)],
    ["a write of more than 32 MiB", requestHeader(1n, { type: cmd.write, length: 2 ** 25 + 1 })],
  ])("on %s, and no other does", async (_what, bytes) => {
    const { open, host } = await serve();
    await host.create("large", { size: 2 ** 31 });
    const [client, other] = [await open("large"), await open()];
    client.send(bytes);
    expect(await client.hangUp()).toHaveLength(0);
    await other.write(0, pattern(B));
  });
});

describe("durability", () => {
  it("a flush covers what was answered on every connection; FUA covers its own request", async () => {
    const { open, store } = await serve();
    const [a, b] = [await open(), await open()];
    await a.write(0, pattern(B, 1));
    await a.do(cmd.zeroes, B, B);
    await b.do(cmd.flush);
    await a.write(2 * B, pattern(B, 2), flag.fua);
    await b.write(9 * B, pattern(B, 9));
    // Nothing that was not flushed survives this.
    const lost = store.crash(() => 0);
    const host = await lost.open();
    const disk = host.get("disk");
    expect(await disk.read(0, 3 * B)).toEqual(
      Buffer.concat([pattern(B, 1), Buffer.alloc(B), pattern(B, 2)]),
    );
    await host.close();
  });

  it.each([
    ["write", cmd.write],
    ["trim", cmd.trim],
    ["zeroes", cmd.zeroes],
  ])(
    "a %s with FUA is durable when it is answered, and without it is not flushed",
    async (_what, type) => {
      const { open, host } = await serve();
      await host.get("disk").write(0, pattern(4 * B));
      await host.flush();
      const client = await open();
      const isDurable = (): boolean => host.statistics().durableLsn === host.statistics().lastLsn;
      const data = { ...(type === cmd.write && { data: pattern(B, 3) }) };
      await client.request({ type, offset: 0, length: B, ...data });
      expect(isDurable()).toBe(false);
      await client.request({ type, offset: B, length: B, flags: flag.fua, ...data });
      expect(isDurable()).toBe(true);
    },
  );
});

describe("structured reads", () => {
  it("tell holes apart from data, but not when they must not be fragmented", async () => {
    const { open, host } = await serve();
    const data = pattern(16 * B);
    await host.get("disk").write(32 * B, data);
    await host.get("disk").preallocate(56 * B, 8 * B);
    const client = await open();
    const answer = await client.request({ type: cmd.read, offset: 8 * B, length: 64 * B });
    expect(answer.chunks.map(({ type, done }) => [type, done])).toEqual([
      [2, false],
      [1, false],
      [2, true],
    ]);
    const zeroes = Buffer.alloc(24 * B);
    expect(answer.data).toEqual(Buffer.concat([zeroes, data, zeroes]));
    const whole = await client.request({
      type: cmd.read,
      offset: 8 * B,
      length: 64 * B,
      flags: flag.df,
    });
    expect(whole.chunks.map(({ type }) => type)).toEqual([1]);
    expect(whole.data).toEqual(answer.data);
  });

  it("of a range in tatters are one chunk, not thousands", async () => {
    const { open, host } = await serve();
    for (let i = 0; i < 256; i += 2) await host.get("disk").write(i * B, pattern(B, i));
    const client = await open();
    const { chunks, data } = await client.request({ type: cmd.read, length: DISK_BYTES });
    expect(chunks).toHaveLength(1);
    expect(data).toEqual(await host.get("disk").read(0, DISK_BYTES));
  });
});

describe("TRIM and WRITE_ZEROES", () => {
  it("TRIM frees whole blocks and touches nothing beside them", async () => {
    const { open, host } = await serve();
    const disk = host.get("disk");
    const data = pattern(8 * B);
    await disk.write(0, data);
    const client = await open();
    await client.do(cmd.trim, B + 1, 3 * B);
    const expected = Buffer.from(data);
    expected.fill(0, 2 * B, 4 * B);
    expect(await disk.read(0, 8 * B)).toEqual(expected);
    expect(disk.map(2 * B).type).toBe("hole");
    await client.do(cmd.trim, 5 * B + 1, B);
    expect(await disk.read(0, 8 * B)).toEqual(expected);
  });

  it("WRITE_ZEROES is exact to the byte, and makes holes unless told not to", async () => {
    const { open, host } = await serve();
    const disk = host.get("disk");
    const data = pattern(16 * B);
    await disk.write(0, data);
    const client = await open();
    await client.do(cmd.zeroes, 10, 3 * B);
    await client.do(cmd.zeroes, 5 * B - 3, 3 * B, flag.noHole);
    const expected = Buffer.from(data);
    expected.fill(0, 10, 10 + 3 * B);
    expected.fill(0, 5 * B - 3, 8 * B - 3);
    expect(await disk.read(0, 16 * B)).toEqual(expected);
    expect(disk.map(B).type).toBe("hole");
    expect(disk.map(5 * B)).toMatchObject({ type: "unwritten", length: 2 * B });
  });

  it("zeroes without holes can be written on a full host", async () => {
    const { open, host } = await serve();
    const client = await open();
    await client.do(cmd.zeroes, 0, 8 * B, flag.noHole);
    const rest = await host.create("rest", { size: 2 ** 30 });
    await rest.preallocate(0, host.statistics().free);
    expect(
      (await client.request({ type: cmd.write, offset: 8 * B, length: B, data: pattern(B) })).error,
    ).toBe(ENOSPC);
    await client.write(0, pattern(8 * B));
    expect(await client.read(0, 8 * B)).toEqual(pattern(8 * B));
  });

  // The pieces that it is cut into followed each other without a turn of the event loop: 2 GiB were
  // allocated in 1.3 s of a busy machine, and nobody was answered meanwhile.
  it("zeroes without holes let others in between their pieces", async () => {
    const { open, host } = await serve();
    const huge = await host.create("huge", { size: 2 ** 29 });
    const client = await open("huge");
    let turn = 0;
    const pieces: number[] = [];
    vi.spyOn(huge, "preallocate").mockImplementation(async () => {
      pieces.push(turn);
      setImmediate(() => turn++);
    });
    await client.do(cmd.zeroes, 0, 2 ** 29, flag.noHole);
    expect(pieces).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it("FAST_ZERO is refused within a block, and changes nothing then", async () => {
    const { open } = await serve();
    const client = await open();
    await client.write(0, pattern(4 * B));
    const slow = { type: cmd.zeroes, offset: 5, length: B, flags: flag.fastZero };
    expect((await client.request(slow)).error).toBe(ENOTSUP);
    expect(await client.read(0, 4 * B)).toEqual(pattern(4 * B));
    await client.do(cmd.zeroes, B, 2 * B, flag.fastZero | flag.noHole);
    expect(await client.read(B, 2 * B)).toEqual(Buffer.alloc(2 * B));
  });

  it("take 4 GiB - 1 at once", async () => {
    const { open, host } = await serve();
    const huge = await host.create("huge", { size: 2 ** 33 });
    await huge.write(2 ** 32 - 2 * B, pattern(2 * B));
    const client = await open("huge");
    await client.do(cmd.trim, 0, 2 ** 32 - 1);
    await client.do(cmd.zeroes, 0, 2 ** 32 - 1);
    await client.do(cmd.cache, 0, 2 ** 32 - 1);
    expect(await client.read(2 ** 32 - 2 * B, 2 * B)).toEqual(
      Buffer.concat([Buffer.alloc(2 * B - 1), pattern(2 * B).subarray(-1)]),
    );
  });
});

describe("what happens to an export meanwhile", () => {
  it("requests to a deleted subvolume fail, and to one made smaller beyond its end", async () => {
    const { open, host } = await serve();
    const client = await open();
    await host.get("disk").resize(4 * B);
    expect((await client.request({ type: cmd.read, offset: 3 * B, length: 2 * B })).error).toBe(
      EINVAL,
    );
    const data = pattern(B);
    expect((await client.request({ type: cmd.write, offset: 4 * B, length: B, data })).error).toBe(
      ENOSPC,
    );
    await client.write(3 * B, data);
    await host.delete("disk");
    expect((await client.request({ type: cmd.read, length: B })).error).toBe(ESHUTDOWN);
    expect((await client.request({ type: cmd.write, length: B, data })).error).toBe(ESHUTDOWN);
  });

  it("a snapshot that was made while a client writes can be read, and stays as it is", async () => {
    const { open, host } = await serve();
    const client = await open();
    await client.write(0, pattern(B, 1));
    await host.snapshot("disk", "disk@1");
    await client.write(0, pattern(B, 2));
    const reader = await open("disk@1");
    expect(await reader.read(0, B)).toEqual(pattern(B, 1));
    expect(await client.read(0, B)).toEqual(pattern(B, 2));
  });
});
