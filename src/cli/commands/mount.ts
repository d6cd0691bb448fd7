/** `mount` and `umount`: a file system on a served subvolume, for Linux. */
import { resolve, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Command } from "commander";
import { BlockspaceError } from "../../base/errors.ts";
import { addExamples } from "../arguments.ts";
import { NBD_SOCKET } from "../listening.ts";
import type { Session } from "../session.ts";

/** A server that was started just before needs a moment. */
const WAIT_MS = 3000;
const POLL_MS = 50;

interface MountOptions {
  readOnly?: boolean;
  options?: string;
  type?: string;
}

interface Mounted {
  /** The subvolume, and where it goes. */
  name: string;
  directory: string;
}

export function addMountCommands(program: Command, session: Session): void {
  const mount = program
    .command("mount")
    .summary("mount the file system on a served subvolume")
    .description(
      "Mounts the file system that is on a subvolume, by way of nbdfuse and a loop device. The" +
        " store must be served at STORE/nbd.sock. Needs Linux, root, and the Debian packages" +
        " nbdfuse and fuse3. Mount a clone of a snapshot rather than the snapshot: the file" +
        " system wants to recover its log.",
    )
    .argument("<STORE>", "the store's directory")
    .argument("<NAME>", "the subvolume")
    .argument("<DIR>", "where to mount it")
    .option("--read-only", "mount it read-only")
    .option("--options <LIST>", "as mount -o takes them; XFS wants nouuid for a clone")
    .option("--type <FS>", "as mount -t takes it; found out unless given")
    .action((store: string, name: string, directory: string, options: MountOptions) =>
      mountNamed(session, store, { ...options, name, directory }),
    );
  addExamples(
    mount,
    ["blockspace serve my-store &", "once for all of the store"],
    ["blockspace mount my-store disk /mnt", "while it is mounted, snapshot it as you like"],
  );
  const umount = program
    .command("umount")
    .summary("unmount what mount has mounted")
    .description("Unmounts a file system, and lets go of the loop device and of nbdfuse.")
    .argument("<DIR>", "where it is mounted")
    .action(async (directory: string) => {
      const { unmountSubvolume } = await import("../loop-mount.ts");
      await unmountSubvolume(resolve(directory));
      session.detail(`unmounted ${directory}`);
    });
  addExamples(umount, ["blockspace umount /mnt", "everything is durable then"]);
}

async function mountNamed(
  { signal }: Session,
  store: string,
  { name, directory, readOnly = false, options, type }: MountOptions & Mounted,
): Promise<void> {
  const [{ mountSubvolume }, { isAnswered }] = await Promise.all([
    import("../loop-mount.ts"),
    import("../../nbd/listen.ts"),
  ]);
  const socket = join(resolve(store), NBD_SOCKET);
  for (let waited = 0; !(await isAnswered(socket)); waited += POLL_MS) {
    if (waited >= WAIT_MS) {
      const advice = `run "blockspace serve ${store}" first`;
      throw new BlockspaceError("ENOENT", `nobody listens at ${socket}; ${advice}`);
    }
    await setTimeout(POLL_MS, undefined, { signal });
  }
  const query = `socket=${encodeURIComponent(socket)}`;
  const uri = `nbd+unix:///${encodeURIComponent(name)}?${query}`;
  await mountSubvolume({ uri, directory: resolve(directory), readOnly, options, type, signal });
}
