/**
 * IPv4 address conflicts (RFC 5227): addresses are asked for before they are used, if the interface is to do that, announced,
 * and defended against whoever claims them later, at a rate that makes no storm of two stubborn hosts.
 *
 *   ├─ 0–1 s ─┤ probe ├─ 1–2 s ─┤ probe ├─ 1–2 s ─┤ probe ├── 2 s ──┤ announce ├── 2 s ──┤ announce
 *
 * An address that is assigned is never given up (RFC 5227 2.4 (c)): connections live on it. The administrator hears of it.
 */
import type { EventLog } from '../base/event-log.ts';
import type { Prng } from '../base/prng.ts';
import type { ArpPacket } from '../wire/arp.ts';
import { formatIpv4 } from '../wire/ipv4-text.ts';
import type { Interface } from './interface.ts';
import { AddressState, type Ipv4Address } from './ipv4-address.ts';

/** RFC 5227 1.1. */
const PROBE_WAIT_TICKS = 1000;
const PROBES = 3;
const PROBE_MIN_TICKS = 1000;
const PROBE_MAX_TICKS = 2000;
const ANNOUNCE_WAIT_TICKS = 2000;
const ANNOUNCEMENTS = 2;
const ANNOUNCE_INTERVAL_TICKS = 2000;
const RATE_LIMIT_TICKS = 60_000;
const DEFEND_INTERVAL_TICKS = 10_000;

/** The part of ARP that speaks of our own addresses. */
export interface AddressSpeaker {
  /** "Does anybody use this address?" */
  probeAddress(iface: Interface, address: number): void;
  /** "This address is mine, and lives here." */
  announceAddress(iface: Interface, address: number): void;
}

export class AddressConflicts {
  readonly #arp: AddressSpeaker;
  readonly #prng: Prng;
  readonly #log: EventLog;
  /** Addresses for which something is due at some time. */
  readonly #waiting = new Map<Ipv4Address, Interface>();
  now = 0;
  conflicts = 0;
  defenses = 0;

  constructor(arp: AddressSpeaker, prng: Prng, log: EventLog) {
    this.#arp = arp;
    this.#prng = prng;
    this.#log = log;
  }

  /** The address is not to be used before nobody was found to have it. */
  begin(iface: Interface, own: Ipv4Address): void {
    own.state = AddressState.Tentative;
    own.probesLeft = PROBES;
    own.nextAt = (this.now + this.#prng.below(PROBE_WAIT_TICKS)) | 0;
    this.#waiting.set(own, iface);
  }

  /** An ARP packet of somebody else's. */
  heard(iface: Interface, arp: ArpPacket): void {
    for (const own of iface.ipv4) {
      if (arp.senderAddress === own.address) this.#claimed(iface, own, arp);
      // RFC 5227 2.1.1: a probe for what we probe: two hosts were given the same address at the same time.
      else if (arp.senderAddress === 0 && arp.targetAddress === own.address && own.state === AddressState.Tentative) {
        this.#claimed(iface, own, arp);
      }
    }
  }

  #claimed(iface: Interface, own: Ipv4Address, arp: ArpPacket): void {
    if (own.state === AddressState.Taken) return;
    own.conflicts++;
    this.conflicts++;
    if (own.state === AddressState.Tentative) {
      own.state = AddressState.Taken;
      own.nextAt = (this.now + RATE_LIMIT_TICKS) | 0;
      this.#waiting.set(own, iface);
      this.#tell(iface, own, arp, 'not used');
      return;
    }
    if (own.conflicts > 1 && ((this.now - own.defendedAt) | 0) < DEFEND_INTERVAL_TICKS) return;
    own.defendedAt = this.now;
    this.defenses++;
    this.#arp.announceAddress(iface, own.address);
    this.#tell(iface, own, arp, 'defended');
  }

  #tell(iface: Interface, own: Ipv4Address, arp: ArpPacket, what: string): void {
    const hex = (value: number, bytes: number): string => (value >>> 0).toString(16).padStart(2 * bytes, '0');
    const mac = `${hex(arp.senderMacHi, 2)}${hex(arp.senderMacLo, 4)}`.replace(/..(?!$)/g, '$&:');
    const text = `${formatIpv4(own.address)} is claimed by ${mac}; ${what}`;
    this.#log.emit('address-conflict', iface.adapter.name, text);
  }

  /** Sends what is due, and takes addresses that nobody has spoken up for; returns how much there was. */
  expire(): number {
    let due = 0;
    for (const [own, iface] of this.#waiting) {
      if (((own.nextAt - this.now) | 0) > 0) continue;
      due++;
      this.#advance(iface, own);
    }
    return due;
  }

  #advance(iface: Interface, own: Ipv4Address): void {
    if (own.state === AddressState.Taken) {
      this.begin(iface, own);
    } else if (own.probesLeft > 0) {
      own.probesLeft--;
      this.#arp.probeAddress(iface, own.address);
      const wait = PROBE_MIN_TICKS + this.#prng.below(PROBE_MAX_TICKS - PROBE_MIN_TICKS + 1);
      own.nextAt = (this.now + (own.probesLeft > 0 ? wait : ANNOUNCE_WAIT_TICKS)) | 0;
    } else {
      if (own.state === AddressState.Tentative) {
        own.state = AddressState.Assigned;
        own.announcementsLeft = ANNOUNCEMENTS;
      }
      own.announcementsLeft--;
      this.#arp.announceAddress(iface, own.address);
      own.nextAt = (this.now + ANNOUNCE_INTERVAL_TICKS) | 0;
      if (own.announcementsLeft === 0) this.#waiting.delete(own);
    }
  }

  /** Ticks until `expire` has something to do, -1 for never. */
  ticksUntilNext(): number {
    let least = -1;
    for (const own of this.#waiting.keys()) {
      const ticks = Math.max(0, (own.nextAt - this.now) | 0);
      if (least < 0 || ticks < least) least = ticks;
    }
    return least;
  }
}
