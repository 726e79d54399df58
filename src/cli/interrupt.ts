/**
 * Ctrl-C and SIGTERM: the first asks the job to end with the results so far, a second one, or three seconds without an
 * end, ends the process. One key press may arrive twice (npm passes it on), so a second within a second is the first.
 */
const SAME_PRESS_MS = 1000;
const END_MAX_MS = 3000;

/** Returns what takes the handlers off again. */
export function onInterrupt(interrupt: () => void): () => void {
  let firstMs = -1;
  let watchdog: NodeJS.Timeout | undefined;
  const leave = (why: string): never => {
    process.stderr.write(`\nchimney: ${why}\n`);
    process.exit(1);
  };
  const handler = (): void => {
    const now = performance.now();
    if (firstMs < 0) {
      firstMs = now;
      watchdog = setTimeout(() => leave(`not ended ${END_MAX_MS / 1000} s after the interrupt, left`), END_MAX_MS);
      interrupt();
    } else if (now - firstMs > SAME_PRESS_MS) leave('interrupted twice, left');
  };
  process.on('SIGINT', handler);
  process.on('SIGTERM', handler);
  return () => {
    clearTimeout(watchdog);
    process.off('SIGINT', handler);
    process.off('SIGTERM', handler);
  };
}

/** After the last word of a command: nothing may keep the process alive. */
export function leaveSoon(): void {
  setTimeout(() => {
    process.stderr.write(`chimney: something still ran ${END_MAX_MS / 1000} s after the end, left\n`);
    process.exit();
  }, END_MAX_MS).unref();
}
