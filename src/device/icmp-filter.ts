/**
 * ICMP errors about segments of offloaded connections: whether they quote something that is in flight (RFC 5927 4.1).
 *
 * Only the owner of a connection knows its sequence numbers. What a device finds to be forged goes no further; everything
 * else goes up to the host, which knows what to do about it, and updates the device's state where it must.
 */
import type { Memory } from '../memory/memory.ts';
import { quotesInFlight } from '../tcp/icmp-error.ts';
import type { TcbTable } from '../tcp/tcb-table.ts';
import type { Tcb } from '../tcp/tcb.ts';
import type { AddressTable } from '../wire/address-table.ts';
import { ICMP, IcmpType, isIcmpError } from '../wire/icmp.ts';
import { isIcmpv6Error } from '../wire/icmpv6.ts';
import type { IpDatagram } from '../wire/ip-datagram.ts';
import { Ipv4Header, Ipv4Parse, IpProtocol, parseQuotedIpv4 } from '../wire/ipv4.ts';
import { Ipv6Header, Ipv6Parse, parseQuotedIpv6 } from '../wire/ipv6.ts';

/** Ports and sequence number: what the least quotation has of a TCP header (RFC 792). */
const QUOTED_BYTES = 8;

export class IcmpFilter {
  readonly #memory: Memory;
  readonly #table: TcbTable;
  readonly #tcb: Tcb;
  readonly #addresses: AddressTable;
  readonly #quoted4 = new Ipv4Header();
  readonly #quoted6 = new Ipv6Header();

  constructor(memory: Memory, table: TcbTable, addresses: AddressTable) {
    this.#memory = memory;
    this.#addresses = addresses;
    this.#table = table;
    this.#tcb = table.cursor();
  }

  /** An ICMP message of either family: does it pretend to be about a connection that is here? */
  isForged({ protocol, payloadAt, payloadEnd }: IpDatagram, vid: number): boolean {
    const { view } = this.#memory;
    const quoteAt = payloadAt + ICMP.headerLength;
    if (quoteAt > payloadEnd) return false;
    const isIpv4 = protocol === IpProtocol.Icmp;
    if (!isError(view.getUint8(payloadAt), isIpv4)) return false;
    const quoted = isIpv4 ? this.#quotedIpv4(quoteAt, payloadEnd) : this.#quotedIpv6(quoteAt, payloadEnd);
    if (quoted === null) return false;
    const at = quoted.payloadAt;
    if (quoted.protocol !== IpProtocol.Tcp || quoted.payloadEnd - at < QUOTED_BYTES) return false;
    const ports = view.getInt32(at);
    const slot = this.#table.lookup(quoted.destination, ports & 0xffff, quoted.source, ports >>> 16, vid);
    return slot >= 0 && !quotesInFlight(this.#tcb.at(this.#table.addressOf(slot)), view.getInt32(at + 4));
  }

  #quotedIpv4(at: number, end: number): IpDatagram | null {
    return parseQuotedIpv4(this.#memory.view, at, end, this.#quoted4) === Ipv4Parse.Ok ? this.#quoted4 : null;
  }

  /** A device sends no extension headers: what quotes some is none of its business. */
  #quotedIpv6(at: number, end: number): IpDatagram | null {
    const { view } = this.#memory;
    const quoted = this.#quoted6;
    if (parseQuotedIpv6(view, at, end, quoted) !== Ipv6Parse.Ok) return null;
    quoted.source = this.#addresses.find(view, quoted.sourceAt);
    quoted.destination = this.#addresses.find(view, quoted.destinationAt);
    return quoted;
  }
}

/** A redirect is about the path, and has checks of its own (RFC 1122 3.2.2.2). */
function isError(type: number, isIpv4: boolean): boolean {
  return isIpv4 ? isIcmpError(type) && type !== IcmpType.Redirect : isIcmpv6Error(type);
}
