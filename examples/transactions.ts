/**
 * Transactions: changes of several subvolumes that happen together or not at all, also when the
 * power fails between them. Here a table and its log move in step.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Host, isBlockspaceError, MiB } from "blockspace";

const directory = await mkdtemp(join(tmpdir(), "blockspace-"));
const host = await Host.open(join(directory, "store"), { create: true });
const table = await host.create("table", { size: MiB });
const log = await host.create("log", { size: 4096 });

async function show(when: string): Promise<void> {
  const [balance, entry] = [await table.read(0, 12), await log.read(0, 12)];
  console.log(`${when}: ${balance.toString()} / ${entry.toString()}`);
}

// One commit, durable when it resolves. The snapshot holds what the calls before it wrote.
await host.transact((tx) => {
  tx.write(table, 0, Buffer.from("balance: 100"));
  tx.write(log, 0, Buffer.from("deposit: 100"));
  tx.snapshot("table", "table@1");
});
await show("first transaction");

// One call that cannot be carried out, and none is: the log has only 4096 bytes.
try {
  await host.transact((tx) => {
    tx.write(table, 0, Buffer.from("balance: 200"));
    tx.write(log, 4090, Buffer.from("deposit: 100"));
  });
} catch (error) {
  if (!isBlockspaceError(error, "ERANGE")) throw error;
  console.log(`refused: ${error.message}`);
}
await show("after the refusal");

// An error of the caller's own ends the transaction before anything of it was done.
try {
  await host.transact((tx) => {
    tx.write(table, 0, Buffer.from("balance: -50"));
    throw new Error("a balance is never negative");
  });
} catch (error) {
  console.log(`given up: ${(error as Error).message}`);
}
await show("after giving up");

await host.close();
await rm(directory, { recursive: true });
