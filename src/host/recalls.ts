/**
 * Taking back what depends on an object: after an update that the device refused (C11), an invalidation that it could not
 * do, a next hop that it has no room for. Rare, so that a look at every connection is cheap enough.
 */
import { OffloadState } from '../offload/offload-state.ts';
import type { Chimney } from './chimney.ts';
import type { Adapter } from './ndis.ts';
import type { Neighbor } from './neighbor.ts';
import type { Path } from './path.ts';
import type { TliSwitch } from './tli.ts';
import type { Transport } from './transport.ts';

export class Recalls {
  readonly #chimney: Chimney;
  readonly #tli: TliSwitch;
  readonly #transport: Transport;

  constructor(chimney: Chimney, tli: TliSwitch, transport: Transport) {
    this.#chimney = chimney;
    this.#tli = tli;
    this.#transport = transport;
  }

  connection(slot: number): void {
    this.#chimney.takeBack(this.#tli.connections.at(slot));
  }

  path(path: Path): void {
    this.#recall(each => each === path);
    this.orphaned(path.iface.adapter);
  }

  neighbor(neighbor: Neighbor): void {
    this.#recall(each => each.linked === neighbor);
    this.orphaned(neighbor.iface.adapter);
  }

  /** Paths or neighbors of the adapter may have lost their last dependent: they are terminated by themselves (C03). */
  orphaned(adapter: Adapter): void {
    this.#chimney.orphansMayBe(adapter);
  }

  /** The adapter takes no new objects at the moment. */
  isPaused(adapter: Adapter): boolean {
    return this.#chimney.isPaused(adapter);
  }

  #recall(isMeant: (path: Path) => boolean): void {
    const { table } = this.#transport;
    for (let slot = 0; slot < table.capacity; slot++) {
      if (!table.isLive(slot)) continue;
      const tcb = this.#transport.at(slot);
      if (tcb.offloadState === OffloadState.Offloaded && isMeant(this.#transport.pathOf(tcb))) this.connection(slot);
    }
  }
}
