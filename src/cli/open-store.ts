/**
 * The one place where a command opens a store and closes it again, however the command ends. A
 * store that another process serves is used through that process. The library is loaded here and
 * not before, so that help and usage errors come at once.
 */
import { join } from "node:path";
import { isBlockspaceError, messageOf } from "../base/errors.ts";
import type { Host } from "../host/host.ts";
import type { OpenHostOptions } from "../host/options.ts";
import type { StoreAccess } from "./control/store-access.ts";
import { asUsage } from "./arguments.ts";
import type { Session } from "./session.ts";

/**
 * Opens a store, or reaches it through the process that serves it, lets `work` use it, and closes
 * it, which makes everything durable.
 */
export async function withHost<T>(
  session: Session,
  store: string,
  options: OpenHostOptions,
  work: (host: StoreAccess) => Promise<T>,
): Promise<T> {
  const { ServedStore } = await import("./control/served-store.ts");
  const served = await ServedStore.open(store, { signal: session.signal });
  if (!served) return withOwnHost(session, store, options, work);
  session.detail("the store is being served; going through the server");
  return closeAfter(session, served, work);
}

/** As {@link withHost}, in this process and no other. */
export async function withOwnHost<T>(
  session: Session,
  store: string,
  options: OpenHostOptions,
  work: (host: Host) => Promise<T>,
): Promise<T> {
  const host = await advising(session, store, () => openHost(session, store, options));
  return closeAfter(session, host, work);
}

/** Closes a store when the work on it is over, however it ends. */
async function closeAfter<S extends { close(): Promise<void> }, T>(
  session: Session,
  host: S,
  work: (host: S) => Promise<T>,
): Promise<T> {
  let result: T;
  try {
    result = await work(host);
  } catch (error) {
    await host.close().catch((closing: unknown) => session.detail(messageOf(closing)));
    throw error;
  }
  await host.close();
  return result;
}

/** For work that needs a store for itself, and whole: says what to do where it is not. */
export async function advising<T>(
  session: Session,
  store: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isBlockspaceError(error, "ELOCKED")) session.advice = await serverOf(store);
    if (isBlockspaceError(error, "ECORRUPT")) {
      session.advice = `"blockspace check ${store}" says what is wrong, and what a repair would do`;
    }
    throw error;
  }
}

/** What there is to do where a store is being served; nothing where it is not. */
export async function serverOf(store: string): Promise<string | undefined> {
  const [{ isAnswered }, { CONTROL_SOCKET }] = await Promise.all([
    import("../nbd/listen.ts"),
    import("./control/messages.ts"),
  ]);
  const isServed = await isAnswered(join(store, CONTROL_SOCKET));
  return isServed ? "the store is being served; end the server first" : undefined;
}

/** Opens a store for a change that is done when it is durable. */
export async function changeStore(
  session: Session,
  store: string,
  change: (host: StoreAccess) => Promise<void>,
): Promise<void> {
  await withHost(session, store, {}, async (host) => {
    await change(host);
    await host.flush();
  });
}

/** As {@link withHost}, without writing anything to the store; others may read it meanwhile. */
export function withReadOnlyHost<T>(
  session: Session,
  store: string,
  work: (host: StoreAccess) => Promise<T>,
): Promise<T> {
  return withHost(session, store, { readOnly: true }, work);
}

/** True when there is a store in that directory, whoever has it open. */
export async function storeExists(store: string): Promise<boolean> {
  const [{ exists }, { FileDirectory }] = await Promise.all([
    import("../host/store.ts"),
    import("../device/file-directory.ts"),
  ]);
  return exists({ directory: new FileDirectory(store) });
}

async function openHost(session: Session, store: string, options: OpenHostOptions): Promise<Host> {
  const [{ Host }, { limitsOf }] = await Promise.all([
    import("../host/host.ts"),
    import("../host/options.ts"),
  ]);
  const { journalSize } = session.options;
  if (journalSize !== undefined) asUsage(() => limitsOf({ journalSize }));
  const host = await Host.open(store, {
    ...options,
    ...session.dataDevice,
    ...(journalSize === undefined ? {} : { journalSize }),
  });
  const { commits, bytes, milliseconds, damagedCheckpoint } = host.recovery;
  session.detail(`replayed ${commits} commits (${bytes} bytes) in ${milliseconds} ms`);
  if (damagedCheckpoint) session.note(`a checkpoint is damaged: ${damagedCheckpoint}`);
  return host;
}
