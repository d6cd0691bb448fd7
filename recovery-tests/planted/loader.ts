/**
 * Plants the bug that the environment variable `PLANTED_BUG` names, in this process only: given to
 * node with `--import`, so that the module is changed before anything has loaded it.
 */
import { register } from "node:module";
import { plant, urlOf } from "./bug.ts";
import { bugOf } from "./bugs.ts";

const name = process.env["PLANTED_BUG"];
if (name !== undefined) {
  const bug = bugOf(name);
  register("./hook.ts", import.meta.url, { data: { url: urlOf(bug), source: plant(bug) } });
}
