/**
 * `import`: a disk image becomes a subvolume, holes and all. It grows under a temporary name and is
 * renamed when it is whole; when the import fails or is interrupted, it is deleted again.
 */
import type { Command } from "commander";
import { BlockspaceError, messageOf } from "../../base/errors.ts";
import { formatSize } from "../../base/units.ts";
import type { StoreAccess, SubvolumeAccess } from "../control/store-access.ts";
import { addExamples, addJsonOption, type JsonOption, newNameArgument } from "../arguments.ts";
import { CHUNK_BYTES, nonZeroRuns } from "../chunks.ts";
import type { ImageSource } from "../image-source.ts";
import { InFlight } from "../in-flight.ts";
import { withHost } from "../open-store.ts";
import { type Progress, withProgress } from "../progress.ts";
import type { Session } from "../session.ts";
import { deleteUnfinished, unfinishedName } from "../unfinished-import.ts";

interface Imported {
  name: string;
  /** Bytes of the subvolume, and those of them that were written. */
  size: number;
  bytesWritten: number;
  milliseconds: number;
}

export function addImportCommand(program: Command, session: Session): void {
  const command = program
    .command("import")
    .summary("make a subvolume of a disk image")
    .description(
      "Makes a subvolume of the bytes of FILE: a disk image, a block device, or - for" +
        " standard input. Holes and blocks of zeroes take no time and no space. An import that" +
        " does not end leaves nothing behind.",
    )
    .argument("<STORE>", "the store's directory")
    .argument("<FILE>", "the image, or - for standard input")
    .argument("<NAME>", "a name that is not taken yet", newNameArgument)
    .action(async (store: string, file: string, name: string, { json }: JsonOption) => {
      const imported = await withHost(session, store, {}, (host) =>
        importImage(session, host, file, name),
      );
      const { size, bytesWritten, milliseconds } = imported;
      await session.report(json, imported, () => [
        `imported ${name}: ${formatSize(size)}, ${formatSize(bytesWritten)} of it data, ` +
          `in ${(milliseconds / 1000).toFixed(1)} s`,
      ]);
    });
  addJsonOption(command);
  addExamples(
    command,
    ["blockspace import my-store disk.img disk", "a raw image"],
    ["zstdcat disk.img.zst | blockspace import my-store - disk", "a compressed one"],
  );
}

async function importImage(
  session: Session,
  host: StoreAccess,
  file: string,
  name: string,
): Promise<Imported> {
  const began = performance.now();
  refuseTaken(host, name);
  for (const left of await deleteUnfinished(host)) session.note(`deleted ${left}, left unfinished`);
  const { openSource } = await import("../image-source.ts");
  const { blockSize } = host.statistics();
  const source = await openSource(session, file, blockSize);
  try {
    if (source.size === 0) throw emptyImage();
    const temporary = unfinishedName();
    const size = source.size ?? CHUNK_BYTES;
    const subvolume = await host.create(temporary, { size, signal: session.signal });
    // What a killed import leaves has a name by which the next one knows it.
    await host.flush();
    session.detail(`importing into ${temporary}`);
    let bytesWritten: number;
    try {
      bytesWritten = await withProgress(session, `import ${name}`, source.size, (progress) =>
        copyIn(source, subvolume, blockSize, progress),
      );
      // A stream may end because the signal that is for us has ended whoever wrote it.
      await host.flush();
      session.signal.throwIfAborted();
      await host.rename(temporary, name);
    } catch (error) {
      await deleteHalf(session, host, temporary);
      throw error;
    }
    await host.flush();
    const milliseconds = Math.round(performance.now() - began);
    return { name, size: subvolume.size, bytesWritten, milliseconds };
  } finally {
    await source.close();
  }
}

/** Writes the data of the image, and returns how many bytes that were. */
async function copyIn(
  source: ImageSource,
  subvolume: SubvolumeAccess,
  blockSize: number,
  progress: Progress,
): Promise<number> {
  const writes = new InFlight();
  let written: number;
  let end = 0;
  try {
    for await (const chunk of source.chunks()) {
      end = chunk.offset + chunk.bytes.length;
      if (end > subvolume.size) await subvolume.resize(Math.max(end, 2 * subvolume.size));
      await writes.add(async () => {
        let count = 0;
        for (const { offset, bytes } of nonZeroRuns(chunk, blockSize)) {
          await subvolume.write(offset, bytes);
          count += bytes.length;
        }
        return count;
      });
      progress.update(end);
    }
    written = await writes.done();
  } finally {
    await writes.settled();
  }
  if (source.size === undefined) {
    if (end === 0) throw emptyImage();
    await subvolume.resize(end);
  }
  return written;
}

/** Refused before the work, not after it. */
function refuseTaken(host: StoreAccess, name: string): void {
  if (!host.list().some((info) => info.name === name)) return;
  throw new BlockspaceError("EEXIST", `there is a subvolume "${name}" already`, {
    subvolume: name,
  });
}

function emptyImage(): BlockspaceError {
  return new BlockspaceError("EINVAL", "the image is empty; a subvolume has 1 byte or more");
}

async function deleteHalf(session: Session, host: StoreAccess, temporary: string): Promise<void> {
  try {
    await host.delete(temporary);
    await host.flush();
  } catch (error) {
    session.tell(`${temporary} stays until the next import: ${messageOf(error)}`);
  }
}
