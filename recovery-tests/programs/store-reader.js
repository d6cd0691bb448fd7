/**
 * Opens a store for each line of its standard input, as after a crash, and answers with one line of
 * JSON: what the store holds, or the error. A line is JSON, too: the path, and whether to do it the
 * long way.
 */
import { createInterface } from "node:readline";
import { inspect } from "./store-inspection.js";

for await (const line of createInterface({ input: process.stdin })) {
  const { path, long } = JSON.parse(line);
  console.log(JSON.stringify(await inspect(path, long)));
}
