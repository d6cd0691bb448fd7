/** A subject of the part `library`, seen from the benchmark: a process that takes orders. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { CleanUp } from "../clean-up.ts";
import type { Subject } from "../turns.ts";
import type { Answer, Order } from "./page-orders.ts";

const program = fileURLToPath(new URL("./page-process.ts", import.meta.url));

export class PageSubject implements Subject {
  readonly name: string;
  readonly pids: readonly number[];
  readonly #child: ChildProcess;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.pids = [child.pid!];
    this.#child = child;
  }

  static async start(
    cleanUp: CleanUp,
    name: string,
    directory: string,
    sizes: { pages: number; cacheSize: number },
  ): Promise<PageSubject> {
    const args = [name, directory, String(sizes.pages), String(sizes.cacheSize)];
    const child = fork(program, args, { execArgv: ["--import", "tsx"] });
    const closed = once(child, "close");
    await cleanUp.add(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await closed;
    });
    return new PageSubject(name, child);
  }

  /** Has it do something; throws what it failed with. */
  async tell(order: Order): Promise<Answer> {
    const ended = new AbortController();
    try {
      const answer = once(this.#child, "message", { signal: ended.signal });
      const died = once(this.#child, "exit", { signal: ended.signal }).then(() => {
        throw new Error(`the process of ${this.name} ended`);
      });
      this.#child.send(order);
      const [message] = (await Promise.race([answer, died])) as [Answer];
      if (message.failure !== undefined) throw new Error(message.failure);
      return message;
    } finally {
      ended.abort();
    }
  }
}
