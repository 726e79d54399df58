/**
 * Options of connections on the host (socket options): what each changes in the TCB, and what it sets going at once.
 *
 * Cached state is changed here also while the connection is on a device; there it does its work when the update arrives
 * (device/connection-update.ts). Which of both is the case the switch knows (connection-options.ts).
 */
import { OffloadState } from '../offload/offload-state.ts';
import { setQuickAck } from '../tcp/delayed-ack.ts';
import { superviseFinWait2 } from '../tcp/half-close.ts';
import {
  type CongestionControl,
  mayOffload,
  type Tcb,
  TcpCachedFlag,
  TcpLossFlag,
  TcpPrivateFlag,
  TcpState,
} from '../tcp/tcb.ts';
import { pushNow } from '../tcp/nagle.ts';
import { startKeepAlive, stopKeepAlive } from '../tcp/timers.ts';
import { transmit } from '../tcp/transmit.ts';
import { windowHasGrown } from '../tcp/window.ts';
import { HostListening } from './listening.ts';

export class HostSocketOptions extends HostListening {
  /** TCP_NODELAY. Switched on it sends what waits, a cork notwithstanding, as on Linux. */
  setNoDelay(slot: number, noDelay: boolean): void {
    const tcb = this.at(slot);
    setFlag(tcb, TcpCachedFlag.NaglingEnabled, !noDelay);
    if (tcb.offloadState !== OffloadState.InHost) {
      if (noDelay) tcb.cachedFlags |= TcpCachedFlag.PushNow;
      return;
    }
    if (noDelay) pushNow(tcb);
    transmit(tcb, this.now, this);
  }

  /** TCP_CORK. */
  setCork(slot: number, corked: boolean): void {
    const tcb = this.at(slot);
    setFlag(tcb, TcpCachedFlag.Corked, corked);
    // Taken away it sends what waits, without regard to Nagle where that is off.
    if (tcb.offloadState === OffloadState.InHost) transmit(tcb, this.now, this);
  }

  /** RFC 9293 MUST-24 to MUST-28; `timeout` 0 leaves the time as it is. */
  setKeepAlive(slot: number, enabled: boolean, timeout: number): void {
    const tcb = this.at(slot);
    if (timeout > 0) tcb.kaTimeout = timeout;
    if (enabled) tcb.cachedFlags |= TcpCachedFlag.KeepAliveEnabled;
    else tcb.cachedFlags &= ~TcpCachedFlag.KeepAliveEnabled;
    if (tcb.offloadState !== OffloadState.InHost) tcb.cachedFlags |= TcpCachedFlag.KeepAliveRestart;
    else if (!enabled) stopKeepAlive(tcb);
    else if (mayOffload(tcb.state)) startKeepAlive(tcb, tcb.kaTimeout, this.now, this);
  }

  /** SO_RCVBUF. A smaller buffer takes nothing back that the peer was offered (C05). */
  setReceiveBuffer(slot: number, bytes: number): void {
    const tcb = this.at(slot);
    tcb.initialRcvWnd = bytes;
    if (tcb.offloadState !== OffloadState.InHost) {
      tcb.cachedFlags |= TcpCachedFlag.UpdateRcvWnd;
    } else if (windowHasGrown(tcb)) {
      tcb.privateFlags |= TcpPrivateFlag.AckNow;
      transmit(tcb, this.now, this);
    }
  }

  /** TCP_QUICKACK. */
  setQuickAck(slot: number, enabled: boolean): void {
    const tcb = this.at(slot);
    if (tcb.offloadState === OffloadState.InHost) {
      setQuickAck(tcb, enabled);
      transmit(tcb, this.now, this);
    } else {
      setFlag(tcb, TcpCachedFlag.QuickAck, enabled);
      setFlag(tcb, TcpCachedFlag.DelayAck, !enabled);
    }
  }

  /** MaxRT: ticks that one segment may be retransmitted; 0 = by count, -1 = for ever (C09). */
  setMaxRetransmissionTime(slot: number, ticks: number): void {
    this.at(slot).maxRt = ticks;
  }

  /** TCP_CONGESTION. The variables of one algorithm mean nothing to another; false on a device, where they are its own. */
  setCongestionControl(slot: number, algorithm: CongestionControl): boolean {
    const tcb = this.at(slot);
    if (tcb.offloadState !== OffloadState.InHost) return false;
    tcb.congestionControl = algorithm;
    tcb.lossFlags &= ~TcpLossFlag.CubicEpoch;
    return true;
  }

  /** TCP_KEEPINTVL and TCP_KEEPCNT; 0 leaves either as it is. */
  setKeepAliveProbes(slot: number, interval: number, probes: number): void {
    const tcb = this.at(slot);
    if (interval > 0) tcb.kaInterval = interval;
    if (probes > 0) tcb.kaProbeMax = probes;
  }

  /** TCP_SYNCNT. */
  setSynRetransmissions(slot: number, count: number): void {
    const tcb = this.at(slot);
    if (tcb.state === TcpState.SynSent) tcb.probeCount = Math.min(count, 255);
  }

  /** IP_PMTUDISC_DONT: routers may cut its datagrams. */
  setMayFragment(slot: number, mayFragment: boolean): void {
    const tcb = this.at(slot);
    if (mayFragment) tcb.cachedFlags |= TcpCachedFlag.MayFragment;
    else tcb.cachedFlags &= ~TcpCachedFlag.MayFragment;
  }

  /** IP_TTL and IP_TOS of what the connection sends. */
  setIpOptions(slot: number, ttl: number, tos: number): void {
    const tcb = this.at(slot);
    tcb.ttl = ttl;
    tcb.tos = tos;
  }

  /** shutdown(2) or close(2) of the application's: who still reads (tcp/half-close.ts). */
  setReader(slot: number, isHalfClosed: boolean, isGone: boolean): void {
    const tcb = this.at(slot);
    setFlag(tcb, TcpCachedFlag.HalfClosed, isHalfClosed);
    setFlag(tcb, TcpCachedFlag.NoReader, isGone);
    if (tcb.offloadState === OffloadState.InHost) superviseFinWait2(tcb, this.now, this);
  }
}

function setFlag(tcb: Tcb, flag: number, isOn: boolean): void {
  if (isOn) tcb.cachedFlags |= flag;
  else tcb.cachedFlags &= ~flag;
}
