/**
 * What sockets need of the host that they live on. The machine implements it over its poll loop and Node's timers, the
 * simulation over virtual time; nothing else in this folder knows which.
 */
import type { Interface } from '../host/interface.ts';
import type { TliSwitch } from '../host/tli.ts';

/** A running timer, unreferenced. A `Timeout` of Node's is one. */
export interface NetTimer {
  /** Starts it anew. */
  refresh(): unknown;
  /** Stops it. */
  close(): unknown;
}

export interface NetHost {
  readonly tli: TliSwitch;
  /** The addresses of the host's interfaces: IPv4 as int32, IPv6 by its number in `tli.addresses`. */
  addresses(): readonly number[];
  /** The interface with this name, which is its adapter's: the zone of a link-local address (RFC 4007 11). */
  zone(name: string): Interface | undefined;
  /** Called before calls into `tli` from outside of a step: sets the host's time (Host.setTime). */
  enter(): void;
  /** Called after such calls: work may be queued, the host is to be stepped soon. */
  wake(): void;
  /** Whether open sockets or listening servers want Node's event loop to stay alive. */
  keepAlive(wanted: boolean): void;
  startTimer(ms: number, callback: () => void): NetTimer;
}
