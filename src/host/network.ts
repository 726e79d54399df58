/**
 * The Network layer: IPv4 (RFC 791, RFC 1122 3.2), ICMP for the host, path objects, and the path blocks of offload
 * requests. Datagrams are sent whole with DF set (RFC 1191); fragments that arrive are counted and dropped.
 */
import type { Trace } from '../base/trace.ts';
import type { BufferPool } from '../memory/buffer-pool.ts';
import type { Memory } from '../memory/memory.ts';
import type { Cursor } from '../memory/record.ts';
import {
  Block,
  BLOCK_HEADER_BYTES,
  type BlockCursor,
  type BlockPool,
  OffloadStateType,
} from '../offload/block-list.ts';
import { OffloadState } from '../offload/offload-state.ts';
import { ResourceNeeds } from '../offload/resource-needs.ts';
import { PathState } from '../offload/state-objects.ts';
import { ETHERNET } from '../wire/ethernet.ts';
import {
  emitIpv4,
  Ipv4Fragment,
  Ipv4Header,
  Ipv4Parse,
  IPV4,
  IPV4_BROADCAST,
  IpProtocol,
  isFragment,
  parseIpv4,
} from '../wire/ipv4.ts';
import { type Framing, type NetworkInput, TX_FRAME_OFFSET } from './framing.ts';
import { HostIcmp } from './host-icmp.ts';
import { type Interface, keyOf } from './interface.ts';
import { isResolved, type Neighbor } from './neighbor.ts';
import { describeInitiate, describeTerminate, Outcome, LayerEntries, takeEntry } from './lower-object.ts';
import type { Adapter, ProviderTable } from './ndis.ts';
import { OffloadOperation, type OffloadRequest } from './offload-request.ts';
import { StateUpdates } from './state-updates.ts';
import { Path } from './path.ts';
import { RoutingTable } from './routes.ts';

const IDLE_PATHS_MAX = 4096;
/** The host keeps the lower half of the identification space (R31). */
const IP_ID_MASK = 0x7fff;
const PAYLOAD_OFFSET = TX_FRAME_OFFSET + ETHERNET.headerLength + IPV4.headerLength;

export interface TransportInput {
  /** A TCP segment [ip.payloadAt, ip.payloadEnd). True: the buffer was kept. */
  receive(iface: Interface, ip: Ipv4Header, buffer: number): boolean;
  /** An ICMP error about a segment of ours: remote and local address and ports; mtu for "fragmentation needed". */
  icmpError(iface: Interface, remote: number, ports: number, type: number, code: number, mtu: number): void;
  /** No next hop: connections on this path cannot go on for now. */
  pathFailed(path: Path): void;
}

/** What becomes of objects that are on a device when their layer changes its mind (offload-control.ts). */
export interface PathControl {
  relink(path: Path): void;
  invalidate(object: Path | Neighbor): void;
  takeBack(object: Path | Neighbor): void;
}

export class Network implements NetworkInput {
  readonly routes = new RoutingTable();
  readonly #memory: Memory;
  readonly #framing: Framing;
  readonly #tx: BufferPool;
  readonly #blocks: BlockPool;
  readonly #byDestination = new Map<number, Path>();
  readonly #paths: Path[] = [];
  readonly #freeIndexes: number[] = [];
  readonly #ip = new Ipv4Header();
  readonly #block: BlockCursor;
  readonly #state: Cursor<typeof PathState.fields>;
  readonly #needs: Cursor<typeof ResourceNeeds.fields>;
  readonly #entries: LayerEntries<Path>;
  readonly #icmp: HostIcmp;
  #idle = 0;
  readonly updates: StateUpdates<Path>;
  transport: TransportInput | null = null;
  control: PathControl | null = null;
  trace: Trace | null = null;
  received = 0;
  sent = 0;
  headerErrors = 0;
  addressErrors = 0;
  fragmentsDropped = 0;
  redirects = 0;

  constructor(memory: Memory, framing: Framing, tx: BufferPool, blocks: BlockPool, updates: 'relay' | 'direct') {
    this.#memory = memory;
    this.#framing = framing;
    this.#tx = tx;
    this.#blocks = blocks;
    this.#block = Block.view(memory);
    this.#state = PathState.view(memory);
    this.#needs = ResourceNeeds.view(memory);
    this.#entries = new LayerEntries(Block.view(memory), {
      writeState: (path, address) => this.#writeState(path, address),
      take: (path, address, initiate, table) => this.#take(path, address, initiate, table),
    });
    this.#icmp = new HostIcmp(memory, this);
    const layer = {
      name: 'network',
      noun: 'path',
      type: OffloadStateType.Ip4Cached,
      adapterOf: (path: Path) => path.iface.adapter,
      write: (path: Path, block: BlockCursor) => this.#writeState(path, block.base),
      updateFailed: (path: Path) => this.control!.takeBack(path),
    } as const;
    this.updates = new StateUpdates(memory, blocks, layer, updates);
  }

  get icmp(): HostIcmp {
    return this.#icmp;
  }

  path(index: number): Path {
    return this.#paths[index]!;
  }

  /** The path to a destination, referenced by the caller until `release`; null when there is no route. */
  acquire(destination: number, iface: Interface | null): Path | null {
    const route = this.routes.find(destination, iface);
    if (route === undefined) return null;
    const key = keyOf(route.iface, destination);
    let path = this.#byDestination.get(key);
    if (path === undefined) {
      const hop = route.gateway === 0 ? destination : route.gateway;
      const index = this.#freeIndexes.pop() ?? this.#paths.length;
      path = new Path(index, route.iface, destination, this.#framing.neighborFor(route.iface, hop));
      this.#paths[index] = path;
      this.#byDestination.set(key, path);
    } else if (path.references === 0) {
      this.#idle--;
    }
    path.references++;
    return path;
  }

  release(path: Path): void {
    if (--path.references === 0) this.#idle++;
    if (this.#idle > IDLE_PATHS_MAX) this.#forgetIdle();
  }

  /** The route cache is bounded: idle paths go, those a device still holds stay. */
  #forgetIdle(): void {
    for (const [key, path] of this.#byDestination) {
      if (path.references > 0 || path.offloadState !== OffloadState.InHost) continue;
      this.#byDestination.delete(key);
      this.#freeIndexes.push(path.index);
      this.#idle--;
    }
  }

  // --- send ---

  /** A buffer for one datagram, or 0; its transport header goes to `payloadAt(buffer)`. */
  begin(): number {
    return this.#tx.allocate();
  }

  payloadAt(buffer: number): number {
    return this.#tx.dataOf(buffer) + PAYLOAD_OFFSET;
  }

  /** Puts the IP header in front of `length` bytes of payload and sends. */
  finish(path: Path, buffer: number, protocol: number, tos: number, ttl: number, length: number): void {
    const total = IPV4.headerLength + length;
    const at = this.payloadAt(buffer) - IPV4.headerLength;
    const id = path.ipId;
    path.ipId = (id + 1) & IP_ID_MASK;
    const { view } = this.#memory;
    emitIpv4(view, at, tos, total, id, Ipv4Fragment.Df, ttl, protocol, path.source, path.destination);
    this.sent++;
    this.#framing.send(path.neighbor, buffer, total);
  }

  // --- receive ---

  receive(iface: Interface, buffer: number, at: number, end: number): boolean {
    this.received++;
    const ip = this.#ip;
    if (parseIpv4(this.#memory.view, at, end, ip) !== Ipv4Parse.Ok) {
      this.headerErrors++;
      return false;
    }
    const { destination } = ip;
    if (destination !== iface.address && destination !== IPV4_BROADCAST && destination !== iface.broadcast) {
      this.addressErrors++;
      return false;
    }
    if (isFragment(ip)) {
      this.fragmentsDropped++;
      return false;
    }
    if (ip.protocol === IpProtocol.Tcp) {
      return destination === iface.address && this.transport!.receive(iface, ip, buffer);
    }
    if (ip.protocol === IpProtocol.Icmp) this.#icmp.receive(iface, ip, this.transport!);
    else if (destination === iface.address) this.#icmp.protocolUnreachable(iface, ip, at);
    return false;
  }

  neighborFailed(neighbor: Neighbor): void {
    for (const path of this.#byDestination.values()) {
      if (path.neighbor === neighbor && path.references > 0) this.transport!.pathFailed(path);
    }
    this.control?.invalidate(neighbor);
  }

  neighborUpdateFailed(neighbor: Neighbor): void {
    this.control!.takeBack(neighbor);
  }

  // --- what changes of a path ---

  /** "Fragmentation needed" (RFC 1191): false when it is no news. */
  lowerMtu(path: Path, mtu: number): boolean {
    if (mtu >= path.mtu) return false;
    path.mtu = mtu;
    this.updates.changed(path);
    return true;
  }

  /** ICMP redirect (RFC 1122 3.2.2.2): only from the hop that is used now, only to one that is on the link. */
  redirect(iface: Interface, from: number, destination: number, gateway: number): void {
    const path = this.#byDestination.get(keyOf(iface, destination));
    if (path === undefined || path.neighbor.address !== from || from === destination) return;
    if (!iface.isLocal(gateway) || gateway === iface.address || gateway === iface.broadcast) return;
    this.redirects++;
    this.changeNextHop(path, gateway);
  }

  /** What goes to this destination goes through `gateway` from now on, also what a device sends (R8, R9). */
  changeNextHop(path: Path, gateway: number): void {
    const neighbor = this.#framing.neighborFor(path.iface, gateway);
    if (path.neighbor === neighbor) return;
    path.neighbor = neighbor;
    this.#framing.resolve(neighbor);
    this.control?.relink(path);
  }

  /** Replaces the gateway of a route: every path that is routed by it follows. False: there is no such route. */
  changeRoute(prefix: number, prefixLength: number, iface: Interface, gateway: number): boolean {
    if (!this.routes.change(prefix, prefixLength, iface, gateway)) return false;
    for (const path of this.#byDestination.values()) {
      const route = this.routes.find(path.destination, path.iface);
      if (route === undefined) continue;
      const { prefixLength: length } = route;
      if (length === prefixLength && route.gateway === gateway && gateway !== 0) this.changeNextHop(path, gateway);
    }
    return true;
  }

  /** A route goes away: paths that have no other are invalid. */
  removeRoute(prefix: number, prefixLength: number, iface: Interface): void {
    this.routes.remove(prefix, prefixLength, iface);
    for (const path of this.#byDestination.values()) {
      const route = this.routes.find(path.destination, path.iface);
      if (route === undefined) this.control?.invalidate(path);
      else this.changeNextHop(path, route.gateway === 0 ? path.destination : route.gateway);
    }
  }

  // --- offload ---

  /** May connections of this path go into a list now? A parent in transition makes them wait (R17, digest §3.3). */
  isSettled(path: Path): boolean {
    const hop = path.linked ?? path.neighbor;
    if (path.invalidated || hop.invalidated || !isResolved(hop)) return false;
    return isStable(path.offloadState) && isStable(hop.offloadState);
  }

  /** Adds the path blocks and passes the request on: step 334 of Figure 3. */
  describe(request: OffloadRequest): void {
    const initiate = request.operation === OffloadOperation.Initiate;
    const { paths } = request;
    for (let i = 0; i < paths.count; i++) {
      const path = paths.objects[i]!;
      const address = this.#blocks.allocate(OffloadStateType.Ip4);
      const block = this.#block.at(address);
      block.dependentBlockList = path.firstDependent;
      path.firstDependent = 0;
      path.lastDependent = 0;
      paths.blocks[i] = address;
      if (initiate && describeInitiate(path, block, request.isReserving)) {
        path.linked = path.neighbor;
        path.linked.offloadedPaths++;
        if (request.isReserving) this.#needs.at(address + BLOCK_HEADER_BYTES).pathMtu = path.mtu;
        else this.#writeState(path, address);
      }
      const neighbor = path.linked ?? path.neighbor;
      if (!initiate && describeTerminate(path, path.offloadedConnections, block, request.keepsLower)) {
        neighbor.offloadedPaths--;
      }
      if (neighbor.firstDependent === 0) {
        neighbor.firstDependent = address;
        request.neighbors.add(neighbor);
      } else {
        this.#block.at(neighbor.lastDependent).nextBlock = address;
      }
      neighbor.lastDependent = address;
    }
    const what = initiate ? 'initiate' : 'terminate';
    this.trace?.emit('network', 'framing', `${what} offload, ${request.paths.count} paths`);
    this.#framing.describe(request);
  }

  #writeState(path: Path, address: number): void {
    const state = this.#state.at(address + BLOCK_HEADER_BYTES);
    state.sourceAddress = path.source;
    state.destinationAddress = path.destination;
    state.pathMtu = path.mtu;
    state.ipIdStart = path.ipIdStart;
  }

  /** Takes this layer's entries out of a completed request. */
  complete(request: OffloadRequest): void {
    const initiate = request.operation === OffloadOperation.Initiate;
    const table = request.takeEntry('network');
    const loads = this.#entries.complete(request.paths, initiate, table);
    if (loads > 0) this.trace?.emit('network', request.adapter.name, `load ${loads} path states`);
    this.trace?.emit('network', 'transport', initiate ? 'initiate complete' : 'terminate complete');
  }

  #take(path: Path, address: number, initiate: boolean, table: ProviderTable): void {
    const outcome = takeEntry(path, initiate, this.#block.at(address), table);
    if (outcome === Outcome.Refused) path.linked!.offloadedPaths--;
    else if (outcome === Outcome.Uploaded) path.ipIdStart = this.#state.at(address + BLOCK_HEADER_BYTES).ipIdStart;
    if (path.offloadState === OffloadState.InHost) path.linked = null;
    this.#blocks.free(address);
    this.updates.settled(path);
  }

  /** States that were sent on the way (Figure 3, 312) were answered. False: they were not this layer's. */
  loaded(root: number): boolean {
    return this.#entries.loaded(root);
  }

  /**
   * Path objects on devices that no connection uses: to be terminated with the next list (A16). True: there are more, about
   * which a call is unanswered.
   */
  orphans(adapter: Adapter, request: OffloadRequest, limit: number): boolean {
    let busy = false;
    for (const path of this.#byDestination.values()) {
      if (request.paths.count >= limit) break;
      if (path.iface.adapter !== adapter || path.offloadedConnections > 0) continue;
      if (path.offloadState === OffloadState.Offloading) busy = true;
      if (path.offloadState !== OffloadState.Offloaded) continue;
      // Its neighbor may go with it.
      if (path.callsOut > 0 || path.linked!.callsOut > 0) busy = true;
      else request.paths.add(path);
    }
    return busy;
  }

  /** Every path, for statistics and checks. */
  get paths(): Iterable<Path> {
    return this.#byDestination.values();
  }
}

function isStable(state: OffloadState): boolean {
  return state === OffloadState.InHost || state === OffloadState.Offloaded;
}
