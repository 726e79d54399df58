/**
 * The names that code blocks find set besides TCP_INFO's: states, recovery states, option bits.
 * Their numbers are those of Linux, which scripts compare TCP_INFO with.
 */
import { TcpInfoOption } from '../host/tcp-info.ts';
import { CaState } from '../tcp/tcb.ts';

export const CODE_NAMES: Readonly<Record<string, number>> = {
  TCP_ESTABLISHED: 1,
  TCP_SYN_SENT: 2,
  TCP_SYN_RECV: 3,
  TCP_FIN_WAIT1: 4,
  TCP_FIN_WAIT2: 5,
  TCP_TIME_WAIT: 6,
  TCP_CLOSE: 7,
  TCP_CLOSE_WAIT: 8,
  TCP_LAST_ACK: 9,
  TCP_LISTEN: 10,
  TCP_CLOSING: 11,
  TCP_CA_Open: CaState.Open,
  TCP_CA_Disorder: CaState.Disorder,
  TCP_CA_CWR: CaState.Cwr,
  TCP_CA_Recovery: CaState.Recovery,
  TCP_CA_Loss: CaState.Loss,
  TCPI_OPT_TIMESTAMPS: TcpInfoOption.Timestamps,
  TCPI_OPT_SACK: TcpInfoOption.Sack,
  TCPI_OPT_WSCALE: TcpInfoOption.WindowScale,
  TCPI_OPT_ECN: TcpInfoOption.Ecn,
  TCPI_OPT_ECN_SEEN: TcpInfoOption.EcnSeen,
  TCPI_OPT_SYN_DATA: TcpInfoOption.SynData,
};
