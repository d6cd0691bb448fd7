/**
 * `export`: the bytes of a subvolume as a sparse file, a block device, or a stream; or what has
 * changed in it since a snapshot, into the image of that.
 */
import { type Command, Option } from "commander";
import { BlockspaceError } from "../../base/errors.ts";
import { formatSize } from "../../base/units.ts";
import { addExamples, addJsonOption, type JsonOption, UsageError } from "../arguments.ts";
import type { StoreAccess } from "../control/store-access.ts";
import { allBytes, copyOut, stretchesOf } from "../copy-out.ts";
import type { ImageTarget } from "../image-target.ts";
import { withReadOnlyHost } from "../open-store.ts";
import { withProgress } from "../progress.ts";
import type { Session } from "../session.ts";

interface ExportOptions extends JsonOption {
  force?: boolean;
  since?: string;
}

interface FileOptions extends ExportOptions {
  name: string;
  file: string;
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
        " output for -. Holes stay holes in a file. An export that does not end leaves no file." +
        " With --since, FILE holds that snapshot already, and only what differs is written.",
    )
    .argument("<STORE>", "the store's directory")
    .argument("<NAME>", "the subvolume or snapshot")
    .argument("<FILE>", "the file, or - for standard output")
    .option("-f, --force", "overwrite FILE")
    .addOption(
      new Option("--since <SNAPSHOT>", "update FILE, which holds what SNAPSHOT holds").conflicts(
        "force",
      ),
    )
    .action(async (store: string, name: string, file: string, options: ExportOptions) => {
      if (file === "-") return exportToOutput(session, store, name, options);
      return exportToFile(session, store, { name, file, ...options });
    });
  addJsonOption(command);
  addExamples(
    command,
    ["blockspace export my-store disk disk.img", "a sparse raw image"],
    ["blockspace export my-store disk - | zstd > disk.img.zst", "a compressed one"],
    ["blockspace export my-store disk@tue disk.img --since disk@mon", "monday's made tuesday's"],
  );
}

async function exportToOutput(
  session: Session,
  store: string,
  name: string,
  { json, since }: ExportOptions,
): Promise<void> {
  if (json) {
    throw new UsageError("--json and - both want standard output; take one of them");
  }
  if (since !== undefined) throw new UsageError("--since updates a file, and - is none");
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

async function exportToFile(session: Session, store: string, options: FileOptions): Promise<void> {
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
  options: FileOptions,
): Promise<Exported> {
  const began = performance.now();
  const { name, since } = options;
  const subvolume = host.get(name);
  const { size } = subvolume;
  if (since !== undefined) checkSnapshot(host, since);
  const whole = { offset: 0, length: size };
  const target = await targetFor(session, host, options, size);
  session.detail(`exporting to ${options.file}`);
  let bytesWritten: number;
  try {
    const ranges = since === undefined ? [whole] : host.diff(since, name, whole);
    const stretches = stretchesOf(subvolume, ranges);
    const { signal } = session;
    bytesWritten = await withProgress(session, `export ${name}`, size, (progress) =>
      copyOut(subvolume, stretches, target, { progress, signal }),
    );
    await target.finish();
  } catch (error) {
    await target.abandon();
    if (since !== undefined) {
      session.tell(`${options.file} holds a part of the update; the same once more completes it`);
    }
    throw error;
  }
  const milliseconds = Math.round(performance.now() - began);
  return { name, size, bytesWritten, milliseconds };
}

async function targetFor(
  session: Session,
  store: StoreAccess,
  { file, force = false, since }: FileOptions,
  size: number,
): Promise<ImageTarget> {
  const guarded = { store, dataDevice: session.options.device };
  if (since !== undefined) {
    const { openUpdate } = await import("../image-update.ts");
    return openUpdate(file, { from: store.get(since).size, to: size, ...guarded });
  }
  const { openTarget } = await import("../image-target.ts");
  return openTarget(file, { size, unit: store.statistics().blockSize, force, ...guarded });
}

/** Only of a snapshot is it known that it holds what it held when an image was made of it. */
function checkSnapshot(store: StoreAccess, name: string): void {
  // Throws where there is none of the name.
  store.get(name);
  if (store.list().some((info) => info.name === name && info.readOnly)) return;
  const what = `"${name}" is no snapshot; --since takes the name of one`;
  throw new BlockspaceError("EINVAL", what, { subvolume: name });
}
