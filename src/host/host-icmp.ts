/**
 * ICMP of the host (RFC 792, RFC 1122 3.2.2): answers echo requests, reports protocols it does not speak, passes errors
 * about TCP segments up, and redirects to Network.
 */
import type { Memory } from '../memory/memory.ts';
import {
  emitDestinationUnreachable,
  echoReplyInPlace,
  ICMP,
  IcmpHeader,
  IcmpParse,
  IcmpType,
  icmpQuoteLength,
  isIcmpError,
  mayAnswerWithError,
  parseIcmp,
  UnreachableCode,
} from '../wire/icmp.ts';
import { Ipv4Header, Ipv4Parse, IpProtocol, parseQuotedIpv4 } from '../wire/ipv4.ts';
import type { Interface } from './interface.ts';
import type { Network, TransportInput } from './network.ts';

const TTL = 64;

export class HostIcmp {
  readonly #memory: Memory;
  readonly #network: Network;
  readonly #header = new IcmpHeader();
  readonly #quoted = new Ipv4Header();
  echoRequests = 0;
  errorsReceived = 0;
  checksumErrors = 0;

  constructor(memory: Memory, network: Network) {
    this.#memory = memory;
    this.#network = network;
  }

  receive(iface: Interface, ip: Ipv4Header, transport: TransportInput): void {
    const { view } = this.#memory;
    const icmp = this.#header;
    if (parseIcmp(view, ip.payloadAt, ip.payloadEnd, icmp) !== IcmpParse.Ok) {
      this.checksumErrors++;
      return;
    }
    if (icmp.type === IcmpType.Echo) {
      if (ip.destination === iface.address) this.#answerEcho(iface, ip);
    } else if (isIcmpError(icmp.type)) {
      this.errorsReceived++;
      if (icmp.type === IcmpType.Redirect) this.#redirect(iface, ip, icmp);
      else this.#passUp(iface, icmp, transport);
    }
  }

  #answerEcho(iface: Interface, ip: Ipv4Header): void {
    this.echoRequests++;
    const length = ip.payloadEnd - ip.payloadAt;
    this.#send(iface, ip.source, length, to => {
      this.#memory.kernels.copy(to, ip.payloadAt, length);
      echoReplyInPlace(this.#memory.view, to);
      return length;
    });
  }

  /** RFC 1122 3.2.2.1: code 2. `at` is where the offending datagram starts. */
  protocolUnreachable(iface: Interface, ip: Ipv4Header, at: number): void {
    const { view } = this.#memory;
    if (!mayAnswerWithError(view, ip, false, iface.broadcast)) return;
    const quote = icmpQuoteLength(ip);
    this.#send(iface, ip.source, ICMP.headerLength + quote, to =>
      emitDestinationUnreachable(view, to, UnreachableCode.Protocol, 0, at, quote),
    );
  }

  #send(iface: Interface, destination: number, room: number, write: (at: number) => number): void {
    if (room > iface.adapter.mtu - 20) return;
    const path = this.#network.acquire(destination, iface);
    if (path === null) return;
    const buffer = this.#network.begin();
    if (buffer !== 0) {
      const length = write(this.#network.payloadAt(buffer));
      this.#network.finish(path, buffer, IpProtocol.Icmp, 0, TTL, length);
    }
    this.#network.release(path);
  }

  /** RFC 1122 3.2.2.2: redirects for networks are taken for the host in question alone. */
  #redirect(iface: Interface, ip: Ipv4Header, icmp: IcmpHeader): void {
    const { view } = this.#memory;
    const quoted = this.#quoted;
    if (parseQuotedIpv4(view, icmp.payloadAt, icmp.payloadEnd, quoted) !== Ipv4Parse.Ok) return;
    if (quoted.source !== iface.address) return;
    this.#network.paths.redirect(iface, ip.source, quoted.destination, view.getInt32(ip.payloadAt + ICMP.rest));
  }

  #passUp(iface: Interface, icmp: IcmpHeader, transport: TransportInput): void {
    const { view } = this.#memory;
    const quoted = this.#quoted;
    if (parseQuotedIpv4(view, icmp.payloadAt, icmp.payloadEnd, quoted) !== Ipv4Parse.Ok) return;
    if (quoted.protocol !== IpProtocol.Tcp || quoted.payloadEnd - quoted.payloadAt < 4) return;
    const ports = view.getInt32(quoted.payloadAt);
    transport.icmpError(iface, quoted.destination, ports, icmp.type, icmp.code, icmp.nextHopMtu);
  }
}
