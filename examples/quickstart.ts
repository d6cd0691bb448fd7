/** The example of the README, run in a directory of its own that is removed afterwards. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GiB, Host } from "blockspace";

const directory = await mkdtemp(join(tmpdir(), "blockspace-"));
process.chdir(directory);

const host = await Host.open("./my-store", { create: true });
const disk = await host.create("disk", { size: 8 * GiB });
await disk.write(4096, Buffer.from("hello"));
await disk.flush(); // from here on it survives kill -9 and loss of power

await host.snapshot("disk", "disk@monday"); // read-only
const experiment = await host.clone("disk@monday", "experiment"); // writable, shares all blocks
await experiment.write(4096, Buffer.from("HELLO"));
const words = [await disk.read(4096, 5), await experiment.read(4096, 5)];
console.log(words.join(" ")); // hello HELLO
await host.close();

await rm(directory, { recursive: true });
