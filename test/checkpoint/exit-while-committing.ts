/**
 * A process that ends by itself a few milliseconds after a commit to environment `a` has been handed
 * to its thread. Arguments: the directory, `exit` or `throw`, the milliseconds.
 */
import { Worker } from "node:worker_threads";
import { lmdbEnvironments } from "../../src/checkpoint/lmdb-environment.ts";
import { put } from "./naive-closing.ts";

const [directory, way, delay] = process.argv.slice(2) as [string, "exit" | "throw", string];

function end(): void {
  if (way === "exit") process.exit(7);
  throw new Error("meant to be thrown");
}

type Post = (this: Worker, message: unknown, ...rest: unknown[]) => void;
const real = Reflect.get(Worker.prototype, "postMessage") as Post;
const post: Post = function (message, ...rest) {
  real.call(this, message, ...rest);
  const commits = typeof message === "object" && message !== null && "closing" in message;
  if (commits) setTimeout(end, Number(delay));
};
Reflect.set(Worker.prototype, "postMessage", post);

const environment = await lmdbEnvironments(directory)("a");
const changes = Array.from({ length: 60_000 }, (_, i) => put(1, i, 500));
await environment.commit(changes, { epoch: 1, lsn: 1, reset: false });
// Not reached while the delay is shorter than the commit.
setTimeout(() => undefined, 60_000);
