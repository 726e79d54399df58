/**
 * Applications for ladders: streams of bytes in both directions of every connection, each byte known from its place, so
 * that one that is lost, doubled or misplaced is found where it arrives.
 */
import type { TliConnection, TliHandler } from '../../host/connection.ts';
import type { Memory, Region } from '../../memory/memory.ts';
import { CloseReason } from '../../tcp/effects.ts';

/** Bytes of one direction of one connection at most. */
export const STREAM_BYTES = 1 << 16;

/** What happens at this end, told to whoever watches. */
export interface StreamWatcher {
  connected(connection: TliConnection): void;
  upcall(connection: TliConnection, text: string): void;
  call(connection: TliConnection, text: string): void;
}

const CLOSE_REASONS = new Map<number, string>(Object.entries(CloseReason).map(([name, code]) => [code, name]));

/** One end of a connection. */
export class Stream {
  readonly connection: TliConnection;
  /** The same number at both ends. */
  readonly index: number;
  sent = 0;
  received = 0;
  /** Bytes that were not those sent. */
  wrong = 0;
  /** The application takes nothing for now. */
  holds = false;
  ended = false;
  closed = '';

  constructor(connection: TliConnection, index: number) {
    this.connection = connection;
    this.index = index;
  }
}

/** All streams of one host. */
export class StreamEnd implements TliHandler {
  readonly streams: Stream[] = [];
  readonly #memory: Memory;
  readonly #application: Region;
  readonly #salt: number;
  readonly #watcher: StreamWatcher | null;
  readonly #indexOf: (connection: TliConnection) => number;

  /** @param salt tells the directions apart */
  constructor(
    memory: Memory,
    application: Region,
    salt: number,
    indexOf: (connection: TliConnection) => number,
    watcher: StreamWatcher | null = null,
  ) {
    this.#memory = memory;
    this.#application = application;
    this.#salt = salt;
    this.#indexOf = indexOf;
    this.#watcher = watcher;
  }

  /** Open and connected. */
  get count(): number {
    return this.streams.filter(stream => stream !== undefined).length;
  }

  connected(connection: TliConnection): void {
    const index = this.#indexOf(connection);
    connection.tag = index;
    const stream = new Stream(connection, index);
    this.streams[index] = stream;
    const at = this.#application.offset + index * STREAM_BYTES;
    for (let i = 0; i < STREAM_BYTES; i++) this.#memory.u8[at + i] = byteOf(index, i, this.#salt);
    this.#watcher?.connected(connection);
  }

  received(connection: TliConnection, address: number, length: number): number {
    const stream = this.streams[connection.tag]!;
    if (stream.holds) {
      this.#watcher?.upcall(connection, `leaves ${length} bytes`);
      return 0;
    }
    for (let i = 0; i < length; i++) {
      const expected = byteOf(stream.index, stream.received + i, this.#salt ^ 1);
      if (this.#memory.u8[address + i] !== expected) stream.wrong++;
    }
    stream.received += length;
    this.#watcher?.upcall(connection, `received ${length} bytes`);
    return length;
  }

  ended(connection: TliConnection): void {
    this.streams[connection.tag]!.ended = true;
    this.#watcher?.upcall(connection, 'ended: the peer has closed');
  }

  sent(connection: TliConnection, cookie: number): void {
    this.#watcher?.upcall(connection, `sent ${cookie} bytes`);
  }

  closed(connection: TliConnection, reason: number): void {
    this.streams[connection.tag]!.closed = CLOSE_REASONS.get(reason) ?? String(reason);
    this.#watcher?.upcall(connection, `closed ${this.streams[connection.tag]!.closed}`);
  }

  /** The next bytes of a stream; the last may close. */
  send(index: number, count: number, last = false): void {
    const stream = this.streams[index]!;
    const { connection } = stream;
    const address = this.#application.offset + index * STREAM_BYTES + stream.sent;
    stream.sent += count;
    this.#watcher?.call(connection, `${last ? 'send and close' : 'send'} ${count} bytes`);
    if (last) connection.sendAndDisconnect(address, count, count);
    else connection.send(address, count, count);
  }

  close(index: number): void {
    const { connection } = this.streams[index]!;
    this.#watcher?.call(connection, 'close');
    connection.disconnect();
  }

  hold(index: number): void {
    this.streams[index]!.holds = true;
  }

  resume(index: number): void {
    const stream = this.streams[index]!;
    stream.holds = false;
    this.#watcher?.call(stream.connection, 'resume');
    stream.connection.resume();
  }
}

function byteOf(index: number, offset: number, salt: number): number {
  return (offset * (salt === 0 ? 7 : 11) + index * 29 + (offset >> 8)) & 0xff;
}
