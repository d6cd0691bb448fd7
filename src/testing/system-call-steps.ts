/**
 * What each system call does to the simulated disk and to the descriptors of its program, in two
 * steps: what it changes is issued when it is called; what it answers counts when it returns.
 */
import { numberOf, openPathOf, wordOf } from "./call-arguments.ts";
import {
  advance,
  allocate,
  copy,
  flush,
  flushAll,
  unseen,
  unseenWrite,
  write,
  writtenThrough,
} from "./data-steps.ts";
import { WORKING_FOLDER } from "./descriptors.ts";
import { create, duplicated, link, makeFolder, opened, remove, rename } from "./name-steps.ts";
import type { SystemCall } from "./strace-log.ts";
import type { TracedProgram } from "./traced-program.ts";

/** `calledAt`: entries that the trace had when it was called. */
type Step = (program: TracedProgram, call: SystemCall, calledAt: number) => void;

/** Calls that tell only from where to read, or that something was done: no bytes are wanted. */
export const rawCalls: readonly string[] = ["read", "readv", "io_submit"];

/** What a call changes, if it has succeeded (or was never seen to end). */
export const atStart: Readonly<Record<string, Step>> = {
  write: (program, call) => write(program, call),
  writev: (program, call) => write(program, call),
  pwrite64: (program, call) => write(program, call, numberOf(call, 3)),
  pwritev: (program, call) => write(program, call, numberOf(call, 3)),
  pwritev2: (program, call) => {
    const offset = numberOf(call, 3);
    write(program, call, offset < 0 ? undefined : offset);
  },
  open: (program, call) => create(program, call, program.path(call, 0), wordOf(call, 1)),
  creat: (program, call) => create(program, call, program.path(call, 0), "O_CREAT|O_TRUNC"),
  openat: (program, call) => create(program, call, program.path(call, 1, 0), wordOf(call, 2)),
  close: (program, call) => program.descriptors.close(call.thread, numberOf(call, 0)),
  close_range: (program, call) => {
    const last = Math.min(numberOf(call, 1), 2 ** 16);
    for (let number = numberOf(call, 0); number <= last; number++) {
      program.descriptors.close(call.thread, number);
    }
  },
  ftruncate: (program, call) => {
    const file = program.file(call);
    if (file) program.disk.resize(file.file, numberOf(call, 1));
  },
  truncate: (program, call) => {
    const path = program.path(call, 0);
    if (path !== undefined) program.disk.resize(program.disk.file(path), numberOf(call, 1));
  },
  fallocate: allocate,
  rename: (program, call) => rename(program, call, program.path(call, 0), program.path(call, 1)),
  renameat: (program, call) => renameAt(program, call),
  renameat2: (program, call) => {
    if (wordOf(call, 4) === "0" || wordOf(call, 4) === "RENAME_NOREPLACE") renameAt(program, call);
    else unseen(program, call, program.path(call, 3, 2));
  },
  link: (program, call) => link(program, call, program.path(call, 0), program.path(call, 1)),
  linkat: (program, call) =>
    link(program, call, program.path(call, 1, 0), program.path(call, 3, 2)),
  unlink: (program, call) => remove(program, program.path(call, 0), "file"),
  rmdir: (program, call) => remove(program, program.path(call, 0), "folder"),
  unlinkat: (program, call) => {
    const is = wordOf(call, 2).includes("AT_REMOVEDIR") ? "folder" : "file";
    remove(program, program.path(call, 1, 0), is);
  },
  mkdir: (program, call) => makeFolder(program, program.path(call, 0)),
  mkdirat: (program, call) => makeFolder(program, program.path(call, 1, 0)),
  symlink: (program, call) => unseen(program, call, program.path(call, 1)),
  symlinkat: (program, call) => unseen(program, call, program.path(call, 2, 1)),
  copy_file_range: (program, call) =>
    copy(program, call, { from: 0, fromAt: 1, to: 2, toAt: 3, count: 4 }),
  splice: (program, call) => unseenWrite(program, call, 2),
  sendfile: (program, call) => copy(program, call, { from: 1, fromAt: 2, to: 0, count: 3 }),
  ioctl: (program, call) => {
    if (/^(?:FICLONE|FIDEDUPERANGE)/.test(wordOf(call, 1))) unseenWrite(program, call, 0);
  },
  mmap: (program, call) => {
    const shared = wordOf(call, 3).includes("MAP_SHARED");
    if (shared && wordOf(call, 2).includes("PROT_WRITE")) unseenWrite(program, call, 4);
  },
  io_uring_setup: (program, call) => unseen(program, call, ""),
  io_submit: (program, call) => unseen(program, call, ""),
};

/** What its answer means, also that of a flush that has failed. */
export const atEnd: Readonly<Record<string, Step>> = {
  open: (program, call) => opened(program, call, wordOf(call, 1)),
  creat: (program, call) => opened(program, call, "O_CREAT|O_WRONLY|O_TRUNC"),
  openat: (program, call) => opened(program, call, wordOf(call, 2)),
  dup: duplicated,
  dup2: duplicated,
  dup3: duplicated,
  fcntl: (program, call) => {
    if (wordOf(call, 1).startsWith("F_DUPFD")) duplicated(program, call);
  },
  clone: born,
  clone3: born,
  fork: born,
  vfork: born,
  execve: (program, call) => {
    if (call.result === 0) program.descriptors.execute(call.thread);
  },
  chdir: (program, call) => {
    if (call.result === 0) enter(program, call, program.fullPath(call, 0));
  },
  fchdir: (program, call) => {
    const path = openPathOf(call, 0);
    if (call.result === 0 && path !== undefined) enter(program, call, path);
  },
  lseek: (program, call) => {
    const file = program.file(call);
    if (file && call.result !== undefined && call.result >= 0) file.position = call.result;
  },
  read: advance,
  readv: advance,
  fsync: flush,
  fdatasync: flush,
  syncfs: (program, { result }, calledAt) => {
    if (result === 0) flushAll(program, "", calledAt);
  },
  sync: (program, { result }, calledAt) => {
    if (result === 0) flushAll(program, "", calledAt);
  },
  write: writtenThrough,
  writev: writtenThrough,
  pwrite64: writtenThrough,
  pwritev: writtenThrough,
  pwritev2: writtenThrough,
};

/** Every call that has a step. */
export const tracedCalls: readonly string[] = [
  ...new Set([...Object.keys(atStart), ...Object.keys(atEnd)]),
];

function renameAt(program: TracedProgram, call: SystemCall): void {
  rename(program, call, program.path(call, 1, 0), program.path(call, 3, 2));
}

function born(program: TracedProgram, { result }: SystemCall): void {
  if (result !== undefined && result > 0) program.descriptors.begin(result);
}

function enter(program: TracedProgram, { thread }: SystemCall, path: string): void {
  const descriptor = { type: "folder", path } as const;
  program.descriptors.open(thread, WORKING_FOLDER, { descriptor, closesOnExec: false });
}
