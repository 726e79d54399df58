/**
 * IPv4 datagrams on their way out: the header (RFC 791 3.1) in front of what a transport has written, then down to the
 * path's next hop. They are sent whole with DF set (RFC 1191).
 */
import type { BufferPool } from '../memory/buffer-pool.ts';
import type { Memory } from '../memory/memory.ts';
import { ETHERNET } from '../wire/ethernet.ts';
import { emitIpv4, Ipv4Fragment, IPV4 } from '../wire/ipv4.ts';
import { type Framing, TX_FRAME_OFFSET } from './framing.ts';
import type { Path } from './path.ts';

/** The host keeps the lower half of the identification space (R31). */
const IP_ID_MASK = 0x7fff;
const PAYLOAD_OFFSET = TX_FRAME_OFFSET + ETHERNET.headerLength + IPV4.headerLength;

export class Ipv4Output {
  readonly #memory: Memory;
  readonly #framing: Framing;
  readonly #tx: BufferPool;
  sent = 0;

  constructor(memory: Memory, framing: Framing, tx: BufferPool) {
    this.#memory = memory;
    this.#framing = framing;
    this.#tx = tx;
  }

  payloadAt(buffer: number): number {
    return this.#tx.dataOf(buffer) + PAYLOAD_OFFSET;
  }

  /** Puts the IP header in front of `length` bytes of payload and sends. */
  send(path: Path, buffer: number, protocol: number, tos: number, ttl: number, length: number): void {
    const total = IPV4.headerLength + length;
    const at = this.payloadAt(buffer) - IPV4.headerLength;
    const id = path.ipId;
    path.ipId = (id + 1) & IP_ID_MASK;
    const { view } = this.#memory;
    emitIpv4(view, at, tos, total, id, Ipv4Fragment.Df, ttl, protocol, path.source, path.destination);
    this.sent++;
    this.#framing.send(path.neighbor, buffer, total);
  }
}
