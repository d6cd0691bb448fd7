#!/usr/bin/env node
/**
 * The command `blockspace`: takes the arguments of the process and gives it an exit code.
 *
 *     0   done
 *     1   an error, told on stderr as `blockspace: CODE: message`
 *     2   the command line makes no sense
 *     128 + n  ended early by signal n: 130 for SIGINT, 143 for SIGTERM, 141 when nobody reads the
 *         output any more
 */
import { run } from "./run.ts";

const { exitCode, interrupted } = await run(process.argv);
process.exitCode = exitCode;
// Input that never ends, or output that nobody takes, must not keep an interrupted process alive.
if (interrupted) process.exit();
