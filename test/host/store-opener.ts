/** A process of its own that opens a store, says how that went, and then waits to be killed. */
import { isBlockspaceError } from "../../src/base/errors.ts";
import { Host } from "../../src/host/host.ts";

const [path, mode] = process.argv.slice(2) as [string, "write" | "read"];
try {
  await Host.open(path, { readOnly: mode === "read" });
  console.log("open");
  setInterval(() => undefined, 1000);
} catch (error) {
  console.log(isBlockspaceError(error) ? error.code : String(error));
}
