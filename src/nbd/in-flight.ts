/**
 * The requests of one connection that are under way, and the memory that they hold: from the moment
 * in which a payload is allocated to the moment in which the system has taken the reply. When there
 * is no room nothing more is read from that client; others are not touched by it.
 */
import { MAX_BYTES_IN_FLIGHT, MAX_REQUESTS_IN_FLIGHT } from "./limits.ts";

export class InFlight {
  #requests = 0;
  #bytes = 0;
  #waiting: (() => void)[] = [];

  get requests(): number {
    return this.#requests;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** True when a request that holds so many bytes may begin; one always may. */
  hasRoom(bytes: number): boolean {
    if (this.#requests === 0) return true;
    return this.#requests < MAX_REQUESTS_IN_FLIGHT && this.#bytes + bytes <= MAX_BYTES_IN_FLIGHT;
  }

  async room(bytes: number): Promise<void> {
    while (!this.hasRoom(bytes)) await this.#change();
  }

  begin(bytes: number): void {
    this.#requests++;
    this.#bytes += bytes;
  }

  /** So many requests, which held so much together, are over. */
  end(requests: number, bytes: number): void {
    this.#requests -= requests;
    this.#bytes -= bytes;
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** Resolves when no request is under way. */
  async settled(): Promise<void> {
    while (this.#requests > 0) await this.#change();
  }

  async #change(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
  }
}
