/**
 * A UDP socket of a machine that is fed forged frames:
 * what comes is looked at late, and some of it is sent back.
 */
import type { Prng } from '../../base/prng.ts';
import type { Host } from '../../host/host.ts';
import type { UdpSocket } from '../../host/udp-socket.ts';

export const DATAGRAM_PORT = 7;
const AT_ONCE = 8;

export class FuzzDatagrams {
  readonly #prng: Prng;
  readonly #host: Host;
  readonly #socket: UdpSocket;

  constructor(prng: Prng, host: Host) {
    this.#prng = prng;
    this.#host = host;
    this.#socket = host.udp.open({ ready() {} }, 0);
    this.#socket.reportsAllErrors = true;
    host.udp.bind(this.#socket, 0, DATAGRAM_PORT);
  }

  /** Takes some of what has come; two such sockets must not talk for ever. */
  act(): void {
    const socket = this.#socket;
    const { udp, network } = this.#host;
    for (let left = AT_ONCE; left > 0; left--) {
      const datagram = socket.take();
      if (datagram === undefined) break;
      const { bytes, address, port, iface } = datagram;
      if (this.#prng.chance(0.3)) udp.output.send(socket, bytes, address, port, iface);
      network.addresses.release(address);
    }
    for (let error = socket.takeError(); error !== undefined; error = socket.takeError()) {
      network.addresses.release(error.address);
    }
  }

  close(): void {
    this.#host.udp.close(this.#socket);
  }
}
