/**
 * What a sender has been waiting for: tcpi_busy_time, tcpi_rwnd_limited and tcpi_sndbuf_limited, as Linux has them
 * (tcp_chrono_start, tcp_chrono_stop).
 *
 *   Idle            nothing is queued
 *   Busy            something is, sent or not
 *   WindowLimited   the next segment is kept back by the peer's window alone (RFC 9293 3.8.6)
 *   BufferLimited   all that fitted into SO_SNDBUF was sent, the congestion window would take more, and the writer waits
 *
 * The last that is true counts; all but the first are busy. It looks at the variables whenever something has happened, wherever
 * they are: in between nothing changes, so the times are exact, the engine keeps none, and a hand-over interrupts none.
 */
import { flightSize, inFlight, isCwndLimited } from '../tcp/congestion.ts';
import { finOutstanding } from '../tcp/send-queue.ts';
import { type Tcb, TcpState } from '../tcp/tcb.ts';

const Waiting = { Idle: 0, Busy: 1, WindowLimited: 2, BufferLimited: 3 } as const;
type Waiting = (typeof Waiting)[keyof typeof Waiting];

export class SendChronograph {
  readonly #us = [0, 0, 0, 0];
  #waiting: Waiting = Waiting.Idle;
  #sinceUs = 0;
  #sndMax = 0;
  #queueEnd = 0;
  /** What the last of this instant's looks has found; it counts when time has passed. */
  #now = { us: 0, waiting: this.#waiting, sndMax: 0, queueEnd: 0 };

  /** `wantsRoom`: a write has found none. */
  look(tcb: Tcb, wantsRoom: boolean, nowUs: number): void {
    if (nowUs > this.#now.us) this.#settle();
    const { sndMax, sndUna, sendDataBytes } = tcb;
    const queueEnd = (sndUna + sendDataBytes) | 0;
    this.#now = { us: nowUs, waiting: this.#judge(tcb, wantsRoom, queueEnd), sndMax, queueEnd };
  }

  #settle(): void {
    const { us, waiting, sndMax, queueEnd } = this.#now;
    this.#sndMax = sndMax;
    this.#queueEnd = queueEnd;
    if (waiting === this.#waiting) return;
    this.#us[this.#waiting]! += us - this.#sinceUs;
    this.#waiting = waiting;
    this.#sinceUs = us;
  }

  info(nowUs: number): Readonly<Record<string, number>> {
    this.#settle();
    const us = (waiting: Waiting): number =>
      this.#us[waiting]! + (waiting === this.#waiting ? nowUs - this.#sinceUs : 0);
    const limited = { rwnd: us(Waiting.WindowLimited), sndbuf: us(Waiting.BufferLimited) };
    return {
      tcpi_busy_time: us(Waiting.Busy) + limited.rwnd + limited.sndbuf,
      tcpi_rwnd_limited: limited.rwnd,
      tcpi_sndbuf_limited: limited.sndbuf,
    };
  }

  #judge(tcb: Tcb, wantsRoom: boolean, queueEnd: number): Waiting {
    const fin = finOutstanding(tcb.state) ? 1 : 0;
    if (tcb.sendDataBytes + fin === 0) return Waiting.Idle;
    if (wantsRoom) {
      // It begins when something is sent, and lasts until something is written.
      if (this.#waiting === Waiting.BufferLimited && queueEnd === this.#queueEnd) return Waiting.BufferLimited;
      const isOpen = tcb.state === TcpState.Established || tcb.state === TcpState.CloseWait;
      const hasSentAll = tcb.sndMax !== this.#sndMax && tcb.sndMax === queueEnd;
      if (isOpen && hasSentAll && !isCwndLimited(tcb)) return Waiting.BufferLimited;
    }
    return isWindowLimited(tcb, tcb.sendDataBytes + fin) ? Waiting.WindowLimited : Waiting.Busy;
  }
}

function isWindowLimited(tcb: Tcb, queued: number): boolean {
  // Text behind a SYN (RFC 7413) waits for its ACK.
  if (tcb.state < TcpState.Established) return false;
  const flight = flightSize(tcb);
  const next = Math.min(queued - flight, tcb.effectiveMss);
  return next > 0 && tcb.cwnd - inFlight(tcb) >= next && tcb.sndWnd - flight < next;
}
