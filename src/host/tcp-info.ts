/**
 * TCP_INFO: a connection's variables under the names and in the units of Linux's struct tcp_info, from its TCB — the host's,
 * or what a device answers to a query (R22).
 */
import { SSTHRESH_MAX } from '../tcp/reno.ts';
import { type Tcb, TcpConstFlag, TcpDelegatedFlag, TcpState } from '../tcp/tcb.ts';

/** TCP_ESTABLISHED … TCP_CLOSING by TcpState. */
const LINUX_STATES: Readonly<Record<number, number>> = {
  [TcpState.Established]: 1,
  [TcpState.SynSent]: 2,
  [TcpState.SynReceived]: 3,
  [TcpState.FinWait1]: 4,
  [TcpState.FinWait2]: 5,
  [TcpState.TimeWait]: 6,
  [TcpState.Closed]: 7,
  [TcpState.CloseWait]: 8,
  [TcpState.LastAck]: 9,
  [TcpState.Listen]: 10,
  [TcpState.Closing]: 11,
};

/** TCPI_OPT_… */
export const TcpInfoOption = { Timestamps: 1, Sack: 2, WindowScale: 4, Ecn: 8, EcnSeen: 16, SynData: 32 } as const;

const US_PER_TICK = 1000;
const SSTHRESH_INFINITE = 0x7fffffff;

export type TcpInfo = Readonly<Record<string, number>>;

export function linuxStateOf(state: number): number {
  return LINUX_STATES[state]!;
}

export interface TcpInfoContext {
  /** Of the path, bytes. */
  readonly pathMtu: number;
  readonly now: number;
  /** The retransmission time-out, ticks. */
  readonly rto: number;
  /** Of our SYN, which no device has sent. */
  readonly advertisedMss: number;
}

export function tcpInfoOf(tcb: Tcb, { pathMtu, now, rto, advertisedMss }: TcpInfoContext): TcpInfo {
  const mss = Math.max(1, tcb.effectiveMss);
  const segments = (bytes: number): number => Math.ceil(Math.max(0, bytes) / mss);
  const inFlight = (tcb.sndMax - tcb.sndUna) | 0;
  const { constFlags } = tcb;
  const option = (flag: number, bit: number): number => ((constFlags & flag) === 0 ? 0 : bit);
  return {
    tcpi_state: linuxStateOf(tcb.state),
    tcpi_ca_state: tcb.caState,
    tcpi_retransmits: tcb.rtxCount,
    tcpi_probes: tcb.sndWndProbeCount + tcb.kaProbeCount,
    tcpi_backoff: tcb.rtxCount,
    tcpi_options:
      option(TcpConstFlag.Timestamp, TcpInfoOption.Timestamps) |
      option(TcpConstFlag.Sack, TcpInfoOption.Sack) |
      option(TcpConstFlag.WindowScaling, TcpInfoOption.WindowScale) |
      option(TcpConstFlag.Ecn, TcpInfoOption.Ecn) |
      ((tcb.delegatedFlags & TcpDelegatedFlag.SynData) === 0 ? 0 : TcpInfoOption.SynData),
    tcpi_snd_wscale: tcb.sndWindScale,
    tcpi_rcv_wscale: tcb.rcvWindScale,
    tcpi_rto: rto * US_PER_TICK,
    tcpi_ato: 2 * tcb.ackTimeout * US_PER_TICK,
    tcpi_snd_mss: mss,
    tcpi_rcv_mss: tcb.rcvMss,
    tcpi_advmss: advertisedMss,
    tcpi_unacked: segments(inFlight),
    tcpi_sacked: tcb.sackedSegments,
    tcpi_lost: segments(tcb.lostBytes),
    tcpi_retrans: segments(tcb.retransBytes),
    tcpi_fackets: 0,
    tcpi_last_data_sent: (now - tcb.lastSendAt) >>> 0,
    tcpi_last_data_recv: (now - tcb.lastReceiveAt) >>> 0,
    tcpi_pmtu: pathMtu,
    tcpi_rtt: (tcb.srtt * US_PER_TICK) / 8,
    tcpi_rttvar: (tcb.rttvar * US_PER_TICK) / 4,
    tcpi_min_rtt: tcb.minRtt === 0xffff ? 0xffffffff : tcb.minRtt * US_PER_TICK,
    tcpi_snd_ssthresh: tcb.ssthresh >= SSTHRESH_MAX ? SSTHRESH_INFINITE : Math.floor(tcb.ssthresh / mss),
    tcpi_snd_cwnd: Math.floor(tcb.cwnd / mss),
    tcpi_notsent_bytes: Math.max(0, tcb.sendDataBytes - Math.max(0, inFlight)),
    tcpi_snd_wnd: tcb.sndWnd,
    tcpi_rcv_wnd: tcb.rcvWnd,
    tcpi_rcv_space: tcb.initialRcvWnd,
    tcpi_reordering: tcb.reordering,
    tcpi_reord_seen: tcb.reorderingSeen,
  };
}
