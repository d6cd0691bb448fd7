/**
 * An environment that is made on a file system with hardly any space: whatever is missing is told
 * as an error, and the process lives. (LMDB by itself ends it, `SIGBUS` or `SIGSEGV`.)
 */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";

const program = fileURLToPath(new URL("./open-on-full-disk.ts", import.meta.url));
const PAGE = 4096;
const PAGES = 64;
/** Too few for its lock file, too few for its first pages, enough for a commit. */
const left = [1, 4, 24];

let disk = "";
const reason =
  process.platform !== "linux" || process.getuid?.() !== 0 ? "mounting needs root" : "";

beforeAll(async () => {
  disk = await mkdtemp(join(tmpdir(), "blockspace-test-"));
});

afterAll(async () => {
  await rm(disk, { recursive: true });
});

it.skipIf(reason !== "")(
  `what is missing is told as an error${reason && ` (skipped: ${reason})`}`,
  { timeout: 120_000 },
  async (context) => {
    const options = ["-t", "tmpfs", "-o", `size=${PAGES * PAGE}`, "tmpfs", disk];
    const mount = spawnSync("mount", options, { encoding: "utf8" });
    if (mount.status !== 0) return context.skip(`nothing can be mounted: ${mount.stderr}`);
    try {
      const ends: string[] = [];
      for (const pages of left) {
        await writeFile(join(disk, "ballast"), Buffer.alloc((PAGES - pages) * PAGE));
        const path = join(disk, "checkpoint");
        const child = ["--import", "tsx", program, path];
        const { status, signal, stdout } = spawnSync(process.execPath, child, { encoding: "utf8" });
        expect({ pages, status, signal }).toEqual({ pages, status: 0, signal: null });
        expect(stdout).toMatch(/^done$|^failed BlockspaceError: EIO: .*ENOSPC/m);
        ends.push(stdout.split(" ")[0]!.trim());
        await rm(path, { recursive: true, force: true });
        await rm(join(disk, "ballast"));
      }
      expect([ends[0], ends.at(-1)]).toEqual(["failed", "done"]);
    } finally {
      spawnSync("umount", ["-l", disk]);
    }
  },
);
