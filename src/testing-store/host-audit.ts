/**
 * The conservation of space and references in a running host, recomputed from its maps: what fsck
 * does with a store on disk, for a host on a simulated one.
 */
import type { Host } from "../host/host.ts";
import { audit } from "./audit.ts";
import { fail } from "./audit-failure.ts";
import { engineOf } from "./simulated-host.ts";

/**
 * Throws at the first count, owner or reference that contradicts the maps of the subvolumes, and
 * when `free + reserved + staged + allocated + busy` is not the capacity (promise I5).
 *
 * @throws TypeError when `openSimulatedHost` did not open the host.
 */
export function auditHost(host: Host): void {
  const { state } = engineOf(host);
  audit(state);
  const { free, reserved, staged, allocated, busy, capacity } = host.statistics();
  const parts = [free, reserved, staged, allocated, busy];
  if (Math.min(...parts) < 0 || parts.reduce((sum, part) => sum + part) !== capacity) {
    fail(`free, reserved, staged, allocated and busy are ${parts.join(", ")} of ${capacity}`);
  }
}
