/**
 * What the engine asks of its owner. The host transport, the NIC firmware and the stations each implement it once;
 * the engine itself does no I/O, reads no clock and keeps no promise (style §5).
 */
import type { ChallengeBudget } from './challenge-budget.ts';
import type { Tcb } from './tcb.ts';
import type { TcpParams } from './params.ts';
import type { NetBufferCursor } from './send-queue.ts';
import type { SentRanges } from './sent-ranges.ts';

/** Why a connection ended, as `closed` reports it. */
export const CloseReason = {
  /** Both directions were closed in order. */
  Normal: 0,
  /** An acceptable RST arrived. */
  Reset: 1,
  /** Retransmissions, probes or keep-alives went unanswered. */
  TimedOut: 2,
  /** The local user aborted. */
  Aborted: 3,
  /** The peer refused: RST in SYN-SENT. */
  Refused: 4,
  /** A SYN came where the next byte was due, and is believed (tcp/blind-attack.ts): the peer has started anew. */
  Replaced: 5,
  /** The network says that the peer cannot be reached, while connecting (tcp/icmp-error.ts). */
  Unreachable: 6,
} as const;
export type CloseReason = (typeof CloseReason)[keyof typeof CloseReason];

export interface Effects {
  readonly params: TcpParams;
  /** Of all connections of the owner. */
  readonly challenges: ChallengeBudget;
  /** What the owner's connections have sent: one store for all of them. */
  readonly sent: SentRanges;
  /** Over the descriptors of send queues; stands anywhere when `transmit` has returned. */
  readonly buffers: NetBufferCursor;
  /**
   * Sends one segment: flags, SEG.SEQ and `length` payload bytes taken from the send queue at `seq`.
   * False when there is no room: nothing was sent, `transmit` will be called again.
   */
  emitSegment(tcb: Tcb, flags: number, seq: number, length: number): boolean;
  /** A segment found no room; call `transmit` when there is. */
  transmitBlocked(tcb: Tcb): void;
  /**
   * A NET_BUFFER that holds payload bytes [at, at + length) of the segment in hand: the frame's own buffer, or one they
   * are copied into. 0 when there is none: the engine then treats the bytes as never received. `inOrder` bytes stand at
   * RCV.NXT: they set others free, so an owner keeps some room for them.
   */
  takePayload(at: number, length: number, inOrder: boolean): number;
  /** In-order bytes for the application; ownership of the buffer goes to the owner. */
  indicateReceive(tcb: Tcb, buffer: number): void;
  /** Gives back a buffer that the engine took and does not need. */
  freeBuffer(buffer: number): void;
  /** All bytes of this NET_BUFFER of the send queue are acknowledged. */
  sendComplete(tcb: Tcb, buffer: number): void;
  /** The peer's FIN was received; every byte before it has been indicated. */
  peerClosed(tcb: Tcb): void;
  /** RFC 6928: the initial window where the owner has it of the path; 0, or none of this: by parameter. */
  initialWindowSegments?(tcb: Tcb): number;
  /** The handshake is complete. */
  established(tcb: Tcb): void;
  /** Our FIN is acknowledged. */
  finAcknowledged(tcb: Tcb): void;
  /**
   * State CLOSED was reached. The owner frees the TCB after the engine has returned; what is left in the send queue
   * (`takeSendQueue`) and in the out-of-order queue (`dropOutOfOrder`) is the owner's to give back.
   */
  closed(tcb: Tcb, reason: CloseReason): void;
  /** The state is TIME-WAIT. */
  timeWait(tcb: Tcb): void;
  /** Call `timerFired` at that tick, or earlier: a later deadline never replaces an earlier one. */
  armTimer(tcb: Tcb, deadline: number): void;
}
