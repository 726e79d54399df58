/**
 * Only the active member of a team talks, once the one before it has been emptied (R36).
 * ARP is nobody's in particular: a member that has come back says where it is.
 */
import { AssertionError } from '../base/assert.ts';
import type { FrameTap } from '../fabric/capture.ts';
import type { Simulation } from '../simulation.ts';
import { EtherType } from '../wire/ethernet.ts';
import { etherTypeAt } from '../wire/vlan.ts';

/** What a member had in rings and lines when it ceased to be active has left by then, even if its firmware hung. */
const SILENCE_AFTER_US = 300_000;

export class SilenceWatch implements FrameTap {
  readonly #sim: Simulation;
  /** When each NIC last sent anything but ARP. */
  readonly #lastUs: number[];
  #failovers = 0;
  #quietSinceUs = 0;

  constructor(sim: Simulation, nics: number) {
    this.#sim = sim;
    this.#lastUs = Array.from({ length: nics }, () => 0);
  }

  frame(interfaceId: number, nowUs: number, frameAt: number, length: number, outbound: boolean): void {
    if (!outbound) return;
    const { view } = this.#sim.memory;
    const typeAt = etherTypeAt(view, frameAt, frameAt + length);
    if (typeAt < 0 || view.getUint16(typeAt) !== EtherType.Arp) this.#lastUs[interfaceId] = nowUs;
  }

  check(): void {
    const { team } = this.#sim.host;
    if (team === null) return;
    if (team.failovers.length !== this.#failovers || team.isFailingOver) {
      this.#failovers = team.failovers.length;
      this.#quietSinceUs = this.#sim.clock.nowUs();
    }
    team.members.forEach((member, index) => {
      if (member === team.active || this.#lastUs[index]! <= this.#quietSinceUs + SILENCE_AFTER_US) return;
      throw new AssertionError(`${member.name} is not active and sends: ${index}`);
    });
  }
}
