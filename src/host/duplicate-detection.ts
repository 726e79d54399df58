/**
 * Duplicate address detection (RFC 4862 5.4): before an address is used, the link is asked whether somebody has it.
 *
 *   Tentative ── nobody answers the probes ──► Preferred
 *       └────── an answer, or another's probe ──► Duplicate
 *
 * Driven by ipv6.ts with a clock in milliseconds that does not wrap.
 */
import type { Memory } from '../memory/memory.ts';
import type { AddressTable } from '../wire/address-table.ts';
import { MULTICAST_MAC_HI, solicitedNodeOf, UNSPECIFIED } from '../wire/ipv6-address.ts';
import { emitNeighborSolicitation, ND_HOP_LIMIT } from '../wire/nd.ts';
import { AddressState, type Ipv6Interface, type OwnAddress } from './ipv6-interface.ts';
import type { Ipv6Output } from './ipv6-output.ts';

export interface AddressWatcher {
  /** It is unique, and in use from now on. */
  assigned(on: Ipv6Interface, address: OwnAddress): void;
  /** Somebody else has it. */
  duplicate(on: Ipv6Interface, address: OwnAddress): void;
}

export class DuplicateDetection {
  readonly #memory: Memory;
  readonly #table: AddressTable;
  readonly #output: Ipv6Output;
  readonly #watcher: AddressWatcher;
  probesSent = 0;

  constructor(memory: Memory, table: AddressTable, output: Ipv6Output, watcher: AddressWatcher) {
    this.#memory = memory;
    this.#table = table;
    this.#output = output;
    this.#watcher = watcher;
  }

  /** RFC 4862 5.4.2: a random delay keeps nodes that were told of a prefix at once from probing at once. */
  begin(on: Ipv6Interface, address: OwnAddress, clock: number, delay: number): void {
    if (on.probesMax === 0) this.#assign(on, address);
    else address.probeAt = clock + delay;
  }

  /** Sends what is due, and takes addresses nobody has spoken up for; returns how much there was. */
  step(on: Ipv6Interface, clock: number): number {
    let work = 0;
    for (const address of on.addresses) {
      if (address.state !== AddressState.Tentative || address.probeAt > clock) continue;
      work++;
      if (address.probesSent === on.probesMax) {
        this.#assign(on, address);
      } else {
        address.probesSent++;
        address.probeAt = clock + on.retransTimer;
        this.#probe(on, address);
      }
    }
    return work;
  }

  /** When `step` has something to do. */
  dueAt(on: Ipv6Interface): number {
    let due = Infinity;
    for (const { state, probeAt } of on.addresses) {
      if (state === AddressState.Tentative) due = Math.min(due, probeAt);
    }
    return due;
  }

  /** RFC 4862 5.4.3, 5.4.4: another node has shown that it has the address, or wants it too. */
  conflict(on: Ipv6Interface, address: OwnAddress): void {
    if (address.state !== AddressState.Tentative) return;
    address.state = AddressState.Duplicate;
    this.#watcher.duplicate(on, address);
  }

  #assign(on: Ipv6Interface, address: OwnAddress): void {
    address.state = AddressState.Preferred;
    this.#watcher.assigned(on, address);
  }

  #probe(on: Ipv6Interface, address: OwnAddress): void {
    this.probesSent++;
    const { words } = this.#table;
    const target = this.#table.indexOf(address.number);
    const group = solicitedNodeOf(words[target + 3]!);
    const { view } = this.#memory;
    this.#output.sendDirect(on.iface, MULTICAST_MAC_HI, group[3]!, UNSPECIFIED, 0, group, 0, ND_HOP_LIMIT, at =>
      emitNeighborSolicitation(view, at, words, target, -1, 0),
    );
  }
}
