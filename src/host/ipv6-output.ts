/**
 * IPv6 packets on their way out: the header (RFC 8200 3) in front of what a transport has written, then down to the path's
 * next hop. TCP segments fit the path; what is larger, an echoed ping, goes in fragments (RFC 8200 4.5).
 */
import type { BufferPool } from '../memory/buffer-pool.ts';
import type { Memory } from '../memory/memory.ts';
import type { AddressTable } from '../wire/address-table.ts';
import { ETHERNET, EtherType } from '../wire/ethernet.ts';
import { fillIcmpv6Checksum } from '../wire/icmpv6.ts';
import { emitIpv6, IPV6, NextHeader, pseudoHeaderSumAt } from '../wire/ipv6.ts';
import { FRAGMENT } from '../wire/ipv6-extensions.ts';
import { type Framing, TX_FRAME_OFFSET } from './framing.ts';
import type { Interface } from './interface.ts';
import type { Path } from './path.ts';

const PAYLOAD_OFFSET = TX_FRAME_OFFSET + ETHERNET.headerLength + IPV6.headerLength;
/** The host keeps the lower half of the identifications (digest §4.1); a NIC sends no fragments. */
const FRAGMENT_ID_MASK = 0x7fffffff;

export class Ipv6Output {
  readonly #memory: Memory;
  readonly #addresses: AddressTable;
  readonly #framing: Framing;
  readonly #tx: BufferPool;
  /** RFC 7739 5.1: one counter for all destinations would tell what we send; from a start nobody knows it tells little. */
  #identification: number;
  sent = 0;
  fragmented = 0;
  fragmentsSent = 0;
  /** There were not enough buffers. */
  discarded = 0;

  constructor(memory: Memory, addresses: AddressTable, framing: Framing, tx: BufferPool, firstIdentification: number) {
    this.#memory = memory;
    this.#addresses = addresses;
    this.#framing = framing;
    this.#tx = tx;
    this.#identification = firstIdentification & FRAGMENT_ID_MASK;
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
    flowLabel: number,
    hopLimit: number,
    length: number,
  ): void {
    const { words } = this.#addresses;
    const at = this.payloadAt(buffer) - IPV6.headerLength;
    const source = this.#addresses.indexOf(path.source);
    const destination = this.#addresses.indexOf(path.destination);
    const { view } = this.#memory;
    emitIpv6(view, at, tos, flowLabel, length, protocol, hopLimit, words, source, words, destination);
    this.sent++;
    this.#framing.send(path.neighbor, buffer, IPV6.headerLength + length);
  }

  /** An ICMPv6 message, which `write` puts in place, returning its length; false when there is no buffer. */
  sendMessage(path: Path, hopLimit: number, write: (at: number) => number): boolean {
    const buffer = this.#tx.allocate();
    if (buffer === 0) {
      this.discarded++;
      return false;
    }
    const at = this.payloadAt(buffer);
    const length = write(at);
    const pseudo = this.#addresses.pseudoHeaderSum(path.source, path.destination, NextHeader.Icmpv6, length);
    fillIcmpv6Checksum(this.#memory.view, at, length, pseudo);
    this.send(path, buffer, NextHeader.Icmpv6, 0, 0, hopLimit, length);
    return true;
  }

  /** Sends `length` bytes of payload from `at`, which stay the caller's, in fragments if need be. False: no buffers. */
  sendFrom(path: Path, at: number, length: number, protocol: number, tos: number, hopLimit: number): boolean {
    const room = path.mtu - IPV6.headerLength;
    if (length <= room) {
      const buffer = this.#tx.allocate();
      if (buffer === 0) {
        this.discarded++;
        return false;
      }
      this.#memory.kernels.copy(this.payloadAt(buffer), at, length);
      this.send(path, buffer, protocol, tos, 0, hopLimit, length);
      return true;
    }
    const most = (room - FRAGMENT.headerLength) & ~7;
    if (this.#tx.available < Math.ceil(length / most)) {
      this.discarded++;
      return false;
    }
    this.fragmented++;
    const { view } = this.#memory;
    const id = (this.#identification = (this.#identification + 1) & FRAGMENT_ID_MASK);
    for (let offset = 0; offset < length; offset += most) {
      const buffer = this.#tx.allocate();
      const size = Math.min(most, length - offset);
      const to = this.payloadAt(buffer);
      view.setUint16(to, protocol << 8);
      view.setUint16(to + FRAGMENT.offsetAndFlags, offset | (offset + size < length ? 1 : 0));
      view.setInt32(to + FRAGMENT.identification, id);
      this.#memory.kernels.copy(to + FRAGMENT.headerLength, at + offset, size);
      this.fragmentsSent++;
      this.send(path, buffer, NextHeader.Fragment, tos, 0, hopLimit, FRAGMENT.headerLength + size);
    }
    return true;
  }

  /**
   * An ICMPv6 message that goes by no path: to a group, or to a neighbor of whom we know just what it told us. `write` puts
   * it in place and returns its length. Addresses are four words each, from an index on.
   */
  sendDirect(
    iface: Interface,
    macHi: number,
    macLo: number,
    sourceWords: Readonly<Int32Array>,
    source: number,
    destinationWords: Readonly<Int32Array>,
    destination: number,
    hopLimit: number,
    write: (at: number) => number,
  ): void {
    const buffer = this.#framing.beginFrame(iface, macHi, macLo, EtherType.Ipv6);
    if (buffer === 0) {
      this.discarded++;
      return;
    }
    const { view } = this.#memory;
    const at = this.#framing.bodyOf(buffer);
    const length = write(at + IPV6.headerLength);
    const { Icmpv6 } = NextHeader;
    emitIpv6(view, at, 0, 0, length, Icmpv6, hopLimit, sourceWords, source, destinationWords, destination);
    fillIcmpv6Checksum(view, at + IPV6.headerLength, length, pseudoHeaderSumAt(view, at, Icmpv6, length));
    this.sent++;
    this.#framing.submit(iface, buffer, IPV6.headerLength + length);
  }
}
