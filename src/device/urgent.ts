/**
 * Urgent data is not a target's business (digest §4.5, E18): a segment with URG that could be the peer's ends the offload,
 * and it is the host that processes it and what follows. One that could not is dropped, or anybody could end offloads.
 */
import { seqGt, seqLt } from '../base/seq.ts';
import type { Tcb } from '../tcp/tcb.ts';
import { mayBeUrgent } from '../tcp/urgent.ts';
import { isAcceptable } from '../tcp/window.ts';
import { segLenOf, TcpFlag, type TcpHeader } from '../wire/tcp.ts';

export const Urgent = {
  /** Nothing to see: it goes through the engine as any other. */
  None: 0,
  /** A wrong sequence or acknowledgment number. */
  Discard: 1,
  Upload: 2,
} as const;
export type Urgent = (typeof Urgent)[keyof typeof Urgent];

/** Of a segment with URG. */
export function judgeUrgent(tcb: Tcb, segment: TcpHeader): Urgent {
  if (!mayBeUrgent(tcb, segment)) return Urgent.None;
  const ack = segment.segAck;
  const acks =
    (segment.flags & TcpFlag.Ack) !== 0 && !seqGt(ack, tcb.sndMax) && !seqLt(ack, (tcb.sndUna - tcb.maxSndWnd) | 0);
  return acks && isAcceptable(tcb, segment.segSeq, segLenOf(segment)) ? Urgent.Upload : Urgent.Discard;
}
