/**
 * One end of UDP at this host (RFC 768): what it is bound and connected to, its options, and what has come for it and was
 * not taken yet. Nothing here sends or looks for anything: udp.ts does.
 *
 * The bytes of a datagram are copied once, into memory that becomes the application's; how much may wait is limited.
 */
import { isIpv6 } from '../wire/address-table.ts';
import type { Interface } from './interface.ts';
import type { NetworkError } from './network-error.ts';

/** Linux's net.core.rmem_default. */
const RECEIVE_BUFFER = 212_992;
/** What a datagram takes besides its bytes, about as in Linux: without it empty ones could wait without end. */
const OVERHEAD = 768;
/** Errors that may wait: whoever does not look at them gets no more. */
const ERRORS_MAX = 16;
const TTL = 64;

/** Whether datagrams may be cut (RFC 1191); as Linux has it, the numbers too. */
export const PathMtuDiscovery = {
  /** On the way, by any router. */
  Dont: 0,
  /** Here, if they are larger than the path takes, and nowhere else. */
  Want: 1,
  /** Nowhere: larger ones are refused. */
  Do: 2,
} as const;
export type PathMtuDiscovery = (typeof PathMtuDiscovery)[keyof typeof PathMtuDiscovery];

/** Who has the socket. */
export interface UdpOwner {
  /** During a step of the host: there is something to take, a datagram or an error. */
  ready(): void;
}

export interface Datagram {
  readonly bytes: Buffer;
  /** Whoever takes the datagram releases it (address-table.ts). */
  readonly address: number;
  readonly port: number;
  /** Where it came in. */
  readonly iface: Interface;
}

/** What the network said of a datagram to this address, which is to be released as well. */
export interface UdpError {
  readonly error: NetworkError;
  /** Of the ICMP message, of either family; MessageTooBig: the MTU that it named. */
  readonly type: number;
  readonly code: number;
  readonly mtu: number;
  readonly address: number;
  readonly port: number;
}

export class UdpSocket {
  readonly owner: UdpOwner;
  /** 4, 6, or 0 for both. */
  readonly version: 0 | 4 | 6;
  /** What `bind` was told; 0: any address. */
  boundAddress = 0;
  /** The address of ours: `boundAddress`, or that which the connection uses. */
  localAddress = 0;
  /** 0: it is not bound. */
  localPort = 0;
  /** Others may have the port too. */
  reuse = false;
  /** 0: it is not connected. */
  remotePort = 0;
  remoteAddress = 0;
  /** The link that the remote address is on, if it has to be said. */
  remoteIface: Interface | null = null;
  ttl = TTL;
  /** The administrator's choice is `ttl`; else routers say how far packets of IPv6 go. */
  hasTtl = false;
  tos = 0;
  /** It may send to broadcast addresses (RFC 1122 3.3.6). */
  broadcast = false;
  pathMtuDiscovery: PathMtuDiscovery = PathMtuDiscovery.Want;
  /** It hears of all errors, those of which one cannot know how lasting they are too, connected or not. */
  reportsAllErrors = false;
  receiveBuffer = RECEIVE_BUFFER;
  isClosed = false;
  /** Datagrams for which there was no room. */
  dropped = 0;
  readonly #datagrams: Datagram[] = [];
  readonly #errors: UdpError[] = [];
  #waitingBytes = 0;

  constructor(owner: UdpOwner, version: 0 | 4 | 6) {
    this.owner = owner;
    this.version = version;
  }

  get isConnected(): boolean {
    return this.remotePort !== 0;
  }

  /** Does it speak the IP version of this address? */
  speaks(address: number): boolean {
    return this.version === 0 || this.version === (isIpv6(address) ? 6 : 4);
  }

  /** How well it fits a datagram from there to here, -1: not at all. The more is said, the better. */
  fitness(local: number, remote: number, remotePort: number): number {
    if (!this.speaks(remote)) return -1;
    let fitness = this.version === 0 ? 0 : 1;
    if (this.localAddress !== 0) {
      if (this.localAddress !== local) return -1;
      fitness += 2;
    }
    if (this.remotePort !== 0) {
      if (this.remotePort !== remotePort || this.remoteAddress !== remote) return -1;
      fitness += 4;
    }
    return fitness;
  }

  get unread(): number {
    return this.#datagrams.length;
  }

  get errorCount(): number {
    return this.#errors.length;
  }

  /** Is there room for a datagram of so many bytes? One always has, if nothing waits. */
  hasRoomFor(length: number): boolean {
    return this.#datagrams.length === 0 || this.#waitingBytes + length + OVERHEAD <= this.receiveBuffer;
  }

  put(datagram: Datagram): void {
    this.#datagrams.push(datagram);
    this.#waitingBytes += datagram.bytes.length + OVERHEAD;
    this.owner.ready();
  }

  /** The oldest; the caller releases its address. */
  take(): Datagram | undefined {
    const datagram = this.#datagrams.shift();
    if (datagram !== undefined) this.#waitingBytes -= datagram.bytes.length + OVERHEAD;
    return datagram;
  }

  /** False: too many wait already. */
  putError(error: UdpError): boolean {
    if (this.#errors.length >= ERRORS_MAX) return false;
    this.#errors.push(error);
    this.owner.ready();
    return true;
  }

  takeError(): UdpError | undefined {
    return this.#errors.shift();
  }
}
