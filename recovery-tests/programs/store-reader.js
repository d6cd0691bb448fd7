/**
 * Opens a store for each line of its standard input, as after a crash, and answers with one line of
 * JSON: what the store held, whether its space adds up, what it holds after a write, a flush and a
 * second opening, or the error.
 */
import { createInterface } from "node:readline";
import { inspect } from "./store-inspection.js";

for await (const path of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await inspect(path)));
}
