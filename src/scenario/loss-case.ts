/**
 * What a loss sweep measures: goodput of one bulk transfer over a link that loses packets, beside what another stack
 * reports for the same link. The parameters are those of smoltcp's `tests/netsim.rs`, the figures those it publishes for
 * buffers of 32 KiB:
 *
 *   RTT 100 ms, no limit on the rate; every packet of either direction is lost independently; 32 KiB of send and of
 *   receive buffer at both ends; a sender that always has more; the clock runs from before the handshake until the
 *   receiving application has 10 MiB.
 *
 * smoltcp's sockets have no congestion control unless it is asked for, and in that table it is not: ours are measured with
 * CUBIC, as everybody runs them, and without, for the comparison of like with like.
 */
import type { TcpParams } from '../tcp/params.ts';

export const LOSS = {
  rttMs: 100,
  bytes: 10 * 1024 * 1024,
  bufferBytes: 32 * 1024,
  /** The send buffer in pieces: an ACK makes room by as many as it covers whole. */
  pieceBytes: 512,
} as const;

/** A link must not end a connection, however bad its luck: smoltcp's sockets have no time-out either. */
export function lossTcp(congestionControl: LossControl): Partial<TcpParams> {
  return {
    congestionControl,
    rcvBuffer: LOSS.bufferBytes,
    // Linux's default: the window scale is chosen for it, and a scaled window is not rounded to full segments.
    rcvBufferMax: 6_291_456,
    nagle: false,
    retransmissionsMax: 255,
    synRetransmissionsMax: 255,
    synAckRetransmissionsMax: 255,
  };
}

/** Loss in percent → smoltcp's goodput, bytes per second. */
export const SMOLTCP: ReadonlyMap<number, number> = new Map([
  [0, 322_945],
  [0.1, 314_780],
  [1, 219_671],
  [2, 166_588],
  [5, 76_626],
  [10, 37_775],
  [20, 6_079],
  [30, 1_156],
]);

export const LOSS_PERCENTS: readonly number[] = [...SMOLTCP.keys()];

/** How much better than smoltcp we must be; what is not named here is only reported. */
const BARS: ReadonlyMap<number, number> = new Map([
  [0, 1],
  [1, 1.5],
  [2, 1.5],
  [5, 1.5],
  [10, 1.5],
]);

export const LossVerdict = { Pass: 'PASS', Miss: 'MISS', Reported: '' } as const;
export type LossVerdict = (typeof LossVerdict)[keyof typeof LossVerdict];

export interface LossRun {
  /** Bytes per second of virtual time. */
  readonly goodput: number;
  readonly virtualMs: number;
}

/** One way to carry the transfer, at one loss rate and seed. */
export type LossWay = (lossPercent: number, seed: number, congestionControl: LossControl) => LossRun;
export type LossControl = Extract<TcpParams['congestionControl'], 'cubic' | 'none'>;

export function barOf(lossPercent: number): number | null {
  return BARS.get(lossPercent) ?? null;
}

export function verdictOf(lossPercent: number, goodput: number): LossVerdict {
  const bar = barOf(lossPercent);
  if (bar === null) return LossVerdict.Reported;
  return goodput >= bar * SMOLTCP.get(lossPercent)! ? LossVerdict.Pass : LossVerdict.Miss;
}
