/**
 * The SACK option of an ACK, taken by the sender (RFC 2018 5, RFC 2883, RFC 6675 4 "Update"): each block is checked, then
 * marked in the sent ranges.
 */
import { seqGeq, seqGt, seqLeq, seqLt } from '../base/seq.ts';
import type { TcpHeader } from '../wire/tcp.ts';
import type { AckReport } from './ack-report.ts';
import type { SentRanges } from './sent-ranges.ts';
import { type Tcb, TcpConstFlag, TcpLossFlag } from './tcb.ts';
import { noteNamed } from './undo.ts';

export function takeSack(tcb: Tcb, segment: TcpHeader, sent: SentRanges, report: AckReport): void {
  if (segment.sackCount === 0 || (tcb.constFlags & TcpConstFlag.Sack) === 0) return;
  const { sackLeft, sackRight } = segment;
  const first = isDuplicateSack(segment) ? 1 : 0;
  if (first === 1) noteDuplicate(tcb, sackLeft[0]!, sackRight[0]!, sent, report);
  for (let i = first; i < segment.sackCount; i++) {
    const left = sackLeft[i]!;
    const right = sackRight[i]!;
    // Old, never sent, or nonsense (RFC 6675 4): ignored.
    if (!seqLt(left, right) || seqGt(right, tcb.sndMax) || !seqGt(right, tcb.sndUna)) continue;
    sent.sack(tcb, left, right, report);
  }
}

/** RFC 2883 4: the first block lies below SEG.ACK, or within the second. */
function isDuplicateSack(segment: TcpHeader): boolean {
  const left = segment.sackLeft[0]!;
  const right = segment.sackRight[0]!;
  if (!seqLt(left, right)) return false;
  if (seqLt(left, segment.segAck)) return true;
  if (segment.sackCount < 2) return false;
  return seqGeq(left, segment.sackLeft[1]!) && seqLeq(right, segment.sackRight[1]!);
}

/** One of the retransmissions was not needed. Only those count that this reduction of the window has made. */
function noteDuplicate(tcb: Tcb, left: number, right: number, sent: SentRanges, report: AckReport): void {
  // More than the largest window ago, or never sent: not ours (RFC 2883 5).
  if (seqGt(right, tcb.sndMax) || seqLt(left, (tcb.sndUna - tcb.maxSndWnd) | 0)) return;
  const segments = Math.max(1, Math.ceil(((right - left) | 0) / tcb.effectiveMss));
  report.duplicateSegments = segments;
  const { lossFlags } = tcb;
  if ((lossFlags & TcpLossFlag.TlpRetransmission) !== 0 && right === tcb.tlpEndSeq) report.duplicateProbe = true;
  noteNamed(tcb, right, segments);
  // What was SACKed before it was sent again for nothing had only been late (reordering.ts).
  if (!seqGeq(left, tcb.sndUna) || !sent.arrivedTwice(tcb, left)) return;
  report.hasLateDuplicate = true;
  report.lateDuplicate = left;
}
