/** fsck on simulated disks: it finds nothing in what a crash leaves, and finds damage. */
import { expect, it } from "vitest";
import { checkSimulatedStore, openSimulatedHost, SimulatedDisk } from "../../src/testing.ts";

const small = { blockSize: 512, capacity: 65_536, journalSize: 65_536 } as const;

async function usedDisk(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk();
  const host = await openSimulatedHost(disk, { ...small, create: true });
  const volume = await host.create("disk", { size: 8192 });
  await volume.write(0, new Uint8Array(4096).fill(1));
  await host.snapshot("disk", "disk@1");
  await host.checkpoint();
  await volume.write(512, new Uint8Array(1024).fill(2));
  await host.flush();
  return disk;
}

it("a check of what a crash leaves finds nothing", async () => {
  const disk = await usedDisk();
  for (const kept of [0, 0.999]) {
    const report = await checkSimulatedStore(
      disk.crash(() => kept),
      { data: true },
    );
    expect(report).toMatchObject({ exitCode: 0, findings: [], state: { subvolumes: 2 } });
    expect(report.failure).toBeUndefined();
  }
});

it("a check finds a damaged slot of the superblock", async () => {
  const disk = (await usedDisk()).crash(() => 0);
  disk.damage("/store/superblock", (bytes) => bytes.fill(0, 0, 4096));
  const report = await checkSimulatedStore(disk);
  expect(report.findings.map(({ id }) => id)).toEqual(["S001"]);
  expect(report.exitCode).toBe(2);
});
