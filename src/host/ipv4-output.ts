/**
 * IPv4 datagrams on their way out: the header (RFC 791 3.1) in front of what a transport has written, then down to the
 * path's next hop, in fragments if they are larger than the path takes and may be cut (RFC 791 3.2).
 *
 * DF is set on whatever fits the path and must not be cut on the way, so that the path reports its MTU (RFC 1191). The host
 * keeps the lower half of each path's identifications; fragments of one datagram share one (R31, RFC 6864 4.3).
 */
import type { BufferPool } from '../memory/buffer-pool.ts';
import type { Memory } from '../memory/memory.ts';
import { ETHERNET } from '../wire/ethernet.ts';
import { emitIpv4, Ipv4Fragment, IPV4 } from '../wire/ipv4.ts';
import { type Framing, TX_FRAME_OFFSET } from './framing.ts';
import type { Path } from './path.ts';

const IP_ID_MASK = 0x7fff;
const PAYLOAD_OFFSET = TX_FRAME_OFFSET + ETHERNET.headerLength + IPV4.headerLength;

export class Ipv4Output {
  readonly #memory: Memory;
  readonly #framing: Framing;
  readonly #tx: BufferPool;
  /** Datagrams; each counts once, however many fragments it takes. */
  sent = 0;
  fragmented = 0;
  fragmentsSent = 0;
  /** There were not enough buffers for all fragments, and some are worth nothing. */
  discarded = 0;

  constructor(memory: Memory, framing: Framing, tx: BufferPool) {
    this.#memory = memory;
    this.#framing = framing;
    this.#tx = tx;
  }

  payloadAt(buffer: number): number {
    return this.#tx.dataOf(buffer) + PAYLOAD_OFFSET;
  }

  /** Puts the IP header in front of `length` bytes of payload in `buffer` and sends. */
  send(
    path: Path,
    buffer: number,
    protocol: number,
    tos: number,
    ttl: number,
    length: number,
    mayFragment: boolean,
  ): void {
    if (mayFragment && IPV4.headerLength + length > path.mtu) {
      this.#sendFragments(path, this.payloadAt(buffer), length, protocol, tos, ttl);
      this.#tx.free(buffer);
      return;
    }
    this.sent++;
    const fragment = mayFragment ? 0 : Ipv4Fragment.Df;
    this.#emit(path, buffer, this.#nextId(path), fragment, protocol, tos, ttl, length);
  }

  /**
   * Sends `length` bytes of payload from `at`, which stay the caller's. `df`: the path may not cut what it could take. False:
   * there are no buffers.
   */
  sendFrom(path: Path, at: number, length: number, protocol: number, tos: number, ttl: number, df: boolean): boolean {
    if (IPV4.headerLength + length > path.mtu) return this.#sendFragments(path, at, length, protocol, tos, ttl);
    const buffer = this.#tx.allocate();
    if (buffer === 0) {
      this.discarded++;
      return false;
    }
    this.#memory.kernels.copy(this.payloadAt(buffer), at, length);
    this.sent++;
    this.#emit(path, buffer, this.#nextId(path), df ? Ipv4Fragment.Df : 0, protocol, tos, ttl, length);
    return true;
  }

  #sendFragments(path: Path, at: number, length: number, protocol: number, tos: number, ttl: number): boolean {
    const most = (path.mtu - IPV4.headerLength) & ~7;
    if (this.#tx.available < Math.ceil(length / most)) {
      this.discarded++;
      return false;
    }
    this.sent++;
    this.fragmented++;
    const id = this.#nextId(path);
    for (let offset = 0; offset < length; offset += most) {
      const buffer = this.#tx.allocate();
      const size = Math.min(most, length - offset);
      this.#memory.kernels.copy(this.payloadAt(buffer), at + offset, size);
      const more = offset + size < length ? Ipv4Fragment.Mf : 0;
      this.fragmentsSent++;
      this.#emit(path, buffer, id, more | (offset >> 3), protocol, tos, ttl, size);
    }
    return true;
  }

  #nextId(path: Path): number {
    const id = path.ipId;
    path.ipId = (id + 1) & IP_ID_MASK;
    return id;
  }

  #emit(
    path: Path,
    buffer: number,
    id: number,
    fragment: number,
    protocol: number,
    tos: number,
    ttl: number,
    length: number,
  ): void {
    const total = IPV4.headerLength + length;
    const at = this.payloadAt(buffer) - IPV4.headerLength;
    emitIpv4(this.#memory.view, at, tos, total, id, fragment, ttl, protocol, path.source, path.destination);
    this.#framing.send(path.neighbor, buffer, total);
  }
}
