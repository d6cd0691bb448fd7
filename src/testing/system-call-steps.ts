/**
 * What each system call does to the simulated disk and to the descriptors of its program, in two
 * steps: what it changes is issued when it is called; what it answers counts when it returns.
 */
import { fieldOf, numberOf, openPathOf, wordOf } from "./call-arguments.ts";
import {
  advance,
  allocate,
  copy,
  flush,
  flushAll,
  flushFileSystem,
  resize,
  splice,
  unseen,
  unseenWrite,
  write,
  writeWithFlags,
  writtenThrough,
} from "./data-steps.ts";
import { closeRange, control, duplicated, enter } from "./descriptor-steps.ts";
import { mapped, mayWrite, moved, madeWritable } from "./memory-steps.ts";
import {
  create,
  link,
  linkAt,
  makeFolder,
  makeNode,
  opened,
  remove,
  rename,
} from "./name-steps.ts";
import type { SystemCall } from "./strace-log.ts";
import type { TracedProgram } from "./traced-program.ts";

/** `calledAt`: entries that the trace had when it was called. */
type Step = (program: TracedProgram, call: SystemCall, calledAt: number) => void;

/** Calls that tell only from where to read, or that something was done: no bytes are wanted. */
export const rawCalls: readonly string[] = ["read", "readv", "preadv2", "io_submit"];

/** What a call changes, if it has succeeded (or was never seen to end). */
export const atStart: Readonly<Record<string, Step>> = {
  write: (program, call) => write(program, call),
  writev: (program, call) => write(program, call),
  pwrite64: (program, call) => write(program, call, { offset: numberOf(call, 3) }),
  pwritev: (program, call) => write(program, call, { offset: numberOf(call, 3) }),
  pwritev2: writeWithFlags,
  open: (program, call) => create(program, call, program.path(call, 0), wordOf(call, 1)),
  creat: (program, call) => create(program, call, program.path(call, 0), "O_CREAT|O_TRUNC"),
  openat: (program, call) => create(program, call, program.path(call, 1, 0), wordOf(call, 2)),
  openat2: (program, call) =>
    create(program, call, program.path(call, 1, 0), fieldOf(call, 2, "flags")),
  open_by_handle_at: (program, call) => create(program, call, undefined, wordOf(call, 2)),
  close: (program, call) => program.descriptors.close(call.thread, numberOf(call, 0)),
  close_range: closeRange,
  ftruncate: resize,
  truncate: (program, call) => {
    const path = program.inside(program.realPath(call, 0));
    if (path !== undefined) program.disk.resize(program.disk.file(path), numberOf(call, 1));
  },
  fallocate: allocate,
  rename: (program, call) => rename(program, call, program.path(call, 0), program.path(call, 1)),
  renameat: (program, call) => renameAt(program, call),
  renameat2: (program, call) => {
    if (wordOf(call, 4) === "0" || wordOf(call, 4) === "RENAME_NOREPLACE") renameAt(program, call);
    else unseen(program, call, program.path(call, 3, 2) ?? program.path(call, 1, 0));
  },
  link: (program, call) => link(program, call, program.path(call, 0), program.path(call, 1)),
  linkat: linkAt,
  unlink: (program, call) => remove(program, program.path(call, 0), "file"),
  rmdir: (program, call) => remove(program, program.path(call, 0), "folder"),
  unlinkat: (program, call) => {
    const is = wordOf(call, 2).includes("AT_REMOVEDIR") ? "folder" : "file";
    remove(program, program.path(call, 1, 0), is);
  },
  mkdir: (program, call) => makeFolder(program, program.path(call, 0)),
  mkdirat: (program, call) => makeFolder(program, program.path(call, 1, 0)),
  mknod: (program, call) => makeNode(program, call, program.path(call, 0), wordOf(call, 1)),
  mknodat: (program, call) => makeNode(program, call, program.path(call, 1, 0), wordOf(call, 2)),
  symlink: (program, call) => unseen(program, call, program.path(call, 1)),
  symlinkat: (program, call) => unseen(program, call, program.path(call, 2, 1)),
  copy_file_range: (program, call) =>
    copy(program, call, { from: 0, fromAt: 1, to: 2, toAt: 3, count: 4 }),
  splice,
  sendfile: (program, call) => copy(program, call, { from: 1, fromAt: 2, to: 0, count: 3 }),
  ioctl: (program, call) => {
    const request = wordOf(call, 1);
    if (!HARMLESS_REQUESTS.some((one) => one.test(request))) unseenWrite(program, call, 0);
  },
  mmap: mayWrite,
  mprotect: madeWritable,
  pkey_mprotect: madeWritable,
  io_uring_setup: (program, call) => unseen(program, call, ""),
  io_submit: (program, call) => unseen(program, call, ""),
  // Paths mean something else afterwards.
  chroot: (program, call) => unseen(program, call, ""),
  pivot_root: (program, call) => unseen(program, call, ""),
};

/**
 * What does not change the bytes of a file: questions of a terminal or a socket, flags, where a
 * file lies. Others may, as reflinks do, which every file system calls by another name.
 */
const HARMLESS_REQUESTS: readonly RegExp[] = [
  /^(?:TC|TIO|FIO|SIO)/,
  /^(?:FIGETBSZ|FIBMAP|FIFREEZE|FITHAW|FITRIM)/,
  /^FS_IOC_(?:[GS]ETFLAGS|FS[GS]ETXATTR|FIEMAP|[GS]ETFSLABEL|GETVERSION)/,
];

/** What its answer means, also that of a flush that has failed. */
export const atEnd: Readonly<Record<string, Step>> = {
  open: (program, call) => opened(program, call, wordOf(call, 1)),
  creat: (program, call) => opened(program, call, "O_CREAT|O_WRONLY|O_TRUNC"),
  openat: (program, call) => opened(program, call, wordOf(call, 2)),
  openat2: (program, call) => opened(program, call, fieldOf(call, 2, "flags")),
  open_by_handle_at: (program, call) => opened(program, call, wordOf(call, 2)),
  dup: duplicated,
  dup2: duplicated,
  dup3: duplicated,
  fcntl: control,
  unshare: (program, call) => {
    const isParted = call.result === 0 && wordOf(call, 0).includes("CLONE_FILES");
    if (isParted) program.descriptors.part(call.thread);
  },
  mmap: mapped,
  mremap: moved,
  clone: born,
  clone3: born,
  fork: born,
  vfork: born,
  execve: executed,
  execveat: executed,
  chdir: (program, call) => {
    if (call.result === 0) enter(program, call, program.realPath(call, 0));
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
  preadv2: advance,
  fsync: flush,
  fdatasync: flush,
  syncfs: flushFileSystem,
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
  if (result === undefined || result <= 0) return;
  program.descriptors.begin(result);
  program.mappings.begin(result);
}

function executed(program: TracedProgram, { thread, result }: SystemCall): void {
  if (result !== 0) return;
  program.descriptors.execute(thread);
  program.mappings.execute(thread);
}
