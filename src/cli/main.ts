#!/usr/bin/env node
/**
 * Entry of the `chimney` command: runs it, sets the exit code, and sees to it that the process ends.
 * What there is to run is in program.ts.
 */
import { leaveSoon } from './interrupt.ts';
import { runCommandLine } from './program.ts';

// A reader that has seen enough (head, a pager that was left) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

process.exitCode = await runCommandLine(process.argv.slice(2));
leaveSoon();
