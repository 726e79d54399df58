/**
 * What nobody can exceed on the link of the loss sweep: a sender without congestion control that knows every loss one RTT
 * after the segment was sent and repeats it at once, with a receiver whose ACKs are never lost. What remains is the
 * window: nothing beyond SND.UNA + 32 KiB may be sent before the hole at SND.UNA is filled.
 *
 * Everything in flight leaves together once an RTT; a round draws which of it arrives.
 */
import { Prng } from '../base/prng.ts';
import { LOSS } from './loss-case.ts';

const ROUNDS = 20_000;
const MSS = 1448;

/** Bytes per second; the same for everybody. */
export function lossCeiling(lossPercent: number): number {
  const prng = new Prng(1);
  const loss = lossPercent / 100;
  // The window as segments: their lengths, and whether they have arrived.
  const lengths = segmentsOf(LOSS.bufferBytes);
  const arrived = lengths.map(() => false);
  let bytes = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < arrived.length; i++) arrived[i] ||= !prng.chance(loss);
    let taken = 0;
    while (arrived[0] === true) {
      taken += lengths.shift()!;
      arrived.shift();
    }
    bytes += taken;
    for (const length of segmentsOf(taken)) {
      lengths.push(length);
      arrived.push(false);
    }
  }
  return (bytes / ROUNDS / LOSS.rttMs) * 1000;
}

function segmentsOf(bytes: number): number[] {
  const whole = Math.floor(bytes / MSS);
  const rest = bytes - whole * MSS;
  return [...Array.from({ length: whole }, () => MSS), ...(rest > 0 ? [rest] : [])];
}
