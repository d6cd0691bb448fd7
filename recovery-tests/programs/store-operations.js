/** How the operations of the workload are done on a host. */
import { BLOCK, bytesOf } from "./store-workload.js";

/** Whether the next operation may be submitted before this one has ended. */
export function mayOverlap(operation) {
  const { do: verb } = operation;
  if (["create", "snapshot", "clone", "rename", "delete"].includes(verb)) return false;
  return !["stage", "transact", "grow", "flush"].includes(verb);
}

/** Whether this operation and all before it are durable when it has ended. */
export function isDurable(operation) {
  return operation.do === "flush" || operation.do === "transact";
}

/** Submits an operation in this very call, but for those that must not overlap. */
export async function perform(host, operation) {
  const { name, offset, length } = operation;
  switch (operation.do) {
    case "write":
      return host.get(name).write(offset, bytesOf(operation.fill, length));
    case "zero":
      if (offset % 2) return host.get(name).discard(offset, length);
      return host.get(name).writeZeroes(offset, length);
    case "preallocate":
      return host.get(name).preallocate(offset, length);
    case "resize":
      return host.get(name).resize(operation.size);
    case "rollback":
      return host.rollback(name, operation.to);
    case "create":
      return host.create(name, { size: operation.size });
    case "snapshot":
    case "clone":
      return host[operation.do](name, operation.to);
    case "rename":
      return host.rename(name, operation.to);
    case "delete":
      return host.delete(name);
    case "stage":
      return stage(host, operation);
    case "transact":
      return transact(host, operation.steps);
    case "compact":
      return host.compact();
    case "grow":
      return host.grow(host.statistics().capacity + operation.blocks * BLOCK);
    case "checkpoint":
      return host.checkpoint();
    case "flush":
      return host.flush();
    default:
      throw new Error(`there is no operation ${operation.do}`);
  }
}

/** The two-phase way: reserved, allocated, submitted, committed. */
async function stage(host, { name, offset, length, fill }) {
  const volume = host.get(name);
  const cookie = await volume.reserve(1, BLOCK);
  const iomap = await volume.allocate(cookie, offset, length);
  await volume.submit(iomap, bytesOf(fill, length));
  await volume.commit(cookie, offset, length, iomap.type === "unwritten" ? "unwritten" : "cow");
  cookie.put();
}

async function transact(host, steps) {
  await host.transact((tx) => {
    for (const step of steps) {
      const volume = host.get(step.name);
      if (step.do === "zero") tx.discard(volume, step.offset, step.length);
      else tx.write(volume, step.offset, bytesOf(step.fill, step.length));
    }
  });
}
