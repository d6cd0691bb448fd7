/** Reads the repository for the structural rules: its source files, manifest and documents. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { SourceFile } from "./source.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folders = ["src", "test", "recovery-tests", "tools", "examples"];

/** Every source file of the repository, sorted by path. */
export function readTree(): SourceFile[] {
  const paths = readdirSync(root).filter(isSource);
  for (const folder of folders) {
    if (!existsSync(join(root, folder))) continue;
    for (const path of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })) {
      if (isSource(path)) paths.push(join(folder, path).split(sep).join("/"));
    }
  }
  return paths.toSorted().map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

/** The text of a document at the root, or `undefined` when there is none. */
export function readDocument(name: string): string | undefined {
  return existsSync(join(root, name)) ? readFileSync(join(root, name), "utf8") : undefined;
}

/** The names of the packages that an installed Blockspace needs. */
export function runtimeDependencies(): string[] {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  return Object.keys(manifest.dependencies);
}

function isSource(path: string): boolean {
  return /\.[cm]?[jt]s$/.test(path);
}
