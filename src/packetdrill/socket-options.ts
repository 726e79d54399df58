/**
 * Socket options: what was set, what a getsockopt says of it, and what it does to a connection — at once, or when there is
 * one. Accepted sockets have their listener's.
 */
import type { TliConnection } from '../host/connection.ts';
import type { ListenOptions } from '../host/listeners.ts';
import type { OpenOptions } from '../host/open-options.ts';
import { CongestionControl } from '../tcp/tcb.ts';

const MS = 1000;

export class SocketOptions {
  /** By `level:name`, as numbers; those that nobody has set have their defaults elsewhere. */
  readonly #values = new Map<string, number>();
  lingerOn = false;
  lingerSeconds = 0;
  /** '' for the host's own. */
  congestionControl = '';
  /** TCP_FASTOPEN_KEY: four words, or none. */
  fastOpenKey: readonly number[] = [];

  get(level: number, name: number): number | undefined {
    return this.#values.get(`${level}:${name}`);
  }

  set(level: number, name: number, value: number): void {
    this.#values.set(`${level}:${name}`, value);
  }

  inherit(from: SocketOptions): void {
    for (const [key, value] of from.#values) this.#values.set(key, value);
    this.lingerOn = from.lingerOn;
    this.lingerSeconds = from.lingerSeconds;
    this.congestionControl = from.congestionControl;
  }

  /** What a SYN says already, of connections to be. */
  get forOpening(): OpenOptions {
    return { mss: this.#values.get(TCP_MAXSEG) };
  }

  get forListening(): OpenOptions & Pick<ListenOptions, 'fastOpenMax' | 'fastOpenKey'> {
    const { fastOpenKey } = this;
    return {
      ...this.forOpening,
      fastOpenMax: this.#values.get(TCP_FASTOPEN) ?? 0,
      fastOpenKey: fastOpenKey.length === 0 ? undefined : fastOpenKey,
    };
  }

  get forConnecting(): OpenOptions {
    return { ...this.forOpening, synRetransmissionsMax: this.#values.get(TCP_SYNCNT) };
  }

  /** A new connection gets what was set before. */
  applyTo(connection: TliConnection): void {
    for (const [key, apply] of Object.entries(EFFECTS)) {
      const value = this.#values.get(key);
      if (value !== undefined) apply(connection, value, this);
    }
    if (this.congestionControl !== '') applyCongestionControl(connection, this.congestionControl);
  }

  /** What was just set does its work. */
  apply(level: number, name: number, connection: TliConnection): void {
    const key = `${level}:${name}`;
    EFFECTS[key]?.(connection, this.#values.get(key)!, this);
  }
}

export function applyCongestionControl(connection: TliConnection, name: string): boolean {
  return connection.setCongestionControl(name === 'cubic' ? CongestionControl.Cubic : CongestionControl.NewReno);
}

const SO_RCVBUF = '1:8';
const SO_KEEPALIVE = '1:9';
const TCP_NODELAY = '6:1';
const TCP_MAXSEG = '6:2';
const TCP_CORK = '6:3';
const TCP_KEEPIDLE = '6:4';
const TCP_KEEPINTVL = '6:5';
const TCP_KEEPCNT = '6:6';
const TCP_SYNCNT = '6:7';
const TCP_FASTOPEN = '6:23';
const TCP_USER_TIMEOUT = '6:18';
const TCP_QUICKACK = '6:12';
const IP_TOS = '0:1';
const IP_TTL = '0:2';
const IP_MTU_DISCOVER = '0:10';
const IPV6_UNICAST_HOPS = '41:16';
const IPV6_TCLASS = '41:67';

const DEFAULT_TTL = 64;

/** By `level:name`; the others change nothing below the socket. */
const EFFECTS: Readonly<Record<string, (c: TliConnection, value: number, all: SocketOptions) => void>> = {
  [TCP_NODELAY]: (c, value) => c.setNoDelay(value !== 0),
  [TCP_CORK]: (c, value) => c.setCork(value !== 0),
  // The kernel doubles what it is given, and gives half of that to payload.
  [SO_RCVBUF]: (c, value) => c.setReceiveBuffer(value >> 1),
  [SO_KEEPALIVE]: (c, value, all) => c.setKeepAlive(value !== 0, (all.get(6, 4) ?? 0) * MS),
  [TCP_KEEPIDLE]: (c, value, all) => c.setKeepAlive((all.get(1, 9) ?? 0) !== 0, value * MS),
  [TCP_KEEPINTVL]: (c, value) => c.setKeepAliveProbes(value * MS, 0),
  [TCP_KEEPCNT]: (c, value) => c.setKeepAliveProbes(0, value),
  [TCP_SYNCNT]: (c, value) => c.setSynRetransmissions(value),
  // RFC 5482: milliseconds that what was sent may go unacknowledged.
  [TCP_USER_TIMEOUT]: (c, value) => c.setMaxRetransmissionTime(value),
  [TCP_QUICKACK]: (c, value) => c.setQuickAck(value !== 0),
  [IP_TOS]: (c, value, all) => c.setIpOptions(all.get(0, 2) ?? DEFAULT_TTL, value),
  [IP_TTL]: (c, value, all) => c.setIpOptions(value, all.get(0, 1) ?? 0),
  // IP_PMTUDISC_DONT is 0.
  [IP_MTU_DISCOVER]: (c, value) => c.setMayFragment(value === 0),
  [IPV6_TCLASS]: (c, value, all) => c.setIpOptions(all.get(41, 16) ?? DEFAULT_TTL, value),
  [IPV6_UNICAST_HOPS]: (c, value, all) => c.setIpOptions(value, all.get(41, 67) ?? 0),
};
