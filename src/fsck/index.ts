/**
 * `blockspace/fsck`: checks a store that nobody has open, believes nothing, and says exactly what
 * is wrong. `docs/fsck.md` has the table of findings and how to read it.
 */
export {
  check,
  type CheckOptions,
  type CheckReport,
  type PhaseReport,
  phaseNames,
  type Progress,
} from "./check.ts";
export type { DumpLine, DumpOptions } from "./dump.ts";
export { exitBits, type Finding, type FindingPlace } from "./finding.ts";
export { type FindingId, type FindingKind, findingTable, type Severity } from "./finding-table.ts";
export type { Loss, LossKind } from "./loss.ts";
export { repair, type RepairOptions, type RepairReport } from "./repair.ts";
export type { ScrubResult } from "./scrub.ts";
export { dump, restore } from "./transfer.ts";
