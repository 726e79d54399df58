/**
 * A server that waits to be told: it takes requests of HTTP/1.0 clients, and sends the reply in two parts when the ladder
 * says so. Its clients check every byte themselves (fabric/stations/client-load.ts).
 */
import type { TliConnection, TliHandler } from '../../host/connection.ts';
import type { Memory, Region } from '../../memory/memory.ts';
import type { StreamWatcher } from './streams.ts';

const HEAD_BYTES_MAX = 128;

export class HeldServer implements TliHandler {
  readonly connections: TliConnection[] = [];
  readonly #memory: Memory;
  readonly #address: number;
  readonly #length: number;
  readonly #watcher: StreamWatcher;
  readonly #requests = new Map<TliConnection, string>();
  closedCount = 0;

  constructor(memory: Memory, application: Region, body: Uint8Array, watcher: StreamWatcher) {
    const head = new TextEncoder().encode(`HTTP/1.0 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
    this.#memory = memory;
    this.#address = application.offset;
    this.#length = head.length + body.length;
    this.#watcher = watcher;
    memory.u8.set(head, application.offset);
    memory.u8.set(body, application.offset + head.length);
  }

  static bytesFor(body: Uint8Array): number {
    return HEAD_BYTES_MAX + body.length;
  }

  /** Clients that have asked, whole. */
  get asked(): number {
    let count = 0;
    for (const request of this.#requests.values()) if (request.endsWith('\r\n\r\n')) count++;
    return count;
  }

  connected(connection: TliConnection): void {
    this.connections.push(connection);
    this.#requests.set(connection, '');
    this.#watcher.connected(connection);
  }

  received(connection: TliConnection, address: number, length: number): number {
    const text = String.fromCharCode(...this.#memory.u8.slice(address, address + length));
    this.#requests.set(connection, (this.#requests.get(connection) ?? '') + text);
    this.#watcher.upcall(connection, `received ${length} bytes`);
    return length;
  }

  ended(): void {}

  sent(connection: TliConnection, cookie: number): void {
    this.#watcher.upcall(connection, `sent ${cookie} bytes`);
  }

  closed(connection: TliConnection): void {
    this.closedCount++;
    this.#watcher.upcall(connection, 'closed');
  }

  /** The first half of every reply, or the second and the end. */
  reply(second: boolean): void {
    const half = this.#length >> 1;
    for (const connection of this.connections) {
      const count = second ? this.#length - half : half;
      this.#watcher.call(connection, `${second ? 'send and close' : 'send'} ${count} bytes`);
      if (second) connection.sendAndDisconnect(this.#address + half, count, count);
      else connection.send(this.#address, count, count);
    }
  }
}
