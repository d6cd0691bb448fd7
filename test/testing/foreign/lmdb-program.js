/**
 * A program of somebody else's: it commits transactions to an lmdb database one after the other, and
 * prints the number of each when lmdb has said that it is flushed.
 *
 *     node lmdb-program.js FLAVOUR FIRST LAST
 */
import { open } from "lmdb";
import { changesOf, optionsFor } from "./lmdb-workload.js";

const [flavour, first, last] = process.argv.slice(2);
const database = open({ path: "data.mdb", ...optionsFor(flavour) });
for (let transaction = Number(first); transaction <= Number(last); transaction++) {
  await database.transaction(() => {
    for (const { key, value } of changesOf(transaction)) {
      if (value === null) database.removeSync(key);
      else database.putSync(key, value);
    }
  });
  await database.flushed;
  console.log(transaction);
}
await database.close();
