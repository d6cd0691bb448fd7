/**
 * Opens a store, says `open` or the code with which it was refused, then does what the lines of its
 * standard input say: `write N` (flushed), `read`, `close`; each is answered with one line.
 *
 *     node store-owner.js PATH write|read
 */
import { createInterface } from "node:readline";
import { Host } from "blockspace";
import { options } from "./store-workload.js";

const [path, mode] = process.argv.slice(2);
let host;
try {
  host = await Host.open(path, mode === "read" ? { readOnly: true } : options);
  console.log("open");
} catch (error) {
  console.log(error.code ?? String(error));
  process.exit();
}
for await (const line of createInterface({ input: process.stdin })) {
  const [verb, number] = line.split(" ");
  try {
    if (verb === "write") {
      const names = host.list().map(({ name }) => name);
      const volume = names.includes("disk")
        ? host.get("disk")
        : await host.create("disk", { size: 4096 });
      await volume.write(0, Buffer.alloc(4096, Number(number)));
      await volume.flush();
      console.log("written");
    } else if (verb === "read") {
      const found = host.list().length > 0 ? (await host.get("disk").read(0, 4096))[4095] : "none";
      console.log(String(found));
    } else {
      await host.close();
      console.log("closed");
    }
  } catch (error) {
    console.log(error.code ?? String(error));
  }
}
