/**
 * What the programs on a real store do: a seeded list of operations that is valid in its order, and
 * the contents that each prefix of it leads to, in the most naive way. Plain JavaScript, so that
 * the programs start quickly: they are started hundreds of times.
 */
import { createHash } from "node:crypto";

const KiB = 1024;
export const BLOCK = 512;

/** Small, so that checkpoints, rotations of the journal and full segments come soon. */
export const options = {
  create: true,
  capacity: 512 * KiB,
  blockSize: BLOCK,
  journalSize: 128 * KiB,
  cacheSize: 64 * KiB,
  maxDirty: 64 * KiB,
};

const MOST_VOLUMES = 6;
const MOST_BYTES = 24 * KiB;

/** Numbers from 0 to a limit, from a seed (mulberry32). */
function numbersFrom(seed) {
  let state = seed | 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
}

export function bytesOf(fill, length) {
  const random = numbersFrom(fill);
  return Uint8Array.from({ length }, () => random(256));
}

/**
 * By name: whether it is read-only, all of its bytes, never changed in place, and its family: what
 * it can be rolled back to.
 */
export function applyTo(content, operation) {
  const { name } = operation;
  const old = content.get(name);
  switch (operation.do) {
    case "create":
      return content.set(name, {
        family: name,
        readOnly: false,
        bytes: new Uint8Array(operation.size),
      });
    case "write":
    case "stage":
      return patch(content, name, operation.offset, bytesOf(operation.fill, operation.length));
    case "zero":
      return patch(content, name, operation.offset, new Uint8Array(operation.length));
    case "snapshot":
    case "clone": {
      const readOnly = operation.do === "snapshot";
      return content.set(operation.to, { ...old, readOnly });
    }
    case "rename":
      content.delete(name);
      return content.set(operation.to, old);
    case "delete":
      return content.delete(name);
    case "rollback":
      return content.set(name, { ...old, bytes: content.get(operation.to).bytes });
    case "resize": {
      const bytes = new Uint8Array(operation.size);
      bytes.set(old.bytes.subarray(0, operation.size));
      return content.set(name, { ...old, bytes });
    }
    case "transact":
      for (const step of operation.steps) applyTo(content, step);
  }
}

function patch(content, name, offset, bytes) {
  const old = content.get(name);
  const copy = old.bytes.slice();
  copy.set(bytes, offset);
  content.set(name, { ...old, bytes: copy });
}

/** The operations of a seed. What changes no content (`flush`, `checkpoint`, ...) is among them. */
export function operationsOf(seed, count) {
  const random = numbersFrom(seed);
  const content = new Map();
  const operations = [];
  let names = 0;
  const newName = () => `v${++names}`;
  while (operations.length < count) {
    const operation = choose(random, content, newName);
    if (!operation) continue;
    applyTo(content, operation);
    operations.push(operation);
  }
  return operations;
}

function choose(random, content, newName) {
  const all = [...content.keys()];
  const writable = all.filter((name) => !content.get(name).readOnly);
  const name = writable[random(writable.length)];
  const dice = random(100);
  const size = BLOCK * (1 + random(MOST_BYTES / BLOCK)) - (random(2) && random(BLOCK));
  if (writable.length < 2) return { do: "create", name: newName(), size };
  if (dice < 30) return rangeOf(random, content, name, "write");
  if (dice < 38) return rangeOf(random, content, name, "zero");
  if (dice < 44) return stageOf(random, content, name);
  if (dice < 50) return { do: "resize", name, size };
  if (dice < 58) {
    const steps = [name, writable[random(writable.length)]].map((other) =>
      rangeOf(random, content, other, random(3) ? "write" : "zero"),
    );
    return { do: "transact", steps };
  }
  const source = all[random(all.length)];
  if (dice < 70 && all.length < MOST_VOLUMES) {
    return { do: dice < 64 ? "snapshot" : "clone", name: source, to: newName() };
  }
  if (dice < 75) return { do: "rename", name: source, to: newName() };
  if (dice < 80) return all.length > 3 ? { do: "delete", name: source } : undefined;
  if (dice < 83) {
    const { family } = content.get(name);
    const to = all.find((other) => {
      return content.get(other).readOnly && content.get(other).family === family;
    });
    return to && { do: "rollback", name, to };
  }
  if (dice < 86) return { ...rangeOf(random, content, name, "preallocate") };
  if (dice < 88) return dice < 87 ? { do: "compact" } : { do: "grow", blocks: 33 };
  return { do: dice < 93 ? "checkpoint" : "flush" };
}

function rangeOf(random, content, name, verb) {
  const size = content.get(name).bytes.length;
  const offset = random(size);
  const length = 1 + random(Math.min(random(4) ? 2 * KiB : 12 * KiB, size - offset));
  return { do: verb, name, offset, length, fill: random(2 ** 31) };
}

/** One whole block within the size: it is one extent, and so one commit. */
function stageOf(random, content, name) {
  const blocks = Math.floor(content.get(name).bytes.length / BLOCK);
  if (blocks === 0) return undefined;
  const fill = random(2 ** 31);
  return { do: "stage", name, offset: random(blocks) * BLOCK, length: BLOCK, fill };
}

/** What a store holds, as text; equal for equal stores. */
export function describe(content) {
  const lines = [...content].map(([name, { readOnly, bytes }]) => {
    const hash = createHash("sha1").update(bytes).digest("hex");
    return `${name} ${readOnly ? "snapshot" : "volume"} ${bytes.length} ${hash}`;
  });
  return lines.toSorted().join("; ");
}

/** The same of a host. */
export async function describeHost(host) {
  const content = new Map();
  for (const { name, size, readOnly } of host.list()) {
    content.set(name, { readOnly, bytes: await host.get(name).read(0, size) });
  }
  return describe(content);
}

/** What the store holds after each number of operations. */
export function descriptionsOf(operations) {
  const content = new Map();
  return [
    describe(content),
    ...operations.map((operation) => {
      applyTo(content, operation);
      return describe(content);
    }),
  ];
}
