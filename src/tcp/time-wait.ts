/**
 * The end of TIME-WAIT before its time: a SYN that opens the connection anew (RFC 9293 MAY-2, RFC 6191), and an active open
 * that takes the same pair of addresses. Called by the owner, whose table holds the old connection.
 */
import { seqGt, seqLt } from '../base/seq.ts';
import { TcpFlag, type TcpHeader } from '../wire/tcp.ts';
import { CloseReason, type Effects } from './effects.ts';
import { reportClosed } from './reset.ts';
import { type Tcb, TcpConstFlag, TcpState } from './tcb.ts';
import { TcpEvent, setState } from './transitions.ts';

/** From the highest number of the old connection: beyond any window it could have had without scaling, as in Linux. */
const ISS_STEP = 65_535 + 2;
/** A peer whose timestamps are a second old has moved on since (Linux's tcp_tw_reuse_delay). */
const REUSE_TICKS = 1000;

/**
 * RFC 9293 MAY-2, SHLD-4 (RFC 6191): a SYN in TIME-WAIT begins a new connection when its timestamp is later than any of the
 * old one, or its number is; one that is older than what was seen last is none (PAWS).
 */
export function reopensTimeWait(tcb: Tcb, segment: TcpHeader): boolean {
  if (tcb.state !== TcpState.TimeWait) return false;
  if ((segment.flags & (TcpFlag.Syn | TcpFlag.Ack | TcpFlag.Rst)) !== TcpFlag.Syn) return false;
  const stamped = (tcb.constFlags & TcpConstFlag.Timestamp) !== 0 && segment.hasTimestamp;
  if (stamped && seqLt(segment.tsVal, tcb.tsRecent)) return false;
  return seqGt(segment.segSeq, tcb.rcvNxt) || (stamped && seqGt(segment.tsVal, tcb.tsRecent));
}

/**
 * An active open may take the pair of addresses: the peer uses timestamps, so that whatever is left of the old connection is
 * refused by PAWS.
 */
export function mayReuseTimeWait(tcb: Tcb, now: number): boolean {
  if (tcb.state !== TcpState.TimeWait || (tcb.constFlags & TcpConstFlag.Timestamp) === 0) return false;
  return (now - tcb.tsRecentAge) >>> 0 > REUSE_TICKS;
}

/** Ends the wait for a new connection, and returns its ISS: RFC 9293 MAY-2 (1), larger than any number of the old one. */
export function replaceTimeWait(tcb: Tcb, fx: Effects): number {
  const iss = (tcb.sndMax + ISS_STEP) | 0;
  setState(tcb, TcpEvent.TimeWaitOver);
  reportClosed(tcb, CloseReason.Normal, fx);
  return iss;
}
