/**
 * Datagrams of UDP on their way out: which path, whether whole or in fragments, and what of it is refused (RFC 1122 4.1.4,
 * 3.3.6). Called from outside of a step; what a call has sent it has copied.
 */
import type { Memory, Region } from '../memory/memory.ts';
import { isIpv6 } from '../wire/address-table.ts';
import { IPV4, IPV4_BROADCAST, IpProtocol } from '../wire/ipv4.ts';
import { IPV6 } from '../wire/ipv6.ts';
import { emitUdpHeader, UDP } from '../wire/udp.ts';
import type { Interface } from './interface.ts';
import type { Network } from './network.ts';
import type { Path } from './path.ts';
import { PathMtuDiscovery, type UdpSocket } from './udp-socket.ts';

/** What a datagram of UDP can be, in IPv6 (RFC 8200 3); its header included. */
export const UDP_BYTES_MAX = 0xffff;

/** '' for success, else the name of an error. */
export type SendResult =
  '' | 'EACCES' | 'EADDRNOTAVAIL' | 'EAFNOSUPPORT' | 'EINVAL' | 'EMSGSIZE' | 'ENETUNREACH' | 'ENOBUFS';

export class UdpOutput {
  readonly #memory: Memory;
  readonly #network: Network;
  readonly #interfaces: readonly Interface[];
  readonly #scratch: number;
  sent = 0;
  discarded = 0;

  constructor(memory: Memory, network: Network, interfaces: readonly Interface[], scratch: Region) {
    this.#memory = memory;
    this.#network = network;
    this.#interfaces = interfaces;
    this.#scratch = scratch.offset;
  }

  /** Sends to the address, through `iface` if it is given. The socket is bound. */
  send(socket: UdpSocket, bytes: Uint8Array, address: number, port: number, iface: Interface | null): SendResult {
    if (socket.isClosed || socket.localPort === 0 || port === 0) return 'EINVAL';
    const refusal = this.refusal(socket, address);
    if (refusal !== '') return refusal;
    const path = this.pathTo(socket, address, iface);
    if (path === null) return 'ENETUNREACH';
    const result = this.#sendOn(path, socket, bytes, port);
    this.#network.release(path);
    if (result === '') this.sent++;
    else this.discarded++;
    return result;
  }

  /** Why the socket may send nothing to this address at all, '' if it may. A host does not reach itself. */
  refusal(socket: UdpSocket, address: number): '' | 'EACCES' | 'EADDRNOTAVAIL' | 'EAFNOSUPPORT' {
    if (!socket.speaks(address)) return 'EAFNOSUPPORT';
    if (this.#interfaces.some(iface => iface.has(address))) return 'EADDRNOTAVAIL';
    return this.#isBroadcast(address) && !socket.broadcast ? 'EACCES' : '';
  }

  #isBroadcast(address: number): boolean {
    return address === IPV4_BROADCAST || this.#interfaces.some(iface => iface.isBroadcast(address));
  }

  /** Referenced; null: nothing leads there, or not from the socket's address. */
  pathTo({ localAddress }: UdpSocket, address: number, iface: Interface | null): Path | null {
    const { paths } = this.#network;
    if (localAddress !== 0 && isIpv6(localAddress) !== isIpv6(address)) return null;
    return this.#isBroadcast(address)
      ? paths.acquireBroadcast(address, iface, localAddress)
      : paths.acquire(address, iface, localAddress);
  }

  #sendOn(path: Path, socket: UdpSocket, bytes: Uint8Array, port: number): SendResult {
    const length = UDP.headerLength + bytes.length;
    const headers = path.isIpv6 ? IPV6.headerLength : IPV4.headerLength;
    if (length > (path.isIpv6 ? UDP_BYTES_MAX : 0xffff - IPV4.headerLength)) return 'EMSGSIZE';
    const ttl = path.isIpv6 && !socket.hasTtl ? path.iface.ipv6!.hopLimit : socket.ttl;
    const network = this.#network;
    if (headers + length <= path.mtu) {
      const buffer = network.begin();
      if (buffer === 0) return 'ENOBUFS';
      this.#write(path, network.payloadAt(buffer, path), socket.localPort, port, bytes);
      network.finish(path, buffer, IpProtocol.Udp, socket.tos, ttl, length, mayBeCut(socket, path));
      return '';
    }
    if (socket.pathMtuDiscovery === PathMtuDiscovery.Do) return 'EMSGSIZE';
    this.#write(path, this.#scratch, socket.localPort, port, bytes);
    const isSent = network.finishFrom(path, this.#scratch, IpProtocol.Udp, socket.tos, ttl, length);
    return isSent ? '' : 'ENOBUFS';
  }

  #write(path: Path, at: number, srcPort: number, dstPort: number, bytes: Uint8Array): void {
    this.#memory.u8.set(bytes, at + UDP.headerLength);
    const length = UDP.headerLength + bytes.length;
    const pseudo = this.#network.addresses.pseudoHeaderSum(path.source, path.destination, IpProtocol.Udp, length);
    emitUdpHeader(this.#memory.view, at, srcPort, dstPort, bytes.length, pseudo);
  }
}

/** What fits the path goes with DF, so that the path tells when it does not fit any longer (RFC 1191). */
function mayBeCut({ pathMtuDiscovery }: UdpSocket, path: Path): boolean {
  const { Dont, Do } = PathMtuDiscovery;
  return pathMtuDiscovery === Dont || (path.mayBeCut && (pathMtuDiscovery !== Do || !path.metrics.isMtuLocked));
}
