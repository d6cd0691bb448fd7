/** A process of its own that takes a lock, says how that went, and then waits to be killed. */
import { isBlockspaceError } from "../../src/base/errors.ts";
import { FileDirectory } from "../../src/device/file-directory.ts";

const [path, mode] = process.argv.slice(2) as [string, "exclusive" | "shared"];
try {
  await new FileDirectory(path).lock("lock", mode);
  console.log("held");
  setInterval(() => undefined, 1000);
} catch (error) {
  console.log(isBlockspaceError(error) ? error.code : String(error));
}
