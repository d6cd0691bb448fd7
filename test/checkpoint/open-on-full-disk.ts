/**
 * A process that opens environment `a` of the directory in its first argument, commits to it, and
 * says how that went: `done`, or `failed` and the error.
 */
import { lmdbEnvironments } from "../../src/checkpoint/lmdb-environment.ts";
import { put, storeId } from "./naive-closing.ts";

try {
  const environment = await lmdbEnvironments(process.argv[2]!, { storeId })("a");
  await environment.commit([put(1, 1, 3000, 1)], { epoch: 1, lsn: 1, reset: true });
  await environment.close();
  console.log("done");
} catch (error) {
  console.log(`failed ${String(error)}`);
}
