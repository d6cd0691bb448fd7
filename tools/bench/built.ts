/** Where the built code lies: what is measured is what users get, not the sources. */
import { fileURLToPath } from "node:url";

export const root: string = fileURLToPath(new URL("../../", import.meta.url));
/** The command `blockspace`. */
export const builtCommand: string = fileURLToPath(
  new URL("../../dist/cli/main.js", import.meta.url),
);
