/**
 * UDP of the host (RFC 768, RFC 1122 4.1): which socket a datagram or an error is for, and who may have which port.
 * Datagrams leave through udp-output.ts. Both IP versions are alike here.
 *
 * Nothing of UDP is offloaded; devices pass it on as they pass on whatever is not a segment of theirs.
 */
import type { Prng } from '../base/prng.ts';
import type { Memory, Region } from '../memory/memory.ts';
import { type AddressTable, isIpv6 } from '../wire/address-table.ts';
import { fold } from '../wire/checksum.ts';
import type { IpDatagram } from '../wire/ip-datagram.ts';
import { isUdpSumRight, parseUdp, UdpHeader, UdpParse } from '../wire/udp.ts';
import type { Interface } from './interface.ts';
import type { DatagramInput, Network } from './network.ts';
import { NetworkError } from './network-error.ts';
import { UdpOutput } from './udp-output.ts';
import { PathMtuDiscovery, type UdpOwner, UdpSocket } from './udp-socket.ts';

/** RFC 6335 6: the dynamic ports. */
const DYNAMIC_FIRST = 49_152;
const DYNAMIC_COUNT = 16_384;

/** What a call comes to: '' for success, else the name of an error, as of the system's calls. */
export type UdpResult = '' | 'EACCES' | 'EADDRINUSE' | 'EADDRNOTAVAIL' | 'EAFNOSUPPORT' | 'EINVAL' | 'ENETUNREACH';

export class HostUdp implements DatagramInput {
  readonly addresses: AddressTable;
  readonly output: UdpOutput;
  readonly #memory: Memory;
  readonly #network: Network;
  readonly #interfaces: readonly Interface[];
  readonly #prng: Prng;
  readonly #header = new UdpHeader();
  /** Those of a port, the latest first. */
  readonly #byPort = new Map<number, UdpSocket[]>();
  /** Of RFC 4113: delivered; for no socket; without room, or not what was sent. */
  received = 0;
  noPorts = 0;
  inErrors = 0;
  /** Of `inErrors`, those that found no room. */
  noRoom = 0;
  checksumErrors = 0;
  errorsReported = 0;

  /** `scratch`: where datagrams are made that take more than one packet. */
  constructor(memory: Memory, network: Network, interfaces: readonly Interface[], scratch: Region, prng: Prng) {
    this.addresses = network.addresses;
    this.output = new UdpOutput(memory, network, interfaces, scratch);
    this.#memory = memory;
    this.#network = network;
    this.#interfaces = interfaces;
    this.#prng = prng;
  }

  // --- calls ---

  open(owner: UdpOwner, version: 0 | 4 | 6): UdpSocket {
    return new UdpSocket(owner, version);
  }

  /** `address` is one of ours, or 0 for all; port 0 asks for any that is free (RFC 6056 3.3.1: at random). */
  bind(socket: UdpSocket, address: number, port: number): UdpResult {
    if (socket.isClosed || socket.localPort !== 0) return 'EINVAL';
    if (address !== 0 && !socket.speaks(address)) return 'EAFNOSUPPORT';
    if (address !== 0 && !this.#interfaces.some(iface => iface.has(address))) return 'EADDRNOTAVAIL';
    const chosen = port === 0 ? this.#freePort(socket, address) : port;
    if (chosen === 0 || (port !== 0 && this.#isTaken(socket, address, port))) return 'EADDRINUSE';
    this.addresses.retain(address);
    socket.boundAddress = address;
    socket.localPort = chosen;
    this.#setLocal(socket, address);
    const others = this.#byPort.get(chosen);
    if (others === undefined) this.#byPort.set(chosen, [socket]);
    else others.unshift(socket);
    return '';
  }

  #isTaken(socket: UdpSocket, address: number, port: number): boolean {
    const others = this.#byPort.get(port) ?? [];
    return others.some(other => !(other.reuse && socket.reuse) && overlap(other, socket, address));
  }

  #freePort(socket: UdpSocket, address: number): number {
    const first = this.#prng.below(DYNAMIC_COUNT);
    for (let i = 0; i < DYNAMIC_COUNT; i++) {
      const port = DYNAMIC_FIRST + ((first + i) % DYNAMIC_COUNT);
      if (!this.#isTaken(socket, address, port)) return port;
    }
    return 0;
  }

  /** From now on it hears of this end only, and its errors (RFC 1122 4.1.4). It is bound. */
  connect(socket: UdpSocket, address: number, port: number, iface: Interface | null): UdpResult {
    if (socket.isClosed || socket.localPort === 0 || port === 0) return 'EINVAL';
    const refusal = this.output.refusal(socket, address);
    if (refusal !== '') return refusal;
    const path = this.output.pathTo(socket, address, iface);
    if (path === null) return 'ENETUNREACH';
    this.addresses.retain(address);
    this.addresses.release(socket.remoteAddress);
    socket.remoteAddress = address;
    socket.remotePort = port;
    socket.remoteIface = iface;
    this.#setLocal(socket, path.source);
    this.#network.release(path);
    return '';
  }

  disconnect(socket: UdpSocket): void {
    this.addresses.release(socket.remoteAddress);
    socket.remoteAddress = 0;
    socket.remotePort = 0;
    socket.remoteIface = null;
    this.#setLocal(socket, socket.boundAddress);
  }

  #setLocal(socket: UdpSocket, address: number): void {
    this.addresses.retain(address);
    this.addresses.release(socket.localAddress);
    socket.localAddress = address;
  }

  close(socket: UdpSocket): void {
    if (socket.isClosed) return;
    socket.isClosed = true;
    this.disconnect(socket);
    for (let left = socket.take(); left !== undefined; left = socket.take()) this.addresses.release(left.address);
    for (let left = socket.takeError(); left !== undefined; left = socket.takeError()) {
      this.addresses.release(left.address);
    }
    const others = this.#byPort.get(socket.localPort);
    if (others === undefined) return;
    this.#setLocal(socket, 0);
    this.addresses.release(socket.boundAddress);
    others.splice(others.indexOf(socket), 1);
    if (others.length === 0) this.#byPort.delete(socket.localPort);
  }

  // --- from IP ---

  receive(iface: Interface, ip: IpDatagram, pseudo: number, isForMany: boolean): boolean {
    const { view } = this.#memory;
    const udp = this.#header;
    if (parseUdp(view, ip.payloadAt, ip.payloadEnd, udp) !== UdpParse.Ok) {
      this.inErrors++;
      return true;
    }
    if (!this.#isIntact(ip, udp, pseudo)) {
      this.inErrors++;
      this.checksumErrors++;
      return true;
    }
    const sockets = this.#byPort.get(udp.dstPort) ?? [];
    if (isForMany) {
      for (const socket of sockets) {
        if (wantsBroadcast(socket, ip.source, udp.srcPort)) this.#deliver(socket, iface, ip.source, udp);
      }
      return true;
    }
    const socket = bestOf(sockets, ip.destination, ip.source, udp.srcPort);
    if (socket === null) {
      this.noPorts++;
      return false;
    }
    this.#deliver(socket, iface, ip.source, udp);
    return true;
  }

  /** RFC 1122 4.1.3.4: none is as good as a right one, in IPv4. RFC 8200 8.1: not in IPv6, whose headers have none. */
  #isIntact(ip: IpDatagram, udp: UdpHeader, pseudo: number): boolean {
    if (udp.checksum === 0) return !isIpv6(ip.source);
    return isUdpSumRight(this.#memory.view, ip.payloadAt, udp, fold(pseudo + udp.length));
  }

  #deliver(socket: UdpSocket, iface: Interface, address: number, udp: UdpHeader): void {
    if (!socket.hasRoomFor(udp.payloadLength)) {
      socket.dropped++;
      this.inErrors++;
      this.noRoom++;
      return;
    }
    this.received++;
    this.addresses.retain(address);
    const { payloadAt, payloadLength } = udp;
    // The bytes become the application's, as everywhere in Node.
    const bytes = Buffer.from(this.#memory.u8.subarray(payloadAt, payloadAt + payloadLength));
    socket.put({ bytes, address, port: udp.srcPort, iface });
  }

  /**
   * RFC 1122 4.1.3.3. As in Linux, connected sockets hear of errors that will not pass; who asks for it hears of all. Anybody can
   * forge them, and what a forger learns or does is as little as with a lost datagram.
   */
  reported(
    iface: Interface,
    local: number,
    remote: number,
    ports: number,
    error: NetworkError,
    mtu: number,
    type: number,
    code: number,
  ): void {
    const port = ports & 0xffff;
    const socket = bestOf(this.#byPort.get(ports >>> 16) ?? [], local, remote, port);
    if (socket === null) return;
    if (error === NetworkError.MessageTooBig) {
      this.#tooBig(iface, local, remote, mtu);
      if (socket.pathMtuDiscovery === PathMtuDiscovery.Dont) return;
    }
    if (!socket.reportsAllErrors && (!socket.isConnected || isSoft(error))) return;
    this.addresses.retain(remote);
    if (socket.putError({ error, address: remote, port, mtu, type, code })) this.errorsReported++;
    else this.addresses.release(remote);
  }

  /** RFC 1191, RFC 8201: whoever else sends that way hears of it too. */
  #tooBig(iface: Interface, local: number, remote: number, mtu: number): void {
    const path = this.#network.acquire(remote, iface, local);
    if (path === null) return;
    if (this.#network.paths.tooBig(path, mtu)) this.#network.icmp.errors!.pathMtuChanged(path);
    this.#network.release(path);
  }
}

/** The one that says most about what it wants. */
function bestOf(sockets: readonly UdpSocket[], local: number, remote: number, port: number): UdpSocket | null {
  let best: UdpSocket | null = null;
  let bestFitness = -1;
  for (let i = 0; i < sockets.length; i++) {
    const fitness = sockets[i]!.fitness(local, remote, port);
    if (fitness > bestFitness) {
      best = sockets[i]!;
      bestFitness = fitness;
    }
  }
  return best;
}

/** Does it want what came for many? Whoever has an address of ours wants what comes to that. */
function wantsBroadcast(socket: UdpSocket, remote: number, port: number): boolean {
  return socket.localAddress === 0 && socket.fitness(0, remote, port) >= 0;
}

/** Is there an address that both would have, the second with this one or, if it is 0, with all of its versions? */
function overlap(bound: UdpSocket, socket: UdpSocket, address: number): boolean {
  const { boundAddress } = bound;
  if (boundAddress !== 0 && address !== 0) return boundAddress === address;
  if (boundAddress !== 0) return socket.speaks(boundAddress);
  if (address !== 0) return bound.speaks(address);
  return bound.version === 0 || socket.version === 0 || bound.version === socket.version;
}

/** It may pass: the network looks for other ways. */
function isSoft(error: NetworkError): boolean {
  return error === NetworkError.NetUnreachable || error === NetworkError.HostUnreachable;
}
