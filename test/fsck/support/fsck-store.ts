/**
 * A whole store in memory that can be damaged at will: its files are a directory in memory, its
 * checkpoints are images, so that a test can put any bytes anywhere and check thousands of stores
 * in seconds.
 */
import type { OpenEnvironment } from "../../../src/checkpoint/environment.ts";
import { encodeKey, decodeKey } from "../../../src/format/checkpoint-key.ts";
import { Image } from "../../../src/fsck/image.ts";
import { ImageEnvironment } from "../../../src/fsck/image-environment.ts";
import {
  type EnvironmentName,
  readWhole,
  type StoreAccess,
  writeWhole,
} from "../../../src/fsck/store-access.ts";
import { Host } from "../../../src/host/host.ts";
import { openStore } from "../../../src/host/open.ts";
import { checkOptions, type OpenHostOptions } from "../../../src/host/options.ts";
import type { NewStore, StoreParts } from "../../../src/host/store.ts";
import type { OnOperation } from "../../../src/testing/operation.ts";
import type { SimulatedDirectory } from "../../../src/testing/simulated-directory.ts";
import { SimulatedTree } from "../../support/simulated-tree.ts";

const SMALLEST = 64 * 1024;

/** 256 blocks of 512 bytes, segments of 8, nodes of 7 entries. */
export const smallLayout: NewStore = {
  blockSize: 512,
  segmentBlocks: 8,
  capacityBlocks: 256,
  dataOffset: 4096,
  nodeSize: 100,
  journalAlignment: 512,
  journalSize: SMALLEST,
};

type Images = Record<EnvironmentName, Image | undefined>;

export class FsckStore {
  readonly layout: NewStore;
  readonly directory: SimulatedTree;
  readonly images: Images;
  /** Called before every change of an environment; when it throws, the change fails. */
  onCommit: ((name: string) => void) | undefined;

  constructor(
    layout: NewStore = smallLayout,
    directory: SimulatedTree = new SimulatedTree(),
    images: Images = { a: undefined, b: undefined },
  ) {
    this.layout = layout;
    this.directory = directory;
    this.images = images;
  }

  /** Another store with the same bytes. */
  copy(onOperation?: OnOperation): FsckStore {
    const { a, b } = this.images;
    const hook = onOperation ? { onOperation } : {};
    return new FsckStore(this.layout, this.directory.killed(hook), {
      a: a?.clone(),
      b: b?.clone(),
    });
  }

  async open(options: OpenHostOptions = {}): Promise<Host> {
    const sizes = { journalSize: SMALLEST, cacheSize: SMALLEST, maxDirty: SMALLEST };
    const all = { create: !options.readOnly, ...sizes, ...options };
    checkOptions(all);
    const parts: StoreParts = {
      directory: this.directory,
      environments: (_, { storeId }) => this.#opener(storeId),
    };
    return new Host(await openStore(parts, all, async () => this.layout));
  }

  /** The store as fsck sees it. */
  get access(): StoreAccess {
    return {
      directory: this.directory,
      readEnvironment: async (name) => {
        const image = this.images[name];
        return {
          present: image !== undefined,
          image: image?.clone() ?? new Image(),
          foreignKeys: [],
        };
      },
      makeEnvironment: (name, storeId) => this.#opener(storeId)(name, true),
      saveEnvironment: async (name) => {
        const image = this.images[name];
        return image && encodeImage(image);
      },
      restoreEnvironment: async (name, bytes) => {
        this.onCommit?.(name);
        this.images[name] = bytes && decodeImage(bytes);
      },
    };
  }

  /** Every byte of a file; `journal/x` names one in the journal. */
  async read(path: string): Promise<Uint8Array> {
    const { directory, name } = this.#place(path);
    return readWhole(directory, name);
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    const { directory, name } = this.#place(path);
    await writeWhole(directory, name, bytes);
  }

  async remove(path: string): Promise<void> {
    const { directory, name } = this.#place(path);
    await directory.remove(name);
    await directory.sync();
  }

  #place(path: string): { directory: SimulatedDirectory; name: string } {
    const [first, second] = path.split("/");
    return second === undefined
      ? { directory: this.directory, name: first! }
      : { directory: this.directory.directory(first!), name: second };
  }

  readonly #opener =
    (storeId: Uint8Array): OpenEnvironment =>
    async (name, anew = false) => {
      if (anew) {
        this.onCommit?.(name);
        this.images[name] = undefined;
      }
      const image = (this.images[name] ??= new Image());
      const environment = new ImageEnvironment(name, image, storeId);
      const commit = environment.commit.bind(environment);
      environment.commit = (changes, state) => {
        this.onCommit?.(name);
        return commit(changes, state);
      };
      return environment;
    };
}

function encodeImage(image: Image): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (const kind of image.kinds()) {
    for (const [id, value] of image.scan(kind)) {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(value.length);
      pieces.push(encodeKey(kind, id), length, value);
    }
  }
  return Buffer.concat(pieces);
}

function decodeImage(bytes: Uint8Array): Image {
  const image = new Image();
  const buffer = Buffer.from(bytes);
  for (let at = 0; at < buffer.length;) {
    const { kind, id } = decodeKey(buffer.subarray(at, at + 8));
    const length = buffer.readUInt32LE(at + 8);
    image.set(kind, id, Uint8Array.from(buffer.subarray(at + 12, at + 12 + length)));
    at += 12 + length;
  }
  return image;
}
