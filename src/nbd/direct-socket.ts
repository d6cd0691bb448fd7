/**
 * A socket whose bytes the system puts where they are wanted.
 *
 * Node gives every read of a socket 64 KiB of new memory, copies what has come into a piece that
 * fits, and leaves both to the garbage collector: half of the time of a large write goes there. A
 * `net.Socket` that is made with `onread` reads into memory of its user instead, but only a client
 * can ask for it. A server's socket is therefore taken apart: its handle goes into a new one that
 * is made so. The handle is no part of Node's documented interface; where it is not found, the
 * socket stays as it is.
 */
import { Socket } from "node:net";
import type { Incoming } from "./connection.ts";
import { Input } from "./input.ts";

const HANDLE = "_handle";

/** The same connection; `accepted` must not have been read from, and is of no use afterwards. */
export function readDirectly(accepted: Socket): Incoming {
  const inner = accepted as unknown as Record<typeof HANDLE, unknown>;
  const handle = inner[HANDLE];
  if (typeof handle !== "object" || handle === null || !("useUserBuffer" in handle)) {
    return { stream: accepted, input: Input.over(accepted) };
  }
  const input = new Input();
  inner[HANDLE] = null;
  const options = {
    handle,
    allowHalfOpen: true,
    onread: { buffer: () => input.room(), callback: (count: number) => input.arrived(count) },
  };
  const stream = new Socket(options);
  input.endWith(stream);
  accepted.destroy();
  return { stream, input };
}
