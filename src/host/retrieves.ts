/**
 * Requests of devices to end the offload of a connection (702 and 704 of Figure 7), and the host's answer.
 *
 * For a mandatory reason the device has stopped, and the answer is yes. An optional one the policy may ignore; then
 * everything goes on as before (digest §3.8, D03). An offload that the administrator directed is ended too, and told (R24).
 * All are counted by reason and answer; the log gets the first of each kind and then one whenever their number has
 * doubled: an idea of what devices do, however much they ask.
 */
import type { EventLog } from '../base/event-log.ts';
import { isMandatory, uploadReasonName } from '../offload/events.ts';
import { OffloadState } from '../offload/offload-state.ts';
import type { TliConnection } from './connection.ts';
import { Directive, type Directives } from './directives.ts';
import type { OffloadPolicy } from './policy/offload-policy.ts';
import type { TliSwitch } from './tli.ts';
import type { TransportOffload } from './transport-offload.ts';

/** For reasons of the interface (1 to 11), and one for whatever else a device says. */
const REASONS = 12;

export class Retrieves {
  readonly #tli: TliSwitch;
  readonly #offload: TransportOffload;
  readonly #directives: Directives;
  readonly #log: EventLog;
  readonly granted = new Uint32Array(REASONS);
  readonly ignored = new Uint32Array(REASONS);
  /** For connections that are on their way back already, or back (D01, D02). */
  repeated = 0;

  constructor(tli: TliSwitch, offload: TransportOffload, directives: Directives, log: EventLog) {
    this.#tli = tli;
    this.#offload = offload;
    this.#directives = directives;
    this.#log = log;
  }

  /** Whether the connection is to be taken back now. */
  asked(connection: TliConnection, reason: number, policy: OffloadPolicy): boolean {
    const { slot } = connection;
    const state = this.#tli.stateOf(connection);
    const mandatory = isMandatory(reason);
    const isThere = state === OffloadState.Offloaded || (mandatory && state === OffloadState.Offloading);
    const isKnown = connection.listed || this.#offload.isUploadDue(slot);
    // A completion may be behind: then the connection is taken back when it has arrived.
    if (isThere && mandatory) this.#offload.setUploadDue(slot);
    if (!isThere || isKnown) {
      this.repeated++;
      return false;
    }
    const isDirected = this.#directives.of(connection) === Directive.Offload;
    const isGranted = mandatory || isDirected || (policy.grants?.(connection, reason) ?? true);
    this.#note(connection, reason, isGranted);
    if (isGranted && isDirected && connection.handler !== null) this.#endDirected(connection, reason);
    return isGranted;
  }

  #endDirected(connection: TliConnection, reason: number): void {
    this.#directives.end(connection);
    const text = `${nameOf(connection)}: ${uploadReasonName(reason)}`;
    this.#log.emit('directed-offload-ended', this.#tli.adapterOf(connection).name, text);
  }

  #note(connection: TliConnection, reason: number, isGranted: boolean): void {
    const counts = isGranted ? this.granted : this.ignored;
    const count = ++counts[reason > 0 && reason < REASONS ? reason : 0]!;
    if ((count & (count - 1)) !== 0) return;
    const answer = isGranted ? 'granted' : 'ignored';
    const text = `${uploadReasonName(reason)} ${answer}, ${nameOf(connection)}, number ${count}`;
    this.#log.emit('retrieve', this.#tli.adapterOf(connection).name, text);
  }
}

/** The peer's end, as the administrator's log names connections. */
export function nameOf({ addresses, remoteAddress, remotePort, localPort }: TliConnection): string {
  return `${addresses.format(remoteAddress)}:${remotePort} at port ${localPort}`;
}
