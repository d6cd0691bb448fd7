/**
 * A store as network block devices: any NBD client (qemu, nbdcopy, fio, nbdfuse) can use the
 * subvolumes as disks, while this program makes snapshots of them. On the command line the same is
 * `blockspace serve my-store`.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GiB, Host } from "blockspace";
import { NbdServer } from "blockspace/nbd";

const directory = await mkdtemp(join(tmpdir(), "blockspace-"));
const host = await Host.open(join(directory, "store"), { create: true });
await host.create("disk", { size: 8 * GiB });

const server = new NbdServer(host);
const uri = await server.listen({ path: join(directory, "nbd.sock") });
console.log(`clients connect to ${uri.replace(directory, "DIRECTORY")}`);

// Exported at once, as read-only; what clients write to the disk later is not in it.
await host.snapshot("disk", "disk@now");
console.log(
  `exports: ${host
    .list()
    .map(({ name }) => name)
    .join(", ")}`,
);

// Finishes what is under way, makes it durable, hangs up. The host is ours to close.
await server.close();
await host.close();
await rm(directory, { recursive: true });
