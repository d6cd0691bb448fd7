/**
 * The two checkpoint environments as an opening host finds them, and the order in which replay
 * begins with them: the newest first.
 */
import { isBlockspaceError } from "../base/errors.ts";
import { emptyEnvironment } from "../checkpoint/empty-environment.ts";
import type { Environment, OpenEnvironment } from "../checkpoint/environment.ts";

/** The environments, and the one that replay began with. */
export interface Environments {
  /** By name; one that is damaged so that it cannot be opened is left out. */
  opened: Partial<Record<"a" | "b", Environment>>;
  /** The one that the state was loaded from; an empty one when there is no checkpoint. */
  newest: Environment;
  /** The commit that the newest holds. */
  lsn: number;
  /** The commit that the older of two holds; 0 when there are not two that can be believed. */
  olderLsn: number;
  /** The greatest epoch that any of them claims; the next checkpoint's is greater. */
  epoch: number;
}

/** What replay may begin with. */
export interface Found {
  /** At least one: the last begins with nothing but the journal. */
  starts: Environments[];
  /** Why a checkpoint cannot be opened, if one cannot. */
  damage: string | undefined;
}

/** Opens both; which of them can be believed is known once their values have been read. */
export async function openEnvironments(openEnvironment: OpenEnvironment): Promise<Found> {
  const opened: Environments["opened"] = {};
  const candidates: { environment: Environment; epoch: number; lsn: number }[] = [];
  let damage: string | undefined;
  for (const name of ["a", "b"] as const) {
    try {
      const environment = await openEnvironment(name);
      opened[name] = environment;
      const closing = environment.closing();
      if (closing) candidates.push({ environment, epoch: closing.epoch, lsn: closing.lsn });
    } catch (error) {
      if (!isBlockspaceError(error, "ECORRUPT")) throw error;
      damage = damageOf(name, error);
    }
  }
  candidates.sort((one, two) => two.epoch - one.epoch);
  const epoch = candidates[0]?.epoch ?? 0;
  const older = Math.min(...candidates.map(({ lsn }) => lsn));
  const olderLsn = candidates.length === 2 ? older : 0;
  const starts = candidates.map(({ environment, lsn }) => {
    return { opened, newest: environment, lsn, olderLsn, epoch };
  });
  // One more, or a damaged environment would seem to be just one checkpoint behind the next.
  const nothing = { lsn: 0, olderLsn: 0, epoch: epoch + 1 };
  return { starts: [...starts, { opened, newest: emptyEnvironment, ...nothing }], damage };
}

/** What is wrong with the checkpoint of that name. */
export function damageOf(name: string, error: Error): string {
  return `${name}: ${error.message}`;
}
