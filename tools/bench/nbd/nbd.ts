/**
 * The part `nbd`: fio with its own NBD client against Blockspace's server and the servers that
 * people would use instead. All serve a disk of the same size from the same file system, and the
 * same load comes to each in turn.
 */
import type { Findings, Row } from "../result.ts";
import { findProgram } from "../../demo/programs.ts";
import type { Bench } from "../bench.ts";
import { progress } from "../progress.ts";
import { ratiosOf } from "../summary.ts";
import { inTurn, rest, type Subject } from "../turns.ts";
import { fill, measureLoad, type NbdLoad, overwrite } from "./fio.ts";
import type { NbdServer } from "./server.ts";
import { NBDKIT, QCOW2, startServers } from "./servers.ts";

const random = (direction: string, depth: number): string[] => [
  `--rw=rand${direction}`,
  "--bs=4k",
  `--iodepth=${depth}`,
];

const loads: readonly NbdLoad[] = [
  {
    title: "4 KiB random write, depth 32, flush every 32",
    unit: "/s",
    options: [...random("write", 32), "--fsync=32"],
    targets: { [QCOW2]: 3, [NBDKIT]: 1 },
  },
  {
    title: "4 KiB random write, depth 1, flush every write",
    unit: "/s",
    options: [...random("write", 1), "--fsync=1"],
    targets: { [QCOW2]: 1.5 },
  },
  {
    title: "4 KiB random write, depth 32, no flush",
    unit: "/s",
    options: random("write", 32),
    targets: { [QCOW2]: 2 },
  },
  {
    title: "4 KiB random read, depth 32",
    unit: "/s",
    options: random("read", 32),
    targets: { [QCOW2]: 3 },
  },
  {
    title: "128 KiB sequential write, depth 8",
    unit: "MiB/s",
    options: ["--rw=write", "--bs=128k", "--iodepth=8"],
    targets: { [QCOW2]: 1.2 },
  },
];

export async function benchNbd(bench: Bench): Promise<Findings> {
  if (!findProgram("fio")) return { rows: loads.map(notMeasured), charts: [] };
  const { workingSet: size, durationMs } = bench.scale.nbd;
  return bench.cleanUp.within(async (cleanUp) => {
    const directory = await cleanUp.directory(bench.directory, "nbd-");
    const servers = await startServers(cleanUp, directory, size);
    for (const server of servers) {
      if (!isRunning(server)) continue;
      progress(`nbd: filling the disk of ${server.name}, and overwriting it`);
      await fill(server, directory, size);
      await overwrite(server, directory, size, bench.scale.preconditioning * size);
      rest([server]);
    }
    const rows: Row[] = [];
    for (const load of loads) {
      const turns = { rounds: bench.scale.rounds, title: `nbd, ${load.title}`, place: directory };
      const measured = await inTurn(servers, turns, async (server, round) =>
        measureLoad(server, directory, load, { size, durationMs, seed: round + 1 }),
      );
      const ratios = ratiosOf(measured, "more", load.targets);
      rows.push({
        part: "nbd",
        load: load.title,
        unit: load.unit,
        better: "more",
        measured,
        ratios,
      });
    }
    return { rows, charts: [] };
  });
}

function isRunning(server: Subject): server is NbdServer {
  return server.missing === undefined;
}

function notMeasured({ title, unit }: NbdLoad): Row {
  const missing = "not installed: fio";
  const measured = [{ subject: "blockspace", samples: [], missing }];
  return { part: "nbd", load: title, unit, better: "more", measured, ratios: [] };
}
