/**
 * The way out of a population: one scratch frame in memory, and the Uplink that takes it.
 *
 *   | … headroom | destination, source, EtherType 14 | IPv4 20 or IPv6 40 | payload … |
 *                                                                          ^ payloadAt
 *
 * Whoever sends writes the payload at `payloadAt` first, then calls; the headers are put in front, as long as they are. The uplink may change
 * the bytes (tags go into the headroom) and is done with them when `input` returns. While it runs, `isSending` is true:
 * an uplink that leads straight to a peer may bring the peer's answer before it returns (population.ts keeps it).
 */
import type { Memory } from '../../memory/memory.ts';
import { type AddressTable, isIpv6 } from '../../wire/address-table.ts';
import { emitArp } from '../../wire/arp.ts';
import { emitEthernet, ETHERNET, EtherType } from '../../wire/ethernet.ts';
import { fillIcmpv6Checksum } from '../../wire/icmpv6.ts';
import { decrementTtl, emitIpv4, IPV4, Ipv4Fragment } from '../../wire/ipv4.ts';
import { decrementHopLimit, emitIpv6, IPV6, NextHeader, pseudoHeaderSumAt } from '../../wire/ipv6.ts';
import { ND_HOP_LIMIT } from '../../wire/nd.ts';
import type { Uplink } from '../port.ts';
import type { StationCounters } from './station-counters.ts';
import type { StationGroup } from './station-group.ts';

/** Headroom for tags (port.ts), rounded so that the IP header is aligned to words. */
const HEADROOM = 18;
const HEADERS_BYTES = ETHERNET.headerLength + IPV6.headerLength;

/** Room for one frame in memory: headroom, headers, the MTU, and a tag that a frame on its way in may still carry. */
export function frameSlotBytes(mtu: number): number {
  return Math.ceil((HEADROOM + ETHERNET.headerLength + mtu + 4) / 64) * 64;
}

/** Room for the frame that is being sent, whose payload has the longer headers in front of it. */
export function scratchBytes(mtu: number): number {
  return frameSlotBytes(mtu + IPV6.headerLength - IPV4.headerLength);
}

/** Not attached yet: takes nothing. */
const NOWHERE: Uplink = { hasRoom: false, input: () => undefined };

export class StationLink {
  uplink: Uplink = NOWHERE;
  /** A frame is in the uplink's hands right now. */
  isSending = false;
  readonly payloadAt: number;
  readonly #view: DataView;
  readonly #addresses: AddressTable;
  readonly #counters: StationCounters;
  #identification = 0;

  constructor(memory: Memory, scratchAt: number, addresses: AddressTable, counters: StationCounters) {
    this.#view = memory.view;
    this.#addresses = addresses;
    this.#counters = counters;
    this.payloadAt = scratchAt + HEADROOM + HEADERS_BYTES;
  }

  /**
   * Sends the `length` bytes at `payloadAt` as a datagram. `forwarded`: it came from behind the group's router, which
   * takes its hop off the TTL; false when that was the last one and nothing was sent.
   */
  sendDatagram(
    group: StationGroup,
    forwarded: boolean,
    tos: number,
    flowLabel: number,
    length: number,
    protocol: number,
    source: number,
    destination: number,
    macHi: number,
    macLo: number,
  ): boolean {
    const ipAt = isIpv6(source)
      ? this.#putIpv6(tos, flowLabel, length, protocol, group.ttl, source, destination)
      : this.#putIpv4(tos, length, protocol, group.ttl, source, destination);
    if (forwarded && group.isRouter) {
      if (this.#decrement(ipAt, source) === 0) {
        // RFC 1812 5.3.1: the time exceeded message would go back to our own station.
        this.#counters.ttlExpired++;
        this.#counters.icmpErrorsIn++;
        return false;
      }
      this.#counters.datagramsForwarded++;
    }
    this.#sendIp(group, source, ipAt, length, macHi, macLo);
    return true;
  }

  /** Sends the neighbor discovery message at `payloadAt` to an address of four words; its checksum is filled in here. */
  sendDiscovery(
    group: StationGroup,
    length: number,
    source: number,
    toWords: Readonly<Int32Array>,
    to: number,
    macHi: number,
    macLo: number,
  ): void {
    const view = this.#view;
    const { words } = this.#addresses;
    const ipAt = this.payloadAt - IPV6.headerLength;
    const sourceAt = this.#addresses.indexOf(source);
    emitIpv6(view, ipAt, 0, 0, length, NextHeader.Icmpv6, ND_HOP_LIMIT, words, sourceAt, toWords, to);
    fillIcmpv6Checksum(view, this.payloadAt, length, pseudoHeaderSumAt(view, ipAt, NextHeader.Icmpv6, length));
    this.#sendIp(group, source, ipAt, length, macHi, macLo);
  }

  // Headers in front of the payload; both return where theirs begins.

  #putIpv4(tos: number, length: number, protocol: number, ttl: number, source: number, destination: number): number {
    const at = this.payloadAt - IPV4.headerLength;
    const id = (this.#identification = (this.#identification + 1) & 0xffff);
    const total = IPV4.headerLength + length;
    emitIpv4(this.#view, at, tos, total, id, Ipv4Fragment.Df, ttl, protocol, source, destination);
    return at;
  }

  #putIpv6(
    tos: number,
    flowLabel: number,
    length: number,
    protocol: number,
    hopLimit: number,
    source: number,
    destination: number,
  ): number {
    const at = this.payloadAt - IPV6.headerLength;
    const { words } = this.#addresses;
    const [from, to] = [this.#addresses.indexOf(source), this.#addresses.indexOf(destination)];
    emitIpv6(this.#view, at, tos, flowLabel, length, protocol, hopLimit, words, from, words, to);
    return at;
  }

  #decrement(ipAt: number, source: number): number {
    return isIpv6(source) ? decrementHopLimit(this.#view, ipAt) : decrementTtl(this.#view, ipAt);
  }

  #sendIp(group: StationGroup, source: number, ipAt: number, length: number, macHi: number, macLo: number): void {
    const frameAt = ipAt - ETHERNET.headerLength;
    const etherType = isIpv6(source) ? EtherType.Ipv6 : EtherType.Ipv4;
    emitEthernet(this.#view, frameAt, macHi, macLo, group.macHi, group.macLoOf(source), etherType);
    this.#send(frameAt, this.payloadAt - frameAt + length);
  }

  sendArp(
    operation: number,
    dstHi: number,
    dstLo: number,
    senderMacHi: number,
    senderMacLo: number,
    senderAddress: number,
    targetMacHi: number,
    targetMacLo: number,
    targetAddress: number,
  ): void {
    const view = this.#view;
    const at = this.payloadAt - HEADERS_BYTES;
    emitEthernet(view, at, dstHi, dstLo, senderMacHi, senderMacLo, EtherType.Arp);
    const length = emitArp(
      view,
      at + ETHERNET.headerLength,
      operation,
      senderMacHi,
      senderMacLo,
      senderAddress,
      targetMacHi,
      targetMacLo,
      targetAddress,
    );
    this.#send(at, ETHERNET.headerLength + length);
  }

  #send(frameAt: number, frameLength: number): void {
    let length = frameLength;
    // IEEE 802.3 4.2.3.3: a MAC pads to the minimum frame size.
    while (length < ETHERNET.minimumLength) this.#view.setUint8(frameAt + length++, 0);
    this.#counters.framesOut++;
    this.isSending = true;
    this.uplink.input(frameAt, length);
    this.isSending = false;
  }
}
