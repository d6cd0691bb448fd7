/**
 * `blockspace/testing`: prove that storage code survives crashes. A simulated disk, every state
 * that a loss of power may leave on it, faults at every operation, and a check that does it all;
 * see `docs/testing.md`. Nothing but the last lines knows Blockspace.
 */
export { checkCrashConsistency } from "./testing/check.ts";
export type { CheckBudget, CheckOptions, CheckProgress } from "./testing/check.ts";
export {
  type CaseKind,
  type CrashReport,
  formatReport,
  type Tally,
  type Violation,
} from "./testing/check-report.ts";
export type { CrashCheck, Moment } from "./testing/crash-check.ts";
export {
  type CrashKind,
  crashKinds,
  type CrashModel,
  defaultModel,
} from "./testing/crash-model.ts";
export type { Fate, TornPart } from "./testing/crash-point.ts";
export {
  type CrashState,
  crashStates,
  type CrashStatesOptions,
  imageAfter,
  type Recording,
} from "./testing/crash-states.ts";
export { type CrashVector, formatVectors, parseVectors } from "./testing/crash-vector.ts";
export { readImage, writeImage } from "./testing/directory-image.ts";
export { SimulatedDisk, type SimulatedDiskOptions } from "./testing/disk.ts";
export { type DiskImage, fingerprintOfImage } from "./testing/disk-image.ts";
export { fileSystem, type SimulatedFileSystem } from "./testing/file-system.ts";
export { fileSystemSync, type SimulatedFileSystemSync } from "./testing/file-system-sync.ts";
export { nodeFileSystem, type SimulatedNodeFileSystem } from "./testing/node-file-system.ts";
export { type FaultKind, faultKinds, FaultInjector, type FaultPlan } from "./testing/faults.ts";
export {
  type EverySystemCallOptions,
  killAtEverySystemCall,
  killAtSeededMoments,
  type KilledRun,
  type KillOptions,
  type KillReport,
  type KillViolation,
  type SeededMomentsOptions,
} from "./testing/kill.ts";
export { killCalls } from "./testing/kill-points.ts";
export type { Fault, OnOperation, Operation, TraceEntry } from "./testing/operation.ts";
export { type Answer, ProgramPool, type ProgramPoolOptions } from "./testing/program-pool.ts";
export { type Random, randomBelow, randomFrom, seedFor } from "./testing/random.ts";
export { type Replayed, replayCrash } from "./testing/replay-case.ts";
export { SimulatedDevice } from "./testing/simulated-device.ts";
export { SimulatedDirectory } from "./testing/simulated-directory.ts";
export { terminalProgress, type TerminalProgress } from "./testing/terminal-progress.ts";
export { fingerprintOfTrace } from "./testing/trace-fingerprint.ts";
export { type ProgramEnd, type ProgramToRun, runProgram, straceMissing } from "./testing/strace.ts";
export {
  type SystemCallTrace,
  traceSystemCalls,
  type TraceOptions,
} from "./testing/system-call-trace.ts";
export type { UnseenChange } from "./testing/traced-program.ts";
export { workloadOf } from "./testing/traced-workload.ts";
export type { CreateOptions, Device, Directory, Lock } from "./device/device.ts";
export { auditHost } from "./testing-store/host-audit.ts";
export { checkSimulatedStore } from "./testing-store/simulated-check.ts";
export { openSimulatedHost, type SimulatedHostOptions } from "./testing-store/simulated-host.ts";
