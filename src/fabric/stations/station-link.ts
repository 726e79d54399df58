/**
 * The way out of a population: one scratch frame in memory, and the Uplink that takes it.
 *
 *   | … headroom | destination, source, EtherType 14 | IPv4 20 | payload … |
 *                ^ frameAt                                     ^ payloadAt
 *
 * Whoever sends writes the payload at `payloadAt` first, then calls; the headers are put in front. The uplink may change
 * the bytes (tags go into the headroom) and is done with them when `input` returns. While it runs, `isSending` is true:
 * an uplink that leads straight to a peer may bring the peer's answer before it returns (population.ts keeps it).
 */
import type { Memory } from '../../memory/memory.ts';
import { emitArp } from '../../wire/arp.ts';
import { emitEthernet, ETHERNET, EtherType } from '../../wire/ethernet.ts';
import { decrementTtl, emitIpv4, IPV4, Ipv4Fragment } from '../../wire/ipv4.ts';
import type { Uplink } from '../port.ts';
import type { StationCounters } from './station-counters.ts';
import type { StationGroup } from './station-group.ts';

/** Headroom for tags (port.ts), rounded so that the IP header is aligned to words. */
const HEADROOM = 18;
const IP_AT = ETHERNET.headerLength;
const PAYLOAD_AT = ETHERNET.headerLength + IPV4.headerLength;

/** Room for one frame in memory: headroom, headers, the MTU, and a tag that a frame on its way in may still carry. */
export function frameSlotBytes(mtu: number): number {
  return Math.ceil((HEADROOM + ETHERNET.headerLength + mtu + 4) / 64) * 64;
}

/** Not attached yet: takes nothing. */
const NOWHERE: Uplink = { hasRoom: false, input: () => undefined };

export class StationLink {
  uplink: Uplink = NOWHERE;
  /** A frame is in the uplink's hands right now. */
  isSending = false;
  readonly payloadAt: number;
  readonly #view: DataView;
  readonly #counters: StationCounters;
  readonly #frameAt: number;
  #identification = 0;

  constructor(memory: Memory, scratchAt: number, counters: StationCounters) {
    this.#view = memory.view;
    this.#counters = counters;
    this.#frameAt = scratchAt + HEADROOM;
    this.payloadAt = this.#frameAt + PAYLOAD_AT;
  }

  /**
   * Sends the `length` bytes at `payloadAt` as a datagram. `forwarded`: it came from behind the group's router, which
   * takes its hop off the TTL; false when that was the last one and nothing was sent.
   */
  sendIpv4(
    group: StationGroup,
    forwarded: boolean,
    tos: number,
    length: number,
    protocol: number,
    source: number,
    destination: number,
    macHi: number,
    macLo: number,
  ): boolean {
    const view = this.#view;
    const ipAt = this.#frameAt + IP_AT;
    const id = (this.#identification = (this.#identification + 1) & 0xffff);
    const total = IPV4.headerLength + length;
    emitIpv4(view, ipAt, tos, total, id, Ipv4Fragment.Df, group.ttl, protocol, source, destination);
    if (forwarded && group.isRouter) {
      if (decrementTtl(view, ipAt) === 0) {
        // RFC 1812 5.3.1: the time exceeded message would go back to our own station.
        this.#counters.ttlExpired++;
        this.#counters.icmpErrorsIn++;
        return false;
      }
      this.#counters.datagramsForwarded++;
    }
    emitEthernet(view, this.#frameAt, macHi, macLo, group.macHi, group.macLoOf(source), EtherType.Ipv4);
    this.#send(IP_AT + total);
    return true;
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
    const at = this.#frameAt;
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
    this.#send(ETHERNET.headerLength + length);
  }

  #send(frameLength: number): void {
    let length = frameLength;
    // IEEE 802.3 4.2.3.3: a MAC pads to the minimum frame size.
    while (length < ETHERNET.minimumLength) this.#view.setUint8(this.#frameAt + length++, 0);
    this.#counters.framesOut++;
    this.isSending = true;
    this.uplink.input(this.#frameAt, length);
    this.isSending = false;
  }
}
