/**
 * A served subvolume as a mounted file system: nbdfuse makes a file of it, the kernel a loop device
 * of the file, and mount(8) does the rest. Nothing is remembered anywhere: what belongs to a mount
 * is found again from the system's own tables.
 *
 *     RUNTIME/blockspace-mount-RANDOM/fuse/disk   the subvolume as a file, while nbdfuse runs
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdir, mkdtemp, readFile, realpath, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { BlockspaceError } from "../base/errors.ts";

/** The programs that it takes, and the Debian packages that have them. */
const programs: Readonly<Record<string, string>> = {
  nbdfuse: "nbdfuse",
  fusermount3: "fuse3",
  mount: "mount",
  umount: "mount",
};
const PREFIX = "blockspace-mount-";
const POLL_MS = 20;
/** The system may hold on to a file system that has just been busy. */
const UNMOUNT_ATTEMPTS = 50;

export interface MountRequest {
  /** What nbdfuse connects to. */
  uri: string;
  directory: string;
  readOnly: boolean;
  /** As `mount -o` takes them. */
  options: string | undefined;
  /** As `mount -t` takes it; found out unless given. */
  type: string | undefined;
  signal: AbortSignal;
}

/** Mounts, or leaves nothing behind. */
export async function mountSubvolume(request: MountRequest): Promise<void> {
  await checkPrograms();
  const place = await mkdtemp(join(process.env["XDG_RUNTIME_DIR"] ?? tmpdir(), PREFIX));
  try {
    const file = await attach(place, request);
    const options = ["loop", ...(request.readOnly ? ["ro"] : [])];
    if (request.options !== undefined) options.push(request.options);
    const type = request.type === undefined ? [] : ["-t", request.type];
    request.signal.throwIfAborted();
    await run("mount", [...type, "-o", options.join(","), file, request.directory]);
  } catch (error) {
    await detach(place).catch(() => undefined);
    throw error;
  }
}

/** Unmounts what {@link mountSubvolume} has mounted. */
export async function unmountSubvolume(directory: string): Promise<void> {
  await checkPrograms();
  const target = await realpath(directory).catch(() => directory);
  const place = await placeOf(target);
  await run("umount", [target]);
  await detach(place);
}

/** Makes the file, and resolves with its path when it can be used. */
async function attach(place: string, { uri, readOnly, signal }: MountRequest): Promise<string> {
  const [fuse, ready] = [join(place, "fuse"), join(place, "pid")];
  await mkdir(fuse);
  const args = ["-P", ready, ...(readOnly ? ["-r"] : []), join(fuse, "disk"), uri];
  // It serves the file until it is unmounted, long after this process.
  const child = spawn("nbdfuse", args, { detached: true, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const ended = once(child, "exit").then(() => "ended");
  while (!(await succeeds(access(ready)))) {
    if (signal.aborted) child.kill();
    if ((await Promise.race([ended, setTimeout(POLL_MS)])) !== "ended") continue;
    signal.throwIfAborted();
    throw new BlockspaceError("EIO", `nbdfuse failed: ${said.trim()}`);
  }
  child.unref();
  child.stderr.destroy();
  return join(fuse, "disk");
}

async function detach(place: string): Promise<void> {
  const fuse = join(place, "fuse");
  for (let attempt = 1; ; attempt++) {
    try {
      await run("fusermount3", ["-u", fuse]);
      break;
    } catch (error) {
      // Nothing was mounted, or somebody still lets go of it.
      if (await succeeds(rmdir(fuse))) break;
      if (attempt === UNMOUNT_ATTEMPTS) throw error;
      await setTimeout(POLL_MS);
    }
  }
  await rm(place, { recursive: true, force: true });
}

/** Where the file lies that the loop device under a mount point is made of. */
async function placeOf(target: string): Promise<string> {
  const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n");
  const devices = mounts
    .map((line) => line.split(" "))
    .filter(([, at]) => at !== undefined && unescape8(at) === target)
    .map(([device]) => basename(device!));
  const device = devices.at(-1) ?? "";
  const backing = await readFile(`/sys/block/${device}/loop/backing_file`, "utf8").catch(() => "");
  const fuse = dirname(backing.trim());
  const place = dirname(fuse);
  if (basename(fuse) === "fuse" && basename(place).startsWith(PREFIX)) return place;
  throw new BlockspaceError("EINVAL", `${target} was not mounted by blockspace mount`);
}

/** The kernel writes odd characters of a path as `\040`. */
function unescape8(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

async function checkPrograms(): Promise<void> {
  const folders = (process.env["PATH"] ?? "").split(":");
  const missing = new Set<string>();
  for (const [program, debianPackage] of Object.entries(programs)) {
    const found = folders.map((folder) => access(join(folder, program)));
    if (!(await succeeds(Promise.any(found)))) missing.add(debianPackage);
  }
  if (missing.size === 0) return;
  const list = [...missing].join(", ");
  throw new BlockspaceError("ENOTSUP", `a program is missing; the Debian packages are ${list}`);
}

function succeeds(attempt: Promise<unknown>): Promise<boolean> {
  return attempt.then(
    () => true,
    () => false,
  );
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const [code] = (await once(child, "close")) as [number | null];
  if (code === 0) return;
  const what = said.trim().split("\n")[0] ?? `exit code ${code}`;
  throw new BlockspaceError("EIO", `${program} failed: ${what}`);
}
