/**
 * The Network layer: paths and routes (path-table.ts), datagrams in and out (ipv4-input.ts, ipv4-output.ts), ICMP for the
 * host, and the path blocks of offload requests (path-offload.ts). Transport talks to this file only.
 */
import type { Prng } from '../base/prng.ts';
import type { Trace } from '../base/trace.ts';
import type { BufferPool } from '../memory/buffer-pool.ts';
import type { Memory, Region } from '../memory/memory.ts';
import type { BlockPool } from '../offload/block-list.ts';
import { type AddressTable, isIpv6 } from '../wire/address-table.ts';
import type { IpDatagram } from '../wire/ip-datagram.ts';
import type { Framing, NetworkInput } from './framing.ts';
import { HostIcmp } from './host-icmp.ts';
import type { Interface } from './interface.ts';
import { Ipv4Input } from './ipv4-input.ts';
import { Ipv4Output } from './ipv4-output.ts';
import { Ipv6 } from './ipv6.ts';
import type { Neighbor } from './neighbor.ts';
import type { NetworkError } from './network-error.ts';
import { PathOffload } from './path-offload.ts';
import { type PathControl, PathTable } from './path-table.ts';
import type { Path } from './path.ts';

export interface TransportInput {
  /** A TCP segment [ip.payloadAt, ip.payloadEnd). True: the buffer was kept. */
  receive(iface: Interface, ip: IpDatagram, buffer: number): boolean;
}

/** UDP, from either IP version (udp.ts). */
export interface DatagramInput {
  /**
   * A datagram [ip.payloadAt, ip.payloadEnd). `pseudo`: the partial sum of its pseudo-header but for the length. `isForMany`: it
   * was sent to a broadcast address or a group. False: there is nothing wrong with it, and nobody listens at its port.
   */
  receive(iface: Interface, ip: IpDatagram, pseudo: number, isForMany: boolean): boolean;
  /** An ICMP error that quotes a datagram of ours; `type` and `code` as it has them, of either family. */
  reported(
    iface: Interface,
    local: number,
    remote: number,
    ports: number,
    error: NetworkError,
    mtu: number,
    type: number,
    code: number,
  ): void;
}

/** Who hears of what became of datagrams of a transport protocol. */
export interface NetworkErrors {
  /**
   * An ICMP error that quotes a datagram from `local` to `remote`: its ports, both in one word as they stand in the header,
   * and the word behind them. `mtu` is that of MessageTooBig. `isPlain`: it came in one piece, without options or extension
   * headers, so that a device could look at it. Of both families: network-error.ts.
   */
  reported(
    iface: Interface,
    local: number,
    remote: number,
    ports: number,
    seq: number,
    error: NetworkError,
    mtu: number,
    isPlain: boolean,
  ): void;
  /** The path's MTU is another now. */
  pathMtuChanged(path: Path): void;
  /** No next hop: what goes this way cannot go on for now. */
  pathFailed(path: Path): void;
}

export class Network implements NetworkInput {
  /** IPv6 addresses that anything of this host has to do with, by number. */
  readonly addresses: AddressTable;
  readonly paths: PathTable;
  readonly offload: PathOffload;
  readonly icmp: HostIcmp;
  readonly ipv4Input: Ipv4Input;
  readonly ipv4Output: Ipv4Output;
  readonly ipv6: Ipv6;
  readonly #tx: BufferPool;

  /** `room`: where datagrams that came in fragments are put together. */
  constructor(
    memory: Memory,
    addresses: AddressTable,
    framing: Framing,
    tx: BufferPool,
    blocks: BlockPool,
    room: Region,
    updates: 'relay' | 'direct',
    prng: Prng,
  ) {
    this.addresses = addresses;
    this.#tx = tx;
    this.paths = new PathTable(addresses, framing, path => this.offload.updates.changed(path));
    this.offload = new PathOffload(memory, addresses, blocks, framing.offload, updates, path =>
      this.paths.control!.takeBack(path),
    );
    this.icmp = new HostIcmp(memory, this);
    this.ipv4Input = new Ipv4Input(memory, addresses, this.icmp, room);
    this.ipv4Output = new Ipv4Output(memory, framing, tx);
    this.ipv6 = new Ipv6(memory, addresses, framing, tx, this.paths, room, prng.fork('IPv6'));
    this.paths.routesIpv6 = this.ipv6.routes;
    framing.ipv6 = this.ipv6;
  }

  set trace(trace: Trace | null) {
    this.offload.trace = trace;
    this.ipv6.neighbors.trace = trace;
  }

  set transport(transport: TransportInput) {
    this.ipv4Input.transport = transport;
    this.ipv6.transport = transport;
  }

  set errors(errors: NetworkErrors) {
    this.icmp.errors = errors;
    this.ipv6.errors = errors;
  }

  set datagrams(datagrams: DatagramInput) {
    this.icmp.datagrams = datagrams;
    this.ipv4Input.datagrams = datagrams;
    this.ipv6.icmp.datagrams = datagrams;
    this.ipv6.input.datagrams = datagrams;
  }

  set control(control: PathControl) {
    this.paths.control = control;
  }

  set now(now: number) {
    this.icmp.now = now;
    this.paths.now = now;
    this.ipv4Input.reassembler.now = now;
    this.ipv6.now = now;
  }

  /** Fragments whose time is up, path MTUs, and what IPv6 has to do; returns how much there was. */
  expire(): number {
    const fragments = this.ipv4Input.reassembler.expire();
    return fragments + this.paths.expire(path => this.icmp.errors!.pathMtuChanged(path)) + this.ipv6.expire();
  }

  ticksUntilNext(): number {
    const fragments = this.ipv4Input.reassembler.ticksUntilNext();
    const paths = this.paths.ticksUntilNext();
    return soonest(soonest(fragments, paths), this.ipv6.ticksUntilNext());
  }

  path(index: number): Path {
    return this.paths.at(index);
  }

  /** The path to a destination, referenced by the caller until `release`; null when there is no route. */
  acquire(destination: number, iface: Interface | null, source = 0): Path | null {
    return this.paths.acquire(destination, iface, source);
  }

  release(path: Path): void {
    this.paths.release(path);
  }

  /** Routes were added or changed: connections hear of paths that carry more or less now. */
  routesChanged(): void {
    this.paths.applyMetrics(path => this.icmp.errors!.pathMtuChanged(path));
  }

  // --- send ---

  /** A buffer for one datagram, or 0; its transport header goes to `payloadAt`. */
  begin(): number {
    return this.#tx.allocate();
  }

  payloadAt(buffer: number, path: Path): number {
    return path.isIpv6 ? this.ipv6.output.payloadAt(buffer) : this.ipv4Output.payloadAt(buffer);
  }

  /** Puts the IP header in front of `length` bytes of payload and sends; whole and with DF unless it may be cut. */
  finish(
    path: Path,
    buffer: number,
    protocol: number,
    tos: number,
    ttl: number,
    length: number,
    mayFragment = false,
    flowLabel = 0,
  ): void {
    if (path.isIpv6) this.ipv6.output.send(path, buffer, protocol, tos, flowLabel, ttl, length);
    else this.ipv4Output.send(path, buffer, protocol, tos, ttl, length, mayFragment);
  }

  /** The same for `length` bytes of payload from `at`, which stay the caller's; whatever the path takes. False: no buffers. */
  finishFrom(path: Path, at: number, protocol: number, tos: number, ttl: number, length: number): boolean {
    if (path.isIpv6) return this.ipv6.output.sendFrom(path, at, length, protocol, tos, ttl);
    return this.ipv4Output.sendFrom(path, at, length, protocol, tos, ttl, false);
  }

  // --- from Framing ---

  receive(iface: Interface, buffer: number, at: number, end: number, linkGroup: boolean): boolean {
    return this.ipv4Input.receive(iface, buffer, at, end, linkGroup);
  }

  neighborFailed(neighbor: Neighbor): void {
    // Next-hop determination begins anew (RFC 4861 7.3.3): another router may do.
    if (isIpv6(neighbor.address)) this.paths.reroute();
    else this.paths.leaveGateway(neighbor);
    for (const path of this.paths) {
      if (path.neighbor === neighbor && path.references > 0) this.icmp.errors!.pathFailed(path);
    }
    if (neighbor.paths > 0) this.paths.control?.invalidate(neighbor);
  }

  neighborUpdateFailed(neighbor: Neighbor): void {
    this.paths.control!.takeBack(neighbor);
  }
}

/** The sooner of two times of which -1 says never. */
function soonest(a: number, b: number): number {
  return a < 0 || (b >= 0 && b < a) ? b : a;
}
