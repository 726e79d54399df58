/**
 * A look at a connection's variables wherever they are: in the host's table or in the NIC's, as a debugger has it. Socket
 * calls that ask for them (TCP_INFO, SIOCOUTQ, room in the send buffer) take no time and change nothing.
 */
import { handleSlot } from '../base/handle.ts';
import type { TliConnection } from '../host/connection.ts';
import { OffloadState } from '../offload/offload-state.ts';
import { type Tcb, TcbLayout } from '../tcp/tcb.ts';
import type { DrillMachine } from './machine.ts';

export class TcbView {
  readonly #machine: DrillMachine;
  readonly #tcb: Tcb;

  constructor(machine: DrillMachine) {
    this.#machine = machine;
    this.#tcb = TcbLayout.view(machine.sim.memory);
  }

  /** The cursor is valid until the next call. */
  of(connection: TliConnection): Tcb {
    return this.ofSlot(connection.slot);
  }

  /** The same of a slot of the host's table that is in use. */
  ofSlot(slot: number): Tcb {
    const { table } = this.#machine.host.transport;
    const tcb = this.#tcb.at(table.addressOf(slot));
    if (tcb.offloadState !== OffloadState.Offloaded) return tcb;
    const { firmware } = this.#machine.sim.nics[0]!;
    return this.#tcb.at(firmware.table.addressOf(handleSlot(tcb.offloadHandle)));
  }
}
