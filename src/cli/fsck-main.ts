#!/usr/bin/env node
/**
 * The command `fsck.blockspace`: what fsck(8) calls, with the options that it passes.
 *
 *     -n             check only; nothing is written (also the default)
 *     -y             repair in place, behind an undo file
 *     -a, -p         the same, but only where that costs no data
 *     -f             even if it looks clean (it is always checked in full)
 *     -C FD          tell fd how far it is: lines of phase, done, total
 *     --device PATH  where the data lies, when not in the store
 *
 * Exit codes are those of fsck(8): 0 clean, 1 corrected, 2 leaks only, 4 uncorrected, 8 failure, 16
 * usage, 32 cancelled; bits add up.
 */
import { runFsck } from "./fsck-run.ts";

process.exitCode = await runFsck(process.argv.slice(2));
