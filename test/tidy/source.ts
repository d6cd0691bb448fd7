/**
 * What the structural rules see of a source file: its syntax tree, and what it refers to.
 *
 * The tree comes from the parser inside vitest, so that neither comments nor strings that look like
 * code can mislead a rule.
 */
import { posix } from "node:path";
import { parseAst } from "vitest/node";

/** A file of the repository; its path is relative to the root, with forward slashes. */
export interface SourceFile {
  path: string;
  text: string;
}

/** A node of the syntax tree (ESTree with the nodes of TypeScript). */
export interface SyntaxNode {
  type: string;
  start: number;
  [field: string]: unknown;
}

/**
 * How a file refers to another: `import` (also `export from` and types), `dynamic` for `import()`,
 * `url` for `new URL("./x", import.meta.url)`, which is how workers are started.
 */
export interface Reference {
  kind: "import" | "dynamic" | "url";
  /** As written; `undefined` when it is computed. */
  specifier: string | undefined;
  line: number;
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

/** `value` as a node, when it is one of this type. */
export function nodeOf(value: unknown, type: string): SyntaxNode | undefined {
  return isNode(value) && value.type === type ? value : undefined;
}

/** The nodes directly below `node`, in the order of the text. */
export function* childrenOf(node: SyntaxNode): Iterable<SyntaxNode> {
  for (const value of Object.values(node)) {
    for (const item of Array.isArray(value) ? value : [value]) if (isNode(item)) yield item;
  }
}

/** Every node of the tree under `node`, itself first. */
export function* walk(node: SyntaxNode): Iterable<SyntaxNode> {
  yield node;
  for (const child of childrenOf(node)) yield* walk(child);
}

const trees = new WeakMap<SourceFile, SyntaxNode>();

/** The syntax tree of a file; text that does not parse throws, and names the file. */
export function parse(file: SourceFile): SyntaxNode {
  let tree = trees.get(file);
  if (!tree) {
    const lang = file.path.endsWith(".d.ts") ? "dts" : file.path.endsWith(".ts") ? "ts" : "js";
    // Deprecated in favour of a function that vitest does not pass on to its users.
    // oxlint-disable-next-line typescript/no-deprecated
    tree = parseAst(file.text, { lang }, file.path) as unknown as SyntaxNode;
    trees.set(file, tree);
  }
  return tree;
}

/** The number of the line that holds this position of the text, from 1. */
export function lineAt(file: SourceFile, position: number): number {
  return file.text.slice(0, position).split("\n").length;
}

/** Everything that a file refers to by name or path, in the order of the text. */
export function referencesOf(file: SourceFile): Reference[] {
  const references: Reference[] = [];
  for (const node of walk(parse(file))) {
    const found = referenceAt(node);
    if (found) references.push({ ...found, line: lineAt(file, node.start) });
  }
  return references;
}

function referenceAt(node: SyntaxNode): Omit<Reference, "line"> | undefined {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportAllDeclaration":
    case "ExportNamedDeclaration":
    case "TSImportType": {
      const specifier = literalText(node["source"]);
      return specifier === undefined ? undefined : { kind: "import", specifier };
    }
    case "ImportExpression":
      return { kind: "dynamic", specifier: literalText(node["source"]) };
    case "NewExpression":
      return isOwnUrl(node) ? { kind: "url", specifier: firstArgument(node) } : undefined;
    default:
      return undefined;
  }
}

/** The path that a relative specifier in a file points to; `undefined` for a package. */
export function targetOf(file: SourceFile, specifier: string): string | undefined {
  if (!/^\.\.?\//.test(specifier)) return undefined;
  return posix.join(posix.dirname(file.path), specifier);
}

/** The name of the package (or builtin) of a bare specifier: `@a/b/c` is in `@a/b`. */
export function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function literalText(value: unknown): string | undefined {
  const text = nodeOf(value, "Literal")?.["value"];
  return typeof text === "string" ? text : undefined;
}

function firstArgument(node: SyntaxNode): string | undefined {
  return literalText((node["arguments"] as unknown[])[0]);
}

/** `new URL(..., import.meta.url)`. */
function isOwnUrl(node: SyntaxNode): boolean {
  if (nodeOf(node["callee"], "Identifier")?.["name"] !== "URL") return false;
  const base = nodeOf((node["arguments"] as unknown[])[1], "MemberExpression");
  return nodeOf(base?.["object"], "MetaProperty") !== undefined;
}
