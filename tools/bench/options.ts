/** The options of `npm run bench`. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./built.ts";
import { fullScale, quickScale, type Scale, withLarge } from "./scale.ts";

export type Part = "nbd" | "library" | "size";
export const parts: readonly Part[] = ["nbd", "library", "size"];

export const usage: string = `usage: npm run bench -- [options]

  --only NAME       one part: ${parts.join(", ")}; may be given again
  --quick           a look in under two minutes; for figures, run the whole
  --large           also a map of ten million extents, and a million for the peers
  --json FILE       where the findings go; bench-results/results.json unless given.
                    The charts are drawn beside it.
  --directory DIR   measure on the file system of this directory; the system's temporary
                    one unless given
`;

export interface BenchOptions {
  only: readonly Part[];
  scale: Scale;
  quick: boolean;
  json: string;
  directory: string;
}

/** Throws on what is not an option. */
export function parseOptions(args: readonly string[]): BenchOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", multiple: true },
      quick: { type: "boolean", default: false },
      large: { type: "boolean", default: false },
      json: { type: "string", default: join(root, "bench-results", "results.json") },
      directory: { type: "string", default: tmpdir() },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const { quick, json, directory } = values;
  const scale = quick ? quickScale : fullScale;
  const only = (values.only ?? parts).map(partArgument);
  return { only, quick, json, directory, scale: values.large ? withLarge(scale) : scale };
}

function partArgument(name: string): Part {
  const part = parts.find((one) => one === name);
  if (part === undefined)
    throw new Error(`there is no part "${name}"; there are ${parts.join(", ")}`);
  return part;
}
