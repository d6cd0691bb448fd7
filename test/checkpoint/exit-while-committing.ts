/**
 * A process that ends by itself a few milliseconds after the thread of environment `a` was sent a
 * message of a commit. Arguments: the directory, `exit` or `throw`, the message, the milliseconds.
 */
import { Worker } from "node:worker_threads";
import { lmdbEnvironments } from "../../src/checkpoint/lmdb-environment.ts";
import { put, storeId } from "./naive-closing.ts";

const [directory, way, message, delay] = process.argv.slice(2) as [string, string, string, string];

function end(): void {
  if (way === "exit") process.exit(7);
  throw new Error("meant to be thrown");
}

type Post = (this: Worker, message: unknown, ...rest: unknown[]) => void;
const real = Reflect.get(Worker.prototype, "postMessage") as Post;
const post: Post = function (sent, ...rest) {
  real.call(this, sent, ...rest);
  if (typeof sent === "object" && sent !== null && message in sent) setTimeout(end, Number(delay));
};
Reflect.set(Worker.prototype, "postMessage", post);

const environment = await lmdbEnvironments(directory, { storeId })("a");
const changes = Array.from({ length: 60_000 }, (_, i) => put(1, i, 500));
await environment.commit(changes, { epoch: 1, lsn: 1, reset: false });
// Not reached while the delay is shorter than the commit.
setTimeout(() => undefined, 60_000);
