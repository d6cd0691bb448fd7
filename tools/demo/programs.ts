/** Runs other programs to their end, and says what they said when they fail. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** Runs a program; its standard output, or an error with everything that it printed. */
export async function run(program: string, args: readonly string[]): Promise<string> {
  try {
    return (await execute(program, args)).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    const said = `${stdout ?? ""}${stderr ?? ""}`.trim();
    throw new Error(`${program} ${args.join(" ")} failed: ${said}`, { cause: error });
  }
}

/** The path of a system's program, also where only the administrator looks for it. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}
