/**
 * Opens an lmdb database for each line of its standard input, and answers with what is in it, or
 * with the error: one line of JSON. Then it writes to it, since damaged free lists show only then.
 *
 *     node lmdb-reader.js FLAVOUR
 */
import { createInterface } from "node:readline";
import { open } from "lmdb";
import { optionsFor } from "./lmdb-workload.js";

const [flavour] = process.argv.slice(2);
for await (const path of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const database = open({ path, ...optionsFor(flavour) });
    try {
      const content = contentOf(database);
      database.transactionSync(() => {
        for (let i = 0; i < 8; i++) database.putSync(`new ${i}`, "x".repeat(3000));
      });
      const after = contentOf(database).filter(([key]) => !key.startsWith("new "));
      answer = { content, sameAfter: JSON.stringify(after) === JSON.stringify(content) };
    } finally {
      await database.close();
    }
  } catch (error) {
    answer = { error: String(error) };
  }
  console.log(JSON.stringify(answer));
}

function contentOf(database) {
  return Array.from(database.getRange(), ({ key, value }) => [key, value]);
}
