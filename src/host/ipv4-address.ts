/**
 * An IPv4 address of an interface. An interface may have several, of one subnet or of many (RFC 1122 3.3.4): each is the
 * source of what goes to its own subnet, and through gateways on it.
 *
 *   Tentative ── nobody has it ──► Assigned ── somebody else says it is his: defended, and told
 *       └───── somebody has it ──► Taken ── a minute later ──► Tentative
 *
 * Who changes the state: address-conflicts.ts.
 */
import { prefixMask } from '../wire/ipv4.ts';

export const AddressState = { Tentative: 0, Assigned: 1, Taken: 2 } as const;
export type AddressState = (typeof AddressState)[keyof typeof AddressState];

export class Ipv4Address {
  readonly address: number;
  readonly mask: number;
  state: AddressState = AddressState.Assigned;
  /** RFC 5227: probes and announcements still to be sent, and when the next thing is due. */
  probesLeft = 0;
  announcementsLeft = 0;
  nextAt = 0;
  /** Others that claimed it, and the tick of the last time it was defended. */
  conflicts = 0;
  defendedAt = 0;

  constructor(address: number, prefixLength: number) {
    this.address = address;
    this.mask = prefixMask(prefixLength);
  }

  get isAssigned(): boolean {
    return this.state === AddressState.Assigned;
  }

  /** Directed broadcast address of its subnet. RFC 3021: a link of two hosts has none. */
  get broadcast(): number {
    return this.mask >>> 0 >= 0xffff_fffe ? -1 : this.address | ~this.mask;
  }

  isLocal(address: number): boolean {
    return ((address ^ this.address) & this.mask) === 0;
  }
}
