/**
 * Urgent data (RFC 9293 3.10.7.4, sixth): in line with the rest. What becomes of it is the owner's: the host tells the
 * application, a device gives the connection back.
 */
import { TcpFlag, type TcpHeader } from '../wire/tcp.ts';
import { stillReceives, type Tcb } from './tcb.ts';

/** Of a segment with URG: after the peer's FIN there is none, nor with SYN or RST. */
export function mayBeUrgent({ state }: Tcb, { flags }: TcpHeader): boolean {
  return stillReceives(state) && (flags & (TcpFlag.Rst | TcpFlag.Syn)) === 0;
}
