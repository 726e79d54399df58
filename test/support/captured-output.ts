/** What a command prints, test by test. */
import { afterEach, beforeEach, vi } from 'vitest';

export interface CapturedOutput {
  stdout: string;
  stderr: string;
}

/** Nothing reaches the terminal; both streams are empty again at the start of each test. */
export function captureOutput(): CapturedOutput {
  const output: CapturedOutput = { stdout: '', stderr: '' };
  beforeEach(() => {
    for (const stream of ['stdout', 'stderr'] as const) {
      output[stream] = '';
      vi.spyOn(process[stream], 'write').mockImplementation(text => {
        output[stream] += String(text);
        return true;
      });
    }
  });
  afterEach(() => void vi.restoreAllMocks());
  return output;
}
