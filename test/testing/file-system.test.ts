/** Node's own file system and the simulated one keep to the same suite. */
import { describe } from "vitest";
import { describeFileSystem } from "./file-system-suite.ts";
import { describeNames } from "./names-suite.ts";
import { isLinux, removeAfterEach, subjects } from "./subjects.ts";

removeAfterEach();

for (const [name, make] of Object.entries(subjects)) {
  const isReal = name.startsWith("node:");
  // The simulated one does as Linux does; on other systems node's own differs in details.
  describe.skipIf(isReal && !isLinux)("as node does it on Linux", () => {
    describeFileSystem(name, make);
    describeNames(name, make);
  });
}
