/** What a store is found to hold after a crash, and whether it still works. */
import { Host } from "blockspace";
import { describeHost, options } from "./store-workload.js";

/** Never throws: what fails is part of the answer. */
export async function inspect(path) {
  try {
    const host = await Host.open(path, options);
    let content;
    try {
      const { free, reserved, staged, allocated, busy, capacity } = host.statistics();
      if (free + reserved + staged + allocated + busy !== capacity) {
        throw new Error("space is not conserved");
      }
      content = await describeHost(host);
      await (await host.create("after the crash", { size: 600 })).write(0, Buffer.alloc(600, 7));
      await host.checkpoint();
      await host.delete("after the crash");
      await host.flush();
    } finally {
      await host.close();
    }
    const again = await Host.open(path, { readOnly: true });
    try {
      const contentAgain = await describeHost(again);
      if (contentAgain !== content) throw new Error(`a second opening finds ${contentAgain}`);
    } finally {
      await again.close();
    }
    return { content };
  } catch (error) {
    return { error: String(error?.stack ?? error) };
  }
}
