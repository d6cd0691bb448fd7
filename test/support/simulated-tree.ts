/** A directory that is a whole simulated disk, which can lose power or be killed at any moment. */
import { SimulatedDisk, type SimulatedDiskOptions } from "../../src/testing/disk.ts";
import type { Random } from "../../src/testing/random.ts";
import { SimulatedDirectory } from "../../src/testing/simulated-directory.ts";

type TreeOptions = Pick<SimulatedDiskOptions, "onOperation">;

export class SimulatedTree extends SimulatedDirectory {
  constructor(options: TreeOptions = {}, disk: SimulatedDisk = new SimulatedDisk(options)) {
    super(disk);
  }

  /** The tree after loss of power; the old one goes on as it was. */
  crash(random: Random, options: TreeOptions = {}): SimulatedTree {
    return new SimulatedTree(options, this.disk.crash(random, options));
  }

  /** The tree after `kill -9`. */
  killed(options: TreeOptions = {}): SimulatedTree {
    return new SimulatedTree(options, this.disk.killed(options));
  }
}
