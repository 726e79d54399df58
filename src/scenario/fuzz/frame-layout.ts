/**
 * Where the headers of a frame lie, as far as it can be told: what field-aware mutations aim at, and what is repaired
 * behind them, so that a mutated frame gets past lengths and checksums to the code that they protect.
 *
 * Nothing here is refused: a frame that stops making sense has no headers from there on (-1).
 */
import { checksumOf, onesComplementSum, pseudoHeaderSum } from '../../wire/checksum.ts';
import { ETHERNET, EtherType } from '../../wire/ethernet.ts';
import { ICMP } from '../../wire/icmp.ts';
import { IPV4, IpProtocol } from '../../wire/ipv4.ts';
import { TCP } from '../../wire/tcp.ts';
import { UDP } from '../../wire/udp.ts';
import { etherTypeAt } from '../../wire/vlan.ts';

const IPV6_HEADER = 40;
const IPV6_PAYLOAD_LENGTH = 4;
const IPV6_NEXT_HEADER = 6;
const IPV6_SOURCE = 8;
const ICMPV6 = 58;

export class FrameLayout {
  readonly #view: DataView;
  at = 0;
  end = 0;
  /** EtherType behind all tags. */
  typeAt = -1;
  ipAt = -1;
  isIpv6 = false;
  protocol = -1;
  /** TCP, UDP or ICMP header. */
  transportAt = -1;

  constructor(view: DataView) {
    this.#view = view;
  }

  read(at: number, length: number): void {
    this.at = at;
    this.end = at + length;
    this.ipAt = -1;
    this.transportAt = -1;
    this.protocol = -1;
    this.typeAt = length < ETHERNET.headerLength ? -1 : etherTypeAt(this.#view, at, this.end);
    if (this.typeAt < 0) return;
    const type = this.#view.getUint16(this.typeAt);
    const ipAt = this.typeAt + 2;
    this.isIpv6 = type === EtherType.Ipv6;
    if (this.isIpv6) this.#readIpv6(ipAt);
    else if (type === EtherType.Ipv4) this.#readIpv4(ipAt);
  }

  #readIpv4(ipAt: number): void {
    if (ipAt + IPV4.headerLength > this.end) return;
    this.ipAt = ipAt;
    this.protocol = this.#view.getUint8(ipAt + IPV4.protocol);
    const headerLength = (this.#view.getUint8(ipAt) & 0xf) * 4;
    if (headerLength >= IPV4.headerLength && ipAt + headerLength <= this.end) this.transportAt = ipAt + headerLength;
  }

  #readIpv6(ipAt: number): void {
    if (ipAt + IPV6_HEADER > this.end) return;
    this.ipAt = ipAt;
    this.protocol = this.#view.getUint8(ipAt + IPV6_NEXT_HEADER);
    this.transportAt = ipAt + IPV6_HEADER;
  }

  get isTcp(): boolean {
    return this.protocol === IpProtocol.Tcp && this.transportAt >= 0 && this.transportAt + TCP.headerLength <= this.end;
  }

  /** Lengths as long as the frame is, if `lengths`; then every checksum as it has to be. */
  repair(lengths: boolean): void {
    const { ipAt } = this;
    if (ipAt < 0) return;
    if (lengths) this.#repairLengths();
    if (this.transportAt >= 0) this.#repairTransport();
    this.repairHeader();
  }

  /** The checksum of the IPv4 header alone: what a fragment needs. */
  repairHeader(): void {
    const { ipAt } = this;
    if (this.isIpv6 || ipAt < 0) return;
    const headerLength = Math.max(IPV4.headerLength, this.transportAt - ipAt);
    this.#put(ipAt + IPV4.checksum, ipAt, headerLength, 0);
  }

  #repairLengths(): void {
    const { ipAt, isIpv6, end } = this;
    if (isIpv6) this.#view.setUint16(ipAt + IPV6_PAYLOAD_LENGTH, end - ipAt - IPV6_HEADER);
    else this.#view.setUint16(ipAt + IPV4.totalLength, end - ipAt);
    const { transportAt } = this;
    if (this.protocol === IpProtocol.Udp && transportAt >= 0 && transportAt + UDP.headerLength <= end) {
      this.#view.setUint16(transportAt + UDP.length, end - transportAt);
    }
  }

  #repairTransport(): void {
    const { transportAt, protocol } = this;
    // What the IP header says is there, if that much is; padding behind it is nobody's.
    const length = this.#payloadEnd() - transportAt;
    if (protocol === IpProtocol.Tcp && length >= TCP.headerLength) {
      this.#put(transportAt + TCP.checksum, transportAt, length, this.#pseudo(length));
    } else if (protocol === IpProtocol.Udp && length >= UDP.headerLength) {
      this.#put(transportAt + UDP.checksum, transportAt, length, this.#pseudo(length));
    } else if (protocol === IpProtocol.Icmp && length >= ICMP.headerLength) {
      this.#put(transportAt + ICMP.checksum, transportAt, length, 0);
    } else if (protocol === ICMPV6 && length >= ICMP.headerLength) {
      this.#put(transportAt + ICMP.checksum, transportAt, length, this.#pseudo(length));
    }
  }

  #payloadEnd(): number {
    const { ipAt, isIpv6, end } = this;
    const said = isIpv6
      ? ipAt + IPV6_HEADER + this.#view.getUint16(ipAt + IPV6_PAYLOAD_LENGTH)
      : ipAt + this.#view.getUint16(ipAt + IPV4.totalLength);
    return Math.min(said, end);
  }

  #pseudo(length: number): number {
    const { ipAt, protocol, isIpv6 } = this;
    const view = this.#view;
    if (!isIpv6) {
      return pseudoHeaderSum(
        view.getInt32(ipAt + IPV4.source),
        view.getInt32(ipAt + IPV4.destination),
        protocol,
        length,
      );
    }
    return onesComplementSum(view, ipAt + IPV6_SOURCE, 32, protocol + length);
  }

  #put(fieldAt: number, at: number, length: number, initial: number): void {
    this.#view.setUint16(fieldAt, 0);
    this.#view.setUint16(fieldAt, checksumOf(onesComplementSum(this.#view, at, length, initial)));
  }
}
