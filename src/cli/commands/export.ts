/** `export`: the bytes of a subvolume as a sparse file, a block device, or a stream. */
import type { Command } from "commander";
import { formatSize } from "../../base/units.ts";
import type { ByteRange } from "../../host/host.ts";
import type { StoreAccess, SubvolumeAccess } from "../control/store-access.ts";
import { addExamples, addJsonOption, type JsonOption, UsageError } from "../arguments.ts";
import { CHUNK_BYTES, cut, join, nonZeroRuns } from "../chunks.ts";
import type { ImageTarget } from "../image-target.ts";
import { InFlight } from "../in-flight.ts";
import { withReadOnlyHost } from "../open-store.ts";
import { type Progress, withProgress } from "../progress.ts";
import type { Session } from "../session.ts";

interface ExportOptions extends JsonOption {
  force?: boolean;
}

interface Exported {
  name: string;
  /** Bytes of the subvolume, and those of them that were written. */
  size: number;
  bytesWritten: number;
  milliseconds: number;
}

export function addExportCommand(program: Command, session: Session): void {
  const command = program
    .command("export")
    .summary("write a subvolume to a file")
    .description(
      "Writes the bytes of a subvolume to FILE, a new file or a block device, or to standard" +
        " output for -. Holes stay holes in a file. An export that does not end leaves no file.",
    )
    .argument("<STORE>", "the store's directory")
    .argument("<NAME>", "the subvolume or snapshot")
    .argument("<FILE>", "the file, or - for standard output")
    .option("-f, --force", "overwrite FILE")
    .action(async (store: string, name: string, file: string, options: ExportOptions) => {
      if (file === "-") return exportToOutput(session, store, name, options);
      return exportToFile(session, store, { name, file, ...options });
    });
  addJsonOption(command);
  addExamples(
    command,
    ["blockspace export my-store disk disk.img", "a sparse raw image"],
    ["blockspace export my-store disk - | zstd > disk.img.zst", "a compressed one"],
  );
}

async function exportToOutput(
  session: Session,
  store: string,
  name: string,
  { json }: ExportOptions,
): Promise<void> {
  if (json) {
    throw new UsageError("--json and - both want standard output; take one of them");
  }
  await withReadOnlyHost(session, store, async (host) => {
    const subvolume = host.get(name);
    await withProgress(session, `export ${name}`, subvolume.size, async (progress) => {
      for await (const bytes of allBytes(subvolume)) {
        await session.output.bytes(bytes.bytes);
        progress.update(bytes.end);
      }
    });
  });
}

async function exportToFile(
  session: Session,
  store: string,
  options: ExportOptions & { name: string; file: string },
): Promise<void> {
  const exported = await withReadOnlyHost(session, store, (host) =>
    exportImage(session, host, options),
  );
  const { name, size, bytesWritten, milliseconds } = exported;
  await session.report(options.json, exported, () => [
    `exported ${name}: ${formatSize(size)}, ${formatSize(bytesWritten)} of it data, ` +
      `in ${(milliseconds / 1000).toFixed(1)} s`,
  ]);
}

async function exportImage(
  session: Session,
  host: StoreAccess,
  { name, file, force = false }: ExportOptions & { name: string; file: string },
): Promise<Exported> {
  const began = performance.now();
  const subvolume = host.get(name);
  const { size } = subvolume;
  const { openTarget } = await import("../image-target.ts");
  const dataDevice = session.options.device;
  const target = await openTarget(file, { size, force, store: host, dataDevice });
  session.detail(`exporting to ${file}`);
  let bytesWritten: number;
  try {
    const { blockSize } = host.statistics();
    bytesWritten = await withProgress(session, `export ${name}`, size, (progress) =>
      copyOut(session, subvolume, target, blockSize, progress),
    );
    await target.finish();
  } catch (error) {
    await target.abandon();
    throw error;
  }
  const milliseconds = Math.round(performance.now() - began);
  return { name, size, bytesWritten, milliseconds };
}

/** Writes what holds data, or everything where the target may hold other bytes before. */
async function copyOut(
  session: Session,
  subvolume: SubvolumeAccess,
  { device, sparse }: ImageTarget,
  blockSize: number,
  progress: Progress,
): Promise<number> {
  const ranges = sparse ? await dataOf(subvolume) : [{ offset: 0, length: subvolume.size }];
  const transfers = new InFlight();
  try {
    for (const { offset, length } of cut(ranges)) {
      session.signal.throwIfAborted();
      await transfers.add(async () => {
        const chunk = { offset, bytes: await subvolume.read(offset, length) };
        let written = 0;
        for (const run of sparse ? nonZeroRuns(chunk, blockSize) : [chunk]) {
          await device.write([run.bytes], run.offset);
          written += run.bytes.length;
        }
        return written;
      });
      progress.update(offset + length);
    }
    return await transfers.done();
  } finally {
    await transfers.settled();
  }
}

/** The ranges that hold data, neighbours joined. */
async function dataOf(subvolume: SubvolumeAccess): Promise<ByteRange[]> {
  const ranges: ByteRange[] = [];
  for await (const { type, offset, length } of subvolume.extents()) {
    if (type === "mapped") ranges.push({ offset, length });
  }
  return [...join(ranges)];
}

const ZEROES: Uint8Array = new Uint8Array(CHUNK_BYTES);

/** Every byte in order, with where it ends; holes are not looked up again. */
async function* allBytes(
  subvolume: SubvolumeAccess,
): AsyncGenerator<{ bytes: Uint8Array; end: number }, void> {
  let at = 0;
  const { size } = subvolume;
  for (const { offset, length } of [...(await dataOf(subvolume)), { offset: size, length: 0 }]) {
    for (const hole of cut([{ offset: at, length: offset - at }])) {
      yield { bytes: ZEROES.subarray(0, hole.length), end: hole.offset + hole.length };
    }
    for (const piece of cut([{ offset, length }])) {
      const bytes = await subvolume.read(piece.offset, piece.length);
      yield { bytes, end: piece.offset + piece.length };
    }
    at = offset + length;
  }
}
