/** `info`: the store and its figures. */
import type { Command } from "commander";
import { formatSize } from "../../base/units.ts";
import type { StoreAccess } from "../control/store-access.ts";
import type { Statistics } from "../../host/statistics.ts";
import type { Recovery } from "../../replay/replay.ts";
import { addExamples, addJsonOption, type JsonOption } from "../arguments.ts";
import { withReadOnlyHost } from "../open-store.ts";
import type { Session } from "../session.ts";
import { pairs } from "../table.ts";

type Figures = Pick<
  Statistics,
  | "blockSize"
  | "capacity"
  | "free"
  | "reserved"
  | "staged"
  | "allocated"
  | "busy"
  | "subvolumes"
  | "deadNodes"
  | "journalBytes"
  | "lastLsn"
  | "checkpointLsn"
>;

interface StoreInfo extends Figures {
  path: string;
  uuid: string;
  formatVersion: number;
  recovery: Recovery;
}

export function addInfoCommand(program: Command, session: Session): void {
  const command = program
    .command("info")
    .summary("show the store and its figures")
    .description(
      "Shows the store: free + reserved + staged + allocated + busy = capacity. Recovery is" +
        " what the journal had to add to the last checkpoint.",
    )
    .argument("<STORE>", "the store's directory")
    .action(async (store: string, { json }: JsonOption) => {
      const { FORMAT_VERSION } = await import("../../format/superblock.ts");
      const info = await withReadOnlyHost(session, store, async (host) =>
        describe(host, FORMAT_VERSION),
      );
      await session.report(json, info, () => lines(info));
    });
  addJsonOption(command);
  addExamples(
    command,
    ["blockspace info my-store", "for people"],
    ["blockspace info my-store --json | jq .free", "bytes, for programs"],
  );
}

function describe(host: StoreAccess, formatVersion: number): StoreInfo {
  const { path, uuid, recovery } = host;
  const figures = host.statistics();
  const { blockSize, capacity, free, reserved, staged, allocated, busy } = figures;
  const { subvolumes, deadNodes, journalBytes, lastLsn, checkpointLsn } = figures;
  const space = { blockSize, capacity, free, reserved, staged, allocated, busy };
  const rest = { subvolumes, deadNodes, journalBytes, lastLsn, checkpointLsn };
  return { path, uuid, formatVersion, ...space, ...rest, recovery };
}

function lines(info: StoreInfo): string[] {
  const share = (bytes: number): string =>
    `${formatSize(bytes)} (${((100 * bytes) / info.capacity).toFixed(1)} %)`;
  const { recovery } = info;
  return pairs([
    ["path", info.path],
    ["uuid", info.uuid],
    ["format version", String(info.formatVersion)],
    ["block size", formatSize(info.blockSize)],
    ["capacity", formatSize(info.capacity)],
    ["free", share(info.free)],
    ["reserved", share(info.reserved)],
    ["staged", share(info.staged)],
    ["allocated", share(info.allocated)],
    ["busy", share(info.busy)],
    ["subvolumes", String(info.subvolumes)],
    ["dead map nodes", String(info.deadNodes)],
    ["journal in use", formatSize(info.journalBytes)],
    ["last LSN", String(info.lastLsn)],
    ["checkpoint LSN", String(info.checkpointLsn)],
    [
      "recovery",
      `${recovery.commits} commits, ${recovery.records} records, ` +
        `${formatSize(recovery.bytes)} of journal in ${recovery.milliseconds} ms`,
    ],
  ]);
}
