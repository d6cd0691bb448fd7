/** A hook of node's module loader: hands out one module with another text. */
import type { InitializeHook, LoadHook } from "node:module";

interface Planted {
  url: string;
  source: string;
}

let planted: Planted | undefined;

export const initialize: InitializeHook<Planted> = (data) => {
  planted = data;
};

export const load: LoadHook = (url, context, nextLoad) => {
  if (url !== planted?.url) return nextLoad(url, context);
  return { format: "module", source: planted.source, shortCircuit: true };
};
