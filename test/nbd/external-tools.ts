/** Programs of others that the tests run, and what this machine lets them do. */
import { type ExecFileException, execFile, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** What of these cannot be run here, as the reason for a skipped test; empty when all can. */
export function missing(...tools: readonly string[]): string {
  const absent = tools.filter((name) => spawnSync("which", [name]).status !== 0);
  return absent.length === 0 ? "" : `not installed: ${absent.join(", ")}`;
}

/** Why file systems on network block devices cannot be mounted here; empty when they can. */
export function cannotMount(kind: string): string {
  const absent = missing("nbdfuse", "fusermount3", "losetup", `mkfs.${kind}`);
  if (absent !== "") return absent;
  if (process.getuid?.() !== 0) return "mounting needs root";
  if (!existsSync("/dev/fuse")) return "no /dev/fuse";
  return existsSync("/dev/loop-control") ? "" : "no loop devices";
}

/** Goes behind the title of a test, so that a skipped one says why. */
export function note(reason: string): string {
  return reason === "" ? "" : ` (skipped: ${reason})`;
}

export interface ToolEnd {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end, however that is. */
export async function tryTool(
  name: string,
  args: readonly string[],
  options: { env?: Record<string, string>; cwd?: string } = {},
): Promise<ToolEnd> {
  const all = { maxBuffer: 2 ** 28, ...options, env: { ...process.env, ...options.env } };
  return new Promise((resolve) => {
    execFile(name, args, all, (error: ExecFileException | null, stdout, stderr) => {
      const code = error ? (typeof error.code === "number" ? error.code : -1) : 0;
      resolve({ code, stdout, stderr });
    });
  });
}

/** Runs a program, which must do well, and returns its output. */
export async function tool(name: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await tryTool(name, args);
  if (code === 0) return stdout;
  throw new Error(`${name} ${args.join(" ")} ended with ${code}: ${stdout}${stderr}`);
}
