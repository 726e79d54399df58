/**
 * What a congested router does to a frame that is ECN-capable: it sets CE in the IP header (RFC 3168 5). The frame lies in
 * its sender's memory, so the mark is taken back when the frame has been copied.
 */
import { updateChecksum16 } from '../wire/checksum.ts';
import { EtherType } from '../wire/ethernet.ts';
import { IPV4 } from '../wire/ipv4.ts';
import { etherTypeAt } from '../wire/vlan.ts';

/** The two bits in the first 16 of an IPv4 header, and of an IPv6 header, where the traffic class begins a nibble earlier. */
const IPV4_CE = 0x03;
const IPV6_CE = 0x30;

export class CongestionMark {
  #at = -1;
  #word = 0;
  #checksum = 0;
  #isIpv4 = false;

  /** Marks a frame; false, and nothing done, when its sender did not say that it knows ECN, or it is marked already. */
  set(view: DataView, frameAt: number, length: number): boolean {
    this.#at = -1;
    const typeAt = etherTypeAt(view, frameAt, frameAt + length);
    if (typeAt < 0 || typeAt + 2 + IPV4.headerLength > frameAt + length) return false;
    const type = view.getUint16(typeAt);
    if (type !== EtherType.Ipv4 && type !== EtherType.Ipv6) return false;
    this.#isIpv4 = type === EtherType.Ipv4;
    const bits = this.#isIpv4 ? IPV4_CE : IPV6_CE;
    const at = typeAt + 2;
    const word = view.getUint16(at);
    if ((word & bits) === 0 || (word & bits) === bits) return false;
    this.#at = at;
    this.#word = word;
    view.setUint16(at, word | bits);
    if (!this.#isIpv4) return true;
    this.#checksum = view.getUint16(at + IPV4.checksum);
    view.setUint16(at + IPV4.checksum, updateChecksum16(this.#checksum, word, word | bits));
    return true;
  }

  restore(view: DataView): void {
    if (this.#at < 0) return;
    view.setUint16(this.#at, this.#word);
    if (this.#isIpv4) view.setUint16(this.#at + IPV4.checksum, this.#checksum);
    this.#at = -1;
  }
}
