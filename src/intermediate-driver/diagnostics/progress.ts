/**
 * What moves only forward, whoever owns a connection (§8.2 of the digest, invariant 8): RCV.NXT, SND.UNA, the highest
 * number sent, and our timestamp clock. The checker compares it at every hand-over, and at queries in between.
 */
import { seqLeq } from '../../base/seq.ts';
import { type CheckedObject, type CheckedObjects, type Progress, violation } from './checked-object.ts';

export function checkProgress(
  objects: CheckedObjects,
  object: CheckedObject,
  when: string,
  before: Progress,
  after: Progress,
): void {
  const back = (field: string, from: number, to: number): void => {
    if (!seqLeq(from, to)) {
      violation(objects, `${object.name}: ${field} goes back from ${from} to ${to} at ${when} (invariant 8)`);
    }
  };
  back('RcvNxt', before.rcvNxt, after.rcvNxt);
  back('SndUna', before.sndUna, after.sndUna);
  back('SndMax', before.sndMax, after.sndMax);
  if (before.tsTime !== null && after.tsTime !== null) back('TsTime', before.tsTime, after.tsTime);
}
