/**
 * CPU time of the calling thread. Time by the clock counts what other programs did meanwhile, which on a busy machine
 * is most of it; Node has no call for this before 23.9, so Linux is asked (proc(5), schedstat).
 */
import { readFileSync } from 'node:fs';

/** µs on a processor so far, or null where the system does not tell. */
export function threadCpuUs(): number | null {
  try {
    const [ns] = readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ');
    const us = Number(ns) / 1000;
    return us > 0 ? us : null;
  } catch {
    return null;
  }
}
