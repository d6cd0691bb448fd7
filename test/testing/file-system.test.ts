/** Node's own file system and the simulated one keep to the same suite. */
import { describe } from "vitest";
import { describeFileSystem } from "./file-system-suite.ts";
import { describeNames } from "./names-suite.ts";
import { isLinux, removeAfterEach, subjects } from "./subjects.ts";

removeAfterEach();

for (const [name, make] of Object.entries(subjects)) {
  const isReal = name.startsWith("node:");
  describe.skipIf(isReal && !isLinux)(isReal ? "as it is on Linux" : "as node does it", () => {
    describeFileSystem(name, make);
    describeNames(name, make);
  });
}
