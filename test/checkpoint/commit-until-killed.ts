/**
 * A process that commits to environment `a` of the directory in its first argument until it is
 * killed, and writes the number of every epoch that is durable, one a line.
 *
 * At epoch n the table holds ids n to n + 199, each with n in every byte: every commit replaces,
 * adds and removes.
 */
import { lmdbEnvironments } from "../../src/checkpoint/lmdb-environment.ts";
import { put, remove, storeId } from "./naive-closing.ts";

const environment = await lmdbEnvironments(process.argv[2]!, { storeId })("a");
for (let epoch = (environment.closing()?.epoch ?? 0) + 1; ; epoch++) {
  const changes = Array.from({ length: 200 }, (_, i) => put(1, epoch + i, 3000, epoch % 256));
  await environment.commit([...changes, remove(1, epoch - 1)], { epoch, lsn: epoch, reset: false });
  process.stdout.write(`${epoch}\n`);
}
