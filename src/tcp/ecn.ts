/**
 * Explicit congestion notification (RFC 3168): a router marks instead of dropping, the receiver echoes, the sender slows down
 * as if it had lost a segment.
 *
 *   sender ── ECT(0) ──► router ── CE ──► receiver        sender ◄── ECE, ECE, ECE … ── receiver
 *   sender reduces (recovery.ts, once in a round trip), and says so:  ── CWR ──►      the receiver stops
 *
 * Negotiated in the handshake. Only new data is ECN-capable: not bare ACKs (RFC 3168 6.1.4), retransmissions
 * (RFC 3168 6.1.5) or probes (RFC 3168 6.1.6). What is owed — the echo, the CWR — is delegated state. The owner reads and
 * writes the two bits of the IP header.
 */
import { seqLt } from '../base/seq.ts';
import { TcpFlag, type TcpHeader } from '../wire/tcp.ts';
import { enterQuickAcks } from './delayed-ack.ts';
import type { Effects } from './effects.ts';
import type { TcpParams } from './params.ts';
import { type Tcb, TcpConstFlag, TcpDelegatedFlag, TcpLossFlag, TcpPrivateFlag, TcpState } from './tcb.ts';

/** RFC 3168 5: the lower two bits of the IPv4 TOS and of the IPv6 traffic class. */
const ECN_MASK = 3;
const ECT_0 = 2;
const CE = 3;
/** In the SYN. */
const SETUP = TcpFlag.Ece | TcpFlag.Cwr;
/** The sender's window may be one segment: it waits for each ACK. */
const QUICK_ACKS_AFTER_MARK = 2;

/** The `congestionExperienced` of a segment, from the TOS or traffic class of its datagram. */
export function isMarked(trafficClass: number): boolean {
  return (trafficClass & ECN_MASK) === CE;
}

/** TOS or traffic class of the datagram around a segment that is about to leave: SND.MAX is not moved yet. */
export function trafficClassOf(tcb: Tcb, seq: number, length: number): number {
  return (tcb.tos & ~ECN_MASK) | (isNewData(tcb, seq, length) ? ECT_0 : 0);
}

function isNewData(tcb: Tcb, seq: number, length: number): boolean {
  const isOn = (tcb.constFlags & TcpConstFlag.Ecn) !== 0 && tcb.state >= TcpState.Established;
  return isOn && length > 0 && !seqLt(seq, tcb.sndMax);
}

/** TcpConstFlag of what our SYN asks for: an active open only where `ecn` is on. */
export function offersEcn(params: TcpParams, isActive: boolean): number {
  return params.ecn === 'on' || (params.ecn === 'passive' && !isActive) ? TcpConstFlag.Ecn : 0;
}

/**
 * RFC 3168 6.1.1: is this SYN or SYN,ACK of the peer an ECN-setup one? Both bits in a SYN,ACK were only reflected. A SYN that was
 * itself marked has met a router that does not know what it is.
 */
export function isEcnSetup({ flags, congestionExperienced }: TcpHeader): boolean {
  const bits = flags & SETUP;
  return (flags & TcpFlag.Ack) !== 0 ? bits === TcpFlag.Ece : bits === SETUP && !congestionExperienced;
}

/** Whether ECN stays on with this SYN of the peer: TcpConstFlag.Ecn or 0. */
export function agreedEcn(tcb: Tcb, segment: TcpHeader): number {
  // RFC 3168 6.1.1: whoever has sent a SYN without it must not use it; the one that was sent again had none.
  const isOpener = (tcb.privateFlags & TcpPrivateFlag.Passive) === 0;
  if (isOpener && (tcb.delegatedFlags & TcpDelegatedFlag.SynRetransmitted) !== 0) return 0;
  return isEcnSetup(segment) ? tcb.constFlags & TcpConstFlag.Ecn : 0;
}

/** Bits that a segment carries beside `flags`: in the handshake the offer, later ECE and CWR. */
export function ecnFlags(tcb: Tcb, flags: number, seq: number, length: number): number {
  if ((tcb.constFlags & TcpConstFlag.Ecn) === 0) return 0;
  if ((flags & TcpFlag.Syn) !== 0) {
    // RFC 3168 6.1.1.1: not in a SYN that is sent again: somebody on the way may have dropped the first for its bits.
    if ((flags & TcpFlag.Ack) !== 0) return TcpFlag.Ece;
    return (tcb.delegatedFlags & TcpDelegatedFlag.SynRetransmitted) !== 0 ? 0 : SETUP;
  }
  const { lossFlags } = tcb;
  let bits = (lossFlags & TcpLossFlag.EceOwed) !== 0 ? TcpFlag.Ece : 0;
  // RFC 3168 6.1.2: on the first new data after the reduction; a retransmission would not be ECN-capable.
  if ((lossFlags & TcpLossFlag.CwrOwed) !== 0 && isNewData(tcb, seq, length)) bits |= TcpFlag.Cwr;
  return bits;
}

/** A segment with these flags has left. */
export function ecnSent(tcb: Tcb, flags: number): void {
  if ((flags & (TcpFlag.Cwr | TcpFlag.Syn)) === TcpFlag.Cwr) tcb.lossFlags &= ~TcpLossFlag.CwrOwed;
}

/** RFC 3168 6.1.3: a segment with text that is in the window has come: CWR ends the echo, CE begins it. */
export function takeEcn(tcb: Tcb, segment: TcpHeader, fx: Effects): void {
  if ((tcb.constFlags & TcpConstFlag.Ecn) === 0) return;
  if ((segment.flags & TcpFlag.Cwr) !== 0) {
    tcb.lossFlags &= ~TcpLossFlag.EceOwed;
    tcb.privateFlags |= TcpPrivateFlag.AckNow;
  }
  if (!segment.congestionExperienced || (tcb.lossFlags & TcpLossFlag.EceOwed) !== 0) return;
  tcb.lossFlags |= TcpLossFlag.EceOwed;
  enterQuickAcks(tcb, QUICK_ACKS_AFTER_MARK, fx);
}
