/** Opens a store and tells how long that took and what was replayed. Argument: the store. */
import { argv } from "node:process";
import { Host } from "blockspace";

const began = performance.now();
const host = await Host.open(argv[2]!);
process.send!({ milliseconds: performance.now() - began, recovery: host.recovery });
// Until it is killed.
setInterval(() => undefined, 1000);
