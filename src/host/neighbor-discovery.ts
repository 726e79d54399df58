/**
 * Neighbor discovery on the host (RFC 4861 7, 8): asks for neighbors' MAC addresses, answers for our own, hears of better
 * next hops. What is learned goes into the neighbor table; when to ask is decided there and in reachability.ts.
 *
 * Messages come from host-icmpv6.ts, which has checked that they are from the link itself.
 */
import type { Trace } from '../base/trace.ts';
import type { Memory } from '../memory/memory.ts';
import type { AddressTable } from '../wire/address-table.ts';
import { ALL_NODES, isUnspecifiedAt, MULTICAST_MAC_HI, solicitedNodeOf } from '../wire/ipv6-address.ts';
import { type Ipv6Header, isMulticastDestination } from '../wire/ipv6.ts';
import {
  emitNeighborAdvertisement,
  emitNeighborSolicitation,
  hasSourceMac,
  hasTargetMac,
  NaFlag,
  ND_HOP_LIMIT,
  type NdMessage,
} from '../wire/nd.ts';
import type { DuplicateDetection } from './duplicate-detection.ts';
import { AddressState, type Ipv6Interface, type OwnAddress } from './ipv6-interface.ts';
import type { Ipv6Output } from './ipv6-output.ts';
import { isResolved, type Neighbor, Reachability } from './neighbor.ts';
import type { NeighborTable } from './neighbor-table.ts';
import type { PathTable } from './path-table.ts';

/** A neighbor that was thought to be a router says that it is none. */
export type RouterLeft = (on: Ipv6Interface, address: number) => void;

export class NeighborDiscovery {
  readonly #memory: Memory;
  readonly #table: AddressTable;
  readonly #neighbors: NeighborTable;
  readonly #output: Ipv6Output;
  readonly #duplicates: DuplicateDetection;
  readonly #paths: PathTable;
  readonly #routerLeft: RouterLeft;
  trace: Trace | null = null;
  solicitationsSent = 0;
  advertisementsSent = 0;
  redirects = 0;
  /** Messages that break a rule of RFC 4861, and those of others that claim an address of ours. */
  invalid = 0;
  conflicts = 0;

  constructor(
    memory: Memory,
    table: AddressTable,
    neighbors: NeighborTable,
    output: Ipv6Output,
    duplicates: DuplicateDetection,
    paths: PathTable,
    routerLeft: RouterLeft,
  ) {
    this.#memory = memory;
    this.#table = table;
    this.#neighbors = neighbors;
    this.#output = output;
    this.#duplicates = duplicates;
    this.#paths = paths;
    this.#routerLeft = routerLeft;
  }

  // --- questions of ours ---

  /** RFC 4861 7.2.2: asks the solicited-node group, from an address of ours that the answer can go to. */
  solicit(neighbor: Neighbor): void {
    const group = solicitedNodeOf(this.#table.words[this.#table.indexOf(neighbor.address) + 3]!);
    this.#solicit(neighbor, MULTICAST_MAC_HI, group[3]!, group, 0);
  }

  /** RFC 4861 7.3.3: is it still there, and still at this MAC address? */
  probe(neighbor: Neighbor): void {
    const { words } = this.#table;
    this.#solicit(neighbor, neighbor.macHi, neighbor.macLo, words, this.#table.indexOf(neighbor.address));
  }

  #solicit(
    { iface, address }: Neighbor,
    macHi: number,
    macLo: number,
    destinationWords: Readonly<Int32Array>,
    destination: number,
  ): void {
    const source = iface.ipv6!.sourceFor(address);
    if (source === 0) return;
    const { words } = this.#table;
    const { view } = this.#memory;
    const [from, target] = [this.#table.indexOf(source), this.#table.indexOf(address)];
    const { adapter } = iface;
    this.solicitationsSent++;
    this.#output.sendDirect(iface, macHi, macLo, words, from, destinationWords, destination, ND_HOP_LIMIT, at =>
      emitNeighborSolicitation(view, at, words, target, adapter.macHi, adapter.macLo),
    );
  }

  // --- questions of others ---

  /** RFC 4861 7.2.3, RFC 4862 5.4.3. */
  solicited(on: Ipv6Interface, ip: Ipv6Header, message: NdMessage): void {
    const { view } = this.#memory;
    const isProbe = isUnspecifiedAt(view, ip.sourceAt);
    // RFC 4861 7.1.1: a probe goes to the group, and says no MAC address.
    if (isProbe && (!isMulticastDestination(view, ip) || hasSourceMac(message))) {
      this.invalid++;
      return;
    }
    const target = on.find(this.#table.find(view, message.targetAt));
    if (target === undefined) return;
    if (!target.isAssigned) {
      // Somebody else wants what we want; whoever asks for its owner is of no interest yet.
      if (isProbe) this.#duplicates.conflict(on, target);
      return;
    }
    if (isProbe) this.#tellAll(on, target);
    else this.#answer(on, ip, message, target);
  }

  #answer(on: Ipv6Interface, ip: Ipv6Header, message: NdMessage, target: OwnAddress): void {
    const { iface } = on;
    const source = this.#table.intern(this.#memory.view, ip.sourceAt);
    if (source === 0) return;
    const flags = NaFlag.Solicited | NaFlag.Override;
    if (hasSourceMac(message)) {
      const { sourceMacHi, sourceMacLo } = message;
      this.#neighbors.learn(this.#neighbors.for(iface, source), sourceMacHi, sourceMacLo, false);
      const { words } = this.#table;
      this.#advertise(on, target, flags, sourceMacHi, sourceMacLo, words, this.#table.indexOf(source));
    } else {
      this.#answerByPath(on, source, target, flags);
    }
    this.#table.release(source);
  }

  /** The question did not say the MAC address of who asks: it may have to be asked for. */
  #answerByPath(on: Ipv6Interface, source: number, target: OwnAddress, flags: number): void {
    const path = this.#paths.acquire(source, on.iface, target.number);
    if (path === null) return;
    this.advertisementsSent++;
    this.#output.sendMessage(path, ND_HOP_LIMIT, at => this.#emitAdvertisement(at, on, target, flags));
    this.#paths.release(path);
  }

  #emitAdvertisement(at: number, { iface }: Ipv6Interface, { number }: OwnAddress, flags: number): number {
    const { macHi, macLo } = iface.adapter;
    const { words } = this.#table;
    return emitNeighborAdvertisement(this.#memory.view, at, flags, words, this.#table.indexOf(number), macHi, macLo);
  }

  #advertise(
    on: Ipv6Interface,
    address: OwnAddress,
    flags: number,
    macHi: number,
    macLo: number,
    toWords: Readonly<Int32Array>,
    to: number,
  ): void {
    const { words } = this.#table;
    const own = this.#table.indexOf(address.number);
    this.advertisementsSent++;
    this.#output.sendDirect(on.iface, macHi, macLo, words, own, toWords, to, ND_HOP_LIMIT, at =>
      this.#emitAdvertisement(at, on, address, flags),
    );
  }

  /** To all nodes: who asks has no address, or nobody has asked. */
  #tellAll(on: Ipv6Interface, address: OwnAddress): void {
    this.#advertise(on, address, NaFlag.Override, MULTICAST_MAC_HI, ALL_NODES[3]!, ALL_NODES, 0);
  }

  /** RFC 4861 7.2.6: tells where the interface's addresses are now; after a failover the switch learns from it. */
  announce(on: Ipv6Interface): void {
    this.trace?.emit('framing', on.iface.adapter.name, 'unsolicited neighbor advertisement');
    for (const address of on.addresses) if (address.isAssigned) this.#tellAll(on, address);
  }

  // --- answers ---

  /** RFC 4861 7.2.5, RFC 4862 5.4.4. */
  advertised(on: Ipv6Interface, ip: Ipv6Header, message: NdMessage): void {
    const { view } = this.#memory;
    const { flags } = message;
    // RFC 4861 7.1.2: what goes to a group answers nobody.
    if ((flags & NaFlag.Solicited) !== 0 && isMulticastDestination(view, ip)) {
      this.invalid++;
      return;
    }
    const number = this.#table.find(view, message.targetAt);
    if (number === 0) return;
    const own = on.find(number);
    if (own !== undefined) {
      if (own.state === AddressState.Tentative) this.#duplicates.conflict(on, own);
      else this.conflicts++;
      return;
    }
    const neighbor = this.#neighbors.find(on.iface, number);
    if (neighbor === undefined || neighbor.reachability === Reachability.Failed) return;
    this.#update(neighbor, message);
    const isRouter = (flags & NaFlag.Router) !== 0;
    if (neighbor.isRouter && !isRouter) this.#routerLeft(on, number);
    neighbor.isRouter = isRouter;
  }

  /** The state machine of RFC 4861 7.2.5 and appendix C. */
  #update(neighbor: Neighbor, message: NdMessage): void {
    const solicited = (message.flags & NaFlag.Solicited) !== 0;
    const override = (message.flags & NaFlag.Override) !== 0;
    const knowsMac = isResolved(neighbor);
    if (!knowsMac && !hasTargetMac(message)) return;
    const { targetMacHi: macHi, targetMacLo: macLo } = message;
    const isOther = hasTargetMac(message) && (macHi !== neighbor.macHi || macLo !== neighbor.macLo);
    if (knowsMac && isOther && !override) {
      // Two nodes claim the address: the next packet will find out which is there.
      if (neighbor.reachability === Reachability.Reachable) neighbor.reachability = Reachability.Stale;
      return;
    }
    if (isOther || !knowsMac) this.#neighbors.learn(neighbor, macHi, macLo, solicited);
    else if (solicited) this.#neighbors.learn(neighbor, neighbor.macHi, neighbor.macLo, true);
  }

  /** RFC 4861 8.1, 8.3: only from the router that is used now. */
  redirected(on: Ipv6Interface, ip: Ipv6Header, message: NdMessage): void {
    const { view } = this.#memory;
    const table = this.#table;
    const from = table.find(view, ip.sourceAt);
    const destination = table.find(view, message.destinationAt);
    if (from === 0 || destination === 0) return;
    const target = table.intern(view, message.targetAt);
    if (target === 0) return;
    if (this.#paths.redirectIpv6(on.iface, from, destination, target)) {
      this.redirects++;
      const neighbor = this.#neighbors.find(on.iface, target);
      if (neighbor !== undefined) {
        if (target !== destination) neighbor.isRouter = true;
        if (hasTargetMac(message)) {
          this.#neighbors.learn(neighbor, message.targetMacHi, message.targetMacLo, false);
        }
      }
    }
    table.release(target);
  }
}
