/**
 * What a store is found to hold after a crash. The short way opens it read-only; the long way, some
 * ten times as costly, opens it for writing, lets it work, closes it and opens it once more.
 */
import { Host } from "blockspace";
import { describeHost, options } from "./store-workload.js";

/** Never throws: what fails is part of the answer. */
export async function inspect(path, long) {
  try {
    if (!long) return { content: await lookOrCreate(path) };
    const content = await look(path, options, async (host) => {
      await (await host.create("after the crash", { size: 600 })).write(0, Buffer.alloc(600, 7));
      await host.checkpoint();
      await host.delete("after the crash");
      await host.flush();
    });
    const again = await look(path, { readOnly: true });
    if (again !== content) throw new Error(`held ${content}; a second opening finds ${again}`);
    return { content };
  } catch (error) {
    return { error: String(error?.stack ?? error) };
  }
}

async function look(path, openOptions, work) {
  const host = await Host.open(path, openOptions);
  try {
    const { free, reserved, staged, allocated, busy, capacity } = host.statistics();
    if (free + reserved + staged + allocated + busy !== capacity) {
      throw new Error("space is not conserved");
    }
    const content = await describeHost(host);
    await work?.(host);
    return content;
  } finally {
    await host.close();
  }
}

/** A store whose creation was not finished is not there yet: it is made when it is opened again. */
async function lookOrCreate(path) {
  try {
    return await look(path, { readOnly: true });
  } catch (error) {
    if (error?.code !== "ENOENT") throw error;
    return look(path, options);
  }
}
