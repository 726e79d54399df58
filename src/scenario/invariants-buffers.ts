/**
 * Every NET_BUFFER has exactly one owner (§8.2 of the digest, invariant 2): what the ledgers of the checkers say is out is
 * lent by its pool, what a device has in its send queues is in the ledger, and what waits in an out-of-order queue is in no
 * other, whoever has the connection.
 */
import { AssertionError } from '../base/assert.ts';
import { type BufferLedger, Custody } from '../intermediate-driver/diagnostics/buffer-ledger.ts';
import type { BufferPool } from '../memory/buffer-pool.ts';
import { NetBuffer } from '../memory/net-buffer.ts';
import type { Simulation } from '../simulation.ts';
import type { Tcb } from '../tcp/tcb.ts';

/** `oooCount` has a byte. */
const QUEUE_MAX = 255;

export class BufferWatch {
  /** Buffers looked at. */
  checked = 0;
  readonly #sim: Simulation;
  readonly #receivePools: readonly BufferPool[];
  readonly #txPools: readonly BufferPool[];
  readonly #sendPools: readonly BufferPool[];
  readonly #ledgers: ReadonlySet<BufferLedger>;
  readonly #buffer;
  /** Buffers of the out-of-order queues that were looked at in this round. */
  readonly #queued = new Set<number>();

  constructor(sim: Simulation) {
    this.#sim = sim;
    this.#receivePools = sim.nics.map(({ firmware }) => firmware.pool);
    this.#txPools = sim.hosts.map(({ host }) => host.tx);
    this.#sendPools = sim.hosts.flatMap(({ host }) => [host.sendDescriptors, host.copies]);
    this.#ledgers = new Set(sim.checkers.map(({ ledger }) => ledger));
    this.#buffer = NetBuffer.view(sim.memory);
  }

  check(): void {
    this.#queued.clear();
    for (const ledger of this.#ledgers) {
      for (const [buffer, { owner, custody }] of ledger.outstanding()) {
        this.checked++;
        if (custody === Custody.Receive) continue;
        if (custody === Custody.Frame) this.#lent(this.#txPools, buffer, owner.name, custody);
        else if (custody === Custody.Send || custody === Custody.Disconnect) {
          this.#lent(this.#sendPools, buffer, owner.name, custody);
        } else this.#lent(this.#receivePools, buffer, owner.name, custody);
      }
    }
  }

  /** A buffer of a device's send queue came down through its adapter, and was not answered. */
  onDevice(nic: number, buffer: number): void {
    const ledger = this.#sim.checkers[nic]?.ledger;
    if (ledger === undefined) return;
    const custody = ledger.get(buffer)?.custody;
    if (custody === Custody.Send || custody === Custody.Disconnect) return;
    const { name } = this.#sim.nics[nic]!.boot.config;
    throw new AssertionError(
      `${name} has buffer ${buffer} in a send queue; it is in ${custody ?? 'no call'} (invariant 2)`,
    );
  }

  /** A buffer of the host's own send queue is in no call. */
  onHost(buffer: number): void {
    for (const { ledger } of this.#sim.checkers) {
      const holding = ledger.get(buffer);
      if (holding === undefined || holding.owner.isDead()) continue;
      throw new AssertionError(
        `the host has buffer ${buffer} in a send queue; it is in ${holding.custody} (invariant 2)`,
      );
    }
  }

  /** The out-of-order queue of a connection whose state is at `where`. */
  queue(tcb: Tcb, where: string): void {
    let count = 0;
    for (let at = tcb.oooHead; at !== 0 && count <= QUEUE_MAX; at = this.#buffer.at(at).next) {
      count++;
      if (!this.#receivePools.some(pool => pool.isLent(at))) {
        throw new AssertionError(`${where}: out-of-order buffer ${at} is free in its pool (invariant 2)`);
      }
      if (this.#queued.has(at)) throw new AssertionError(`${where}: buffer ${at} is in two queues (invariant 2)`);
      this.#queued.add(at);
    }
    if (count !== tcb.oooCount) {
      throw new AssertionError(`${where}: ${count} buffers in a queue of ${tcb.oooCount} (invariant 2)`);
    }
  }

  #lent(pools: readonly BufferPool[], buffer: number, adapter: string, custody: Custody): void {
    if (pools.some(pool => pool.isLent(buffer))) return;
    throw new AssertionError(`${adapter}: buffer ${buffer} is in ${custody}, and free in its pool (invariant 2)`);
  }
}
