/**
 * Options that were set on a socket: kept for the connection that it will have, and given to the one that it has.
 * Times are milliseconds.
 */
import type { TliConnection } from '../host/connection.ts';

export interface KeepAliveOptions {
  readonly enabled: boolean;
  /** Until the first probe, in between, and how many: 0 leaves each as it is. */
  readonly initialDelay: number;
  readonly interval: number;
  readonly probes: number;
}

export class StoredOptions {
  noDelay: boolean | null = null;
  keepAlive: KeepAliveOptions | null = null;
  userTimeout: number | null = null;

  applyTo(connection: TliConnection): void {
    this.applyNoDelay(connection);
    this.applyKeepAlive(connection);
    this.applyUserTimeout(connection);
  }

  applyNoDelay(connection: TliConnection): void {
    if (this.noDelay !== null) connection.setNoDelay(this.noDelay);
  }

  applyKeepAlive(connection: TliConnection): void {
    if (this.keepAlive === null) return;
    const { enabled, initialDelay, interval, probes } = this.keepAlive;
    connection.setKeepAliveProbes(wholeSeconds(interval), probes);
    connection.setKeepAlive(enabled, wholeSeconds(initialDelay));
  }

  applyUserTimeout(connection: TliConnection): void {
    if (this.userTimeout !== null) connection.setMaxRetransmissionTime(this.userTimeout);
  }
}

/** As in Node. */
function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
