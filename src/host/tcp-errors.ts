/**
 * Reports of the network about TCP segments of this host (RFC 5927), and paths whose MTU has changed (RFC 1191, RFC 8201).
 *
 * A report is believed if it quotes what is in flight. Of a connection on a device that is the device's to know: it has
 * looked before it handed the report up (device/icmp-filter.ts), if it could; what hides from it is not believed. Errors of connections that are established are soft: each
 * is kept until something gets through, and is the reason if nothing does.
 */
import { OffloadState } from '../offload/offload-state.ts';
import { CloseReason } from '../tcp/effects.ts';
import { hasTextOnSyn, isEarly } from '../tcp/fast-open.ts';
import { endsOpening, quotesInFlight } from '../tcp/icmp-error.ts';
import { sizeForPath } from '../tcp/mtu-probe.ts';
import { segmentSizeChanged } from '../tcp/path-change.ts';
import { type Tcb, TcpCachedFlag, TcpState } from '../tcp/tcb.ts';
import type { Interface } from './interface.ts';
import type { Network, NetworkErrors } from './network.ts';
import { NetworkError } from './network-error.ts';
import type { Path } from './path.ts';
import type { Transport } from './transport.ts';

export class TcpErrors implements NetworkErrors {
  readonly #transport: Transport;
  readonly #network: Network;
  /** The last error of a slot: which, of whose, and what was in flight when it came. */
  readonly #error: Uint8Array;
  readonly #handle: Int32Array;
  readonly #una: Int32Array;
  /** Reports about no connection, and about nothing in flight. */
  unknown = 0;
  outOfWindow = 0;

  constructor(transport: Transport, network: Network) {
    const { capacity } = transport.table;
    this.#transport = transport;
    this.#network = network;
    this.#error = new Uint8Array(capacity);
    this.#handle = new Int32Array(capacity);
    this.#una = new Int32Array(capacity);
  }

  reported(
    iface: Interface,
    local: number,
    remote: number,
    ports: number,
    seq: number,
    error: NetworkError,
    mtu: number,
    isPlain: boolean,
  ): void {
    const transport = this.#transport;
    const { table } = transport;
    const slot = table.lookup(remote, ports & 0xffff, local, ports >>> 16, iface.index);
    if (slot < 0) {
      this.unknown++;
      return;
    }
    const tcb = transport.at(slot);
    const isBelieved = tcb.offloadState === OffloadState.InHost ? quotesInFlight(tcb, seq) : isPlain;
    if (!isBelieved) {
      this.outOfWindow++;
      return;
    }
    if (error === NetworkError.MessageTooBig) {
      const path = transport.pathOf(tcb);
      if (this.#network.paths.tooBig(path, mtu)) this.pathMtuChanged(path);
      return;
    }
    this.#note(tcb, slot, error);
  }

  /** Hard while connecting, soft afterwards, and once the user has accepted what Fast Open has opened (as Linux). */
  #note(tcb: Tcb, slot: number, error: NetworkError): void {
    const transport = this.#transport;
    this.#error[slot] = error;
    this.#handle[slot] = transport.table.handleOf(slot);
    this.#una[slot] = tcb.sndUna;
    if (tcb.offloadState !== OffloadState.InHost) return;
    if (isEarly(tcb) && transport.listeners.of(slot) === null) return;
    const before = tcb.state;
    if (endsOpening(tcb, CloseReason.Unreachable, transport)) transport.counters.ran(before, tcb.state);
  }

  /** What keeps the connection from getting through, or did in the end. */
  errorOf(slot: number): NetworkError {
    const { table } = this.#transport;
    if (this.#handle[slot] !== table.handleOf(slot)) return NetworkError.None;
    // Something has got through since then.
    if (this.#transport.at(slot).sndUna !== this.#una[slot]) return NetworkError.None;
    return this.#error[slot] as NetworkError;
  }

  /**
   * Every connection of the path sends segments of the new size; those on a device hear of it by the path's update (B06). One
   * whose datagrams routers may cut (IP_PMTUDISC_DONT) has no use for it.
   */
  pathMtuChanged(path: Path): void {
    const transport = this.#transport;
    const { table, now } = transport;
    for (let slot = 0; slot < table.capacity; slot++) {
      if (!table.isLive(slot)) continue;
      const tcb = transport.at(slot);
      if (tcb.path !== path.index) continue;
      if (hasTextOnSyn(tcb)) transport.connectionPathChanged(slot);
      if (tcb.state < TcpState.Established) continue;
      if ((tcb.cachedFlags & TcpCachedFlag.MayFragment) !== 0) continue;
      const mss = sizeForPath(tcb, path.mtu);
      if (tcb.offloadState === OffloadState.InHost) segmentSizeChanged(tcb, mss, now, transport);
      else tcb.effectiveMss = mss;
    }
  }

  /** RFC 1122 2.3.2.1: nobody answers at the next hop's address, which is as if a router had said that the host is unreachable. */
  pathFailed(path: Path): void {
    const transport = this.#transport;
    const { table } = transport;
    for (let slot = 0; slot < table.capacity; slot++) {
      if (!table.isLive(slot)) continue;
      const tcb = transport.at(slot);
      if (tcb.path === path.index && tcb.state !== TcpState.Closed) this.#note(tcb, slot, NetworkError.HostUnreachable);
    }
  }
}
