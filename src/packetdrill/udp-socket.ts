/**
 * A UDP socket with the semantics of the BSD interface as Linux has them, over one of the host's: a pending error comes before
 * anything else, a read takes one datagram and forgets what of it does not fit.
 *
 * Calls answer at once; a read that would block answers null.
 */
import type { Interface } from '../host/interface.ts';
import type { UdpResult } from '../host/udp.ts';
import type { Datagram, UdpOwner, UdpSocket as HostSocket } from '../host/udp-socket.ts';
import { type CallResult, failed, ok } from './call-result.ts';
import type { SocketWorld } from './socket-world.ts';
import { UdpErrorQueue } from './udp-error-queue.ts';

const ANYWHERE: Interface | null = null;

export class UdpSocket implements UdpOwner {
  readonly socket: HostSocket;
  readonly errors: UdpErrorQueue;
  nonBlocking = false;
  /** Hears of its port. */
  onBound: (port: number) => void = () => {};
  readonly #world: SocketWorld;
  /** Looked at, but not taken. */
  #peeked: Datagram | undefined;

  constructor(world: SocketWorld) {
    this.#world = world;
    const { version } = world.settings.ends;
    this.socket = this.#udp.open(this, version);
    this.errors = new UdpErrorQueue(this.socket, this.#udp, version);
  }

  get #udp() {
    return this.#world.machine.host.udp;
  }

  /** Of UdpOwner: calls that wait are tried again by themselves. */
  ready(): void {}

  bind(): CallResult {
    return this.#bindTo(this.#world.settings.bindPort);
  }

  #bindTo(port: number): CallResult {
    const result = this.#udp.bind(this.socket, 0, port);
    if (result === '') this.onBound(this.socket.localPort);
    return resultOf(result);
  }

  #bindIfUnbound(): void {
    if (this.socket.localPort === 0) this.#bindTo(0);
  }

  connect(): CallResult {
    this.#bindIfUnbound();
    const { machine, settings } = this.#world;
    return resultOf(this.#udp.connect(this.socket, machine.remoteAddress, settings.connectPort, ANYWHERE));
  }

  disconnect(): CallResult {
    this.#udp.disconnect(this.socket);
    return ok();
  }

  /** SO_ERROR, and what any call says first. */
  takeError(): string {
    return this.errors.takePending();
  }

  /** To where it is connected, or to the script's remote end. */
  write(count: number, isTo: boolean): CallResult {
    const error = this.takeError();
    if (error !== '') return failed(error);
    const { machine, settings } = this.#world;
    const { remoteAddress, remotePort, isConnected } = this.socket;
    if (!isTo && !isConnected) return failed('EDESTADDRREQ');
    this.#bindIfUnbound();
    const [address, port] = isTo ? [machine.remoteAddress, settings.connectPort] : [remoteAddress, remotePort];
    const result = this.#udp.output.send(this.socket, new Uint8Array(count), address, port, ANYWHERE);
    if (result === 'EMSGSIZE') this.errors.tooLarge(this.pathMtu);
    return result === '' ? ok(count) : failed(result);
  }

  /** `beyond`: hears how long the datagram is. */
  read(count: number, isPeek: boolean, beyond: (length: number) => void = () => {}): CallResult | null {
    const error = this.takeError();
    if (error !== '') return failed(error);
    const datagram = this.#peeked ?? this.socket.take();
    if (datagram === undefined) return null;
    this.#peeked = isPeek ? datagram : undefined;
    if (!isPeek) this.#udp.addresses.release(datagram.address);
    beyond(datagram.bytes.length);
    return ok(Math.min(count, datagram.bytes.length));
  }

  close(): void {
    if (this.#peeked !== undefined) this.#udp.addresses.release(this.#peeked.address);
    this.#peeked = undefined;
    this.#udp.close(this.socket);
  }

  /** What the path to where it is connected takes. */
  get pathMtu(): number {
    const { socket } = this;
    const path = this.#udp.output.pathTo(socket, socket.remoteAddress, ANYWHERE);
    if (path === null) return 0;
    this.#world.machine.host.network.release(path);
    return path.mtu;
  }
}

function resultOf(result: UdpResult): CallResult {
  return result === '' ? ok() : failed(result);
}
