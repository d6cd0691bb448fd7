/**
 * The rule that keeps lmdb's traps shut. They all have one shape: a call that returns before its
 * transaction is durable, and looks as if it had waited.
 *
 *  1. `transactionSync(() => db.put(k, v))`: the concise body hands put's promise to lmdb, and the
 *     call then returns *before* the fdatasync. So its argument is a function written in place, not
 *     async, with a block for a body, that returns nothing.
 *  2. `put`, `remove`, `transaction` and their like are asynchronous, and their promises (as
 *     `flushed` and `committed`) have been seen to resolve after an error. Files that import lmdb
 *     use the calls that end in `Sync`.
 */
import {
  childrenOf,
  lineAt,
  nodeOf,
  packageOf,
  parse,
  referencesOf,
  walk,
  type SourceFile,
  type SyntaxNode,
} from "./source.ts";

const asynchronous = new Set([
  "put",
  "remove",
  "transaction",
  "transactionAsync",
  "childTransaction",
  "batch",
  "ifVersion",
  "ifNoExists",
  "clearAsync",
  "drop",
  "flushed",
  "committed",
]);

/** One finding for each step into a trap. */
export function lmdbTraps(files: readonly SourceFile[]): string[] {
  const findings: string[] = [];
  for (const file of files) {
    // The example that shows what becomes of those who do.
    if (file.path.startsWith("test/testing/foreign/")) continue;
    const usesLmdb = referencesOf(file).some(
      ({ specifier }) => packageOf(specifier ?? "") === "lmdb",
    );
    for (const node of walk(parse(file))) {
      const at = (): string => `${file.path}:${lineAt(file, node.start)}`;
      if (isTransactionSync(node) && !isSafeBody((node["arguments"] as unknown[])[0])) {
        findings.push(`${at()}: transactionSync takes a function in place that returns nothing`);
      }
      const name = memberName(node);
      if (usesLmdb && name !== undefined && asynchronous.has(name)) {
        findings.push(`${at()}: .${name} of lmdb does not wait for durability`);
      }
    }
  }
  return findings;
}

function memberName(node: SyntaxNode): string | undefined {
  if (node.type !== "MemberExpression") return undefined;
  const property = node["property"] as SyntaxNode;
  const name = node["computed"] === true ? property["value"] : property["name"];
  return typeof name === "string" ? name : undefined;
}

function isTransactionSync(node: SyntaxNode): boolean {
  if (node.type !== "CallExpression") return false;
  const callee = node["callee"] as SyntaxNode;
  return (memberName(callee) ?? callee["name"]) === "transactionSync";
}

function isSafeBody(argument: unknown): boolean {
  const written =
    nodeOf(argument, "ArrowFunctionExpression") ?? nodeOf(argument, "FunctionExpression");
  const body = nodeOf(written?.["body"], "BlockStatement");
  return body !== undefined && written?.["async"] !== true && !returnsValue(body);
}

/** True when a `return` of this function itself, not of one inside it, carries a value. */
function returnsValue(node: SyntaxNode): boolean {
  if (node.type === "ReturnStatement") return Boolean(node["argument"]);
  if (/Function/.test(node.type)) return false;
  for (const child of childrenOf(node)) if (returnsValue(child)) return true;
  return false;
}
