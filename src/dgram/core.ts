/**
 * What all sockets of UDP of one host share: the way into its UDP, and the count of those that keep the event loop alive.
 * As net/core.ts for connections; each counts for itself.
 */
import type { Interface } from '../host/interface.ts';
import type { HostUdp } from '../host/udp.ts';
import type { SendResult } from '../host/udp-output.ts';
import type { UdpSocket } from '../host/udp-socket.ts';
import type { SocketAddressInfo } from '../net/address-info.ts';
import { familyOf } from '../net/addresses.ts';
import type { UdpHost } from './udp-host.ts';

export class UdpCore {
  readonly host: UdpHost;
  #held = 0;

  constructor(host: UdpHost) {
    this.host = host;
  }

  get udp(): HostUdp {
    return this.host.udp;
  }

  format(address: number): string {
    return this.udp.addresses.format(address);
  }

  describe(address: number, port: number): SocketAddressInfo {
    return { address: this.format(address), family: familyOf(address), port };
  }

  /** What `resolve` found, or a datagram came with, is needed no longer. */
  forget(address: number): void {
    this.udp.addresses.release(address);
  }

  send(socket: UdpSocket, bytes: Uint8Array, address: number, port: number, iface: Interface | null): SendResult {
    this.host.enter();
    const result = this.udp.output.send(socket, bytes, address, port, iface);
    this.host.wake();
    return result;
  }

  /** A socket wants the event loop to stay alive; undone by `release`. */
  hold(): void {
    if (this.#held++ === 0) this.host.keepAlive(true);
  }

  release(): void {
    if (--this.#held === 0) this.host.keepAlive(false);
  }
}
