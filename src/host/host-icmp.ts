/**
 * ICMP of the host (RFC 792, RFC 1122 3.2.2): answers echo requests, reports what it cannot deliver (at a limited rate),
 * passes errors about what it has sent up, and redirects to the paths.
 */
import type { Memory } from '../memory/memory.ts';
import {
  echoReplyInPlace,
  emitIcmpError,
  ICMP,
  IcmpHeader,
  IcmpParse,
  IcmpType,
  icmpQuoteLength,
  isIcmpError,
  mayAnswerWithError,
  ParameterProblemCode,
  parseIcmp,
} from '../wire/icmp.ts';
import { IPV4_BROADCAST, Ipv4Header, Ipv4Parse, IpProtocol, parseQuotedIpv4 } from '../wire/ipv4.ts';
import { IcmpLimit } from './icmp-limit.ts';
import type { Interface } from './interface.ts';
import type { DatagramInput, Network, NetworkErrors } from './network.ts';
import { NetworkError, networkErrorOf, QUOTED_BYTES } from './network-error.ts';

const TTL = 64;

export class HostIcmp {
  readonly #memory: Memory;
  readonly #network: Network;
  readonly #header = new IcmpHeader();
  readonly #quoted = new Ipv4Header();
  readonly limit = new IcmpLimit();
  errors: NetworkErrors | null = null;
  datagrams: DatagramInput | null = null;
  now = 0;
  echoRequests = 0;
  errorsReceived = 0;
  errorsSent = 0;
  checksumErrors = 0;

  constructor(memory: Memory, network: Network) {
    this.#memory = memory;
    this.#network = network;
  }

  /** `cameInPieces`: it was put together from fragments. */
  receive(iface: Interface, ip: Ipv4Header, cameInPieces: boolean): void {
    const { view } = this.#memory;
    const icmp = this.#header;
    if (parseIcmp(view, ip.payloadAt, ip.payloadEnd, icmp) !== IcmpParse.Ok) {
      this.checksumErrors++;
      return;
    }
    if (icmp.type === IcmpType.Echo) {
      // RFC 1122 3.2.2.6: one to a broadcast address may be ignored, for its answers are a favourite weapon.
      if (iface.owns(ip.destination)) this.#answerEcho(iface, ip);
    } else if (isIcmpError(icmp.type)) {
      this.errorsReceived++;
      if (icmp.type === IcmpType.Redirect) this.#redirect(iface, ip, icmp);
      else this.#passUp(iface, icmp, !cameInPieces && !ip.hasOptions);
    }
  }

  /** RFC 1122 3.2.2.6: the whole of what came goes back, in fragments if it came in them. Its bytes are ours to change. */
  #answerEcho(iface: Interface, ip: Ipv4Header): void {
    this.echoRequests++;
    const path = this.#network.acquire(ip.source, iface, ip.destination);
    if (path === null) return;
    echoReplyInPlace(this.#memory.view, ip.payloadAt);
    const length = ip.payloadEnd - ip.payloadAt;
    this.#network.ipv4Output.sendFrom(path, ip.payloadAt, length, IpProtocol.Icmp, ip.tos, TTL, false);
    this.#network.release(path);
  }

  // --- errors that we send; `at` is where the offending datagram starts ---

  /** RFC 1122 3.2.2.1: code 2 or 3. */
  unreachable(iface: Interface, ip: Ipv4Header, at: number, code: number, linkGroup: boolean): void {
    this.#sendError(iface, ip, at, IcmpType.DestinationUnreachable, code, 0, linkGroup);
  }

  /** RFC 1122 3.2.2.4: fragments did not come in time. */
  timeExceeded(iface: Interface, ip: Ipv4Header, at: number, code: number): void {
    this.#sendError(iface, ip, at, IcmpType.TimeExceeded, code, 0, false);
  }

  /** RFC 1122 3.2.2.5: `pointer` is the index of the octet that makes no sense. */
  parameterProblem(iface: Interface, ip: Ipv4Header, at: number, pointer: number, linkGroup: boolean): void {
    const { Pointer } = ParameterProblemCode;
    this.#sendError(iface, ip, at, IcmpType.ParameterProblem, Pointer, pointer << 24, linkGroup);
  }

  #sendError(
    iface: Interface,
    ip: Ipv4Header,
    at: number,
    type: number,
    code: number,
    rest: number,
    linkGroup: boolean,
  ): void {
    const { view } = this.#memory;
    if (iface.isBroadcast(ip.destination) || iface.isBroadcast(ip.source)) return;
    if (!mayAnswerWithError(view, ip, linkGroup, IPV4_BROADCAST) || !this.limit.allows(ip.source, this.now)) return;
    const path = this.#network.acquire(ip.source, iface, iface.owns(ip.destination) ? ip.destination : 0);
    if (path === null) return;
    const buffer = this.#network.begin();
    if (buffer !== 0) {
      this.errorsSent++;
      const length = emitIcmpError(
        view,
        this.#network.payloadAt(buffer, path),
        type,
        code,
        rest,
        at,
        icmpQuoteLength(ip),
      );
      this.#network.finish(path, buffer, IpProtocol.Icmp, 0, TTL, length, true);
    }
    this.#network.release(path);
  }

  // --- errors that come ---

  /** RFC 1122 3.2.2.2: redirects for networks are taken for the host in question alone. */
  #redirect(iface: Interface, ip: Ipv4Header, icmp: IcmpHeader): void {
    const { view } = this.#memory;
    const quoted = this.#quoted;
    if (parseQuotedIpv4(view, icmp.payloadAt, icmp.payloadEnd, quoted) !== Ipv4Parse.Ok) return;
    if (!iface.owns(quoted.source)) return;
    this.#network.paths.redirect(iface, ip.source, quoted.destination, view.getInt32(ip.payloadAt + ICMP.rest));
  }

  /** RFC 1122 3.2.2: to whoever sent what it quotes, if it quotes enough of it. */
  #passUp(iface: Interface, icmp: IcmpHeader, isPlain: boolean): void {
    const { view } = this.#memory;
    const quoted = this.#quoted;
    if (parseQuotedIpv4(view, icmp.payloadAt, icmp.payloadEnd, quoted) !== Ipv4Parse.Ok) return;
    const { source, destination, payloadAt: at } = quoted;
    const error = networkErrorOf(icmp.type, icmp.code);
    if (!iface.owns(source) || error === NetworkError.None || quoted.payloadEnd - at < QUOTED_BYTES) return;
    // Only what a datagram starts with says whose it was.
    if (quoted.fragmentOffset !== 0) return;
    const ports = view.getInt32(at);
    const { Tcp, Udp } = IpProtocol;
    const { nextHopMtu, type, code } = icmp;
    if (quoted.protocol === Udp) {
      this.datagrams!.reported(iface, source, destination, ports, error, nextHopMtu, type, code);
    }
    if (quoted.protocol !== Tcp) return;
    this.errors!.reported(iface, source, destination, ports, view.getInt32(at + 4), error, nextHopMtu, isPlain);
  }
}
