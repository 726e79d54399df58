/**
 * The server of the storm: HTTP/1.0 (RFC 1945) on the TLI switch. One request, one reply, close.
 *
 * Each document lies in the machine's memory with its reply head in front, made once; a reply is one send of memory that
 * stays where it is, with the FIN behind it. A request is read where it lies; only one that comes in pieces is gathered.
 */
import type { TliConnection, TliHandler } from '../host/connection.ts';
import type { Memory, Region } from '../memory/memory.ts';
import type { Document } from './documents.ts';

interface Reply {
  readonly address: number;
  readonly length: number;
}

const REQUEST_MAX = 8192;
const LF = 10;
const CR = 13;
const SPACE = 32;

/** Bytes of memory that the replies take. */
export function repliesBytes(documents: readonly Document[]): number {
  let total = 4096;
  for (const document of documents)
    total += align(headOf(200, 'OK', document.bytes.length).length + document.bytes.length);
  return total;
}

function align(length: number): number {
  return (length + 63) & ~63;
}

function headOf(status: number, reason: string, length: number): Uint8Array {
  const text = `HTTP/1.0 ${status} ${reason}\r\nServer: Chimney\r\nContent-Type: application/octet-stream\r\nContent-Length: ${length}\r\n\r\n`;
  return new TextEncoder().encode(text);
}

export class FileServer implements TliHandler {
  readonly #memory: Memory;
  /** By path; found by hash of the request's bytes, without making a string. */
  readonly #replies = new Map<number, Reply & { readonly path: string }>();
  readonly #partial = new Map<TliConnection, number[]>();
  readonly #notFound: Reply;
  readonly #badRequest: Reply;
  #at: number;
  served = 0;
  bytesServed = 0;
  refused = 0;
  resets = 0;

  constructor(memory: Memory, region: Region, documents: readonly Document[]) {
    this.#memory = memory;
    this.#at = region.offset;
    for (const document of documents) {
      const reply = this.#place(headOf(200, 'OK', document.bytes.length), document.bytes);
      this.#replies.set(hashText(document.path), { ...reply, path: document.path });
    }
    this.#notFound = this.#place(headOf(404, 'Not Found', 0), new Uint8Array(0));
    this.#badRequest = this.#place(headOf(400, 'Bad Request', 0), new Uint8Array(0));
  }

  #place(head: Uint8Array, body: Uint8Array): Reply {
    const address = this.#at;
    this.#memory.u8.set(head, address);
    this.#memory.u8.set(body, address + head.length);
    const length = head.length + body.length;
    this.#at += align(length);
    return { address, length };
  }

  connected(): void {
    // The client speaks first.
  }

  received(connection: TliConnection, address: number, length: number): number {
    if (connection.tag !== 0) return length;
    const { u8 } = this.#memory;
    const gathered = this.#partial.get(connection);
    if (gathered === undefined && endsHead(u8, address + length)) {
      this.#answer(connection, u8, address, length);
      return length;
    }
    this.#gather(connection, gathered, address, length);
    return length;
  }

  /** A request in pieces: kept until its empty line has come. */
  #gather(connection: TliConnection, gathered: number[] | undefined, address: number, length: number): void {
    const text = gathered ?? [];
    for (let i = 0; i < length; i++) text.push(this.#memory.u8[address + i]!);
    if (text.length > REQUEST_MAX) {
      this.#partial.delete(connection);
      this.#reply(connection, this.#badRequest);
    } else if (endsHead(text, text.length)) {
      this.#partial.delete(connection);
      this.#answer(connection, text, 0, text.length);
    } else if (gathered === undefined) {
      this.#partial.set(connection, text);
    }
  }

  #answer(connection: TliConnection, bytes: ArrayLike<number>, at: number, length: number): void {
    // "GET /path HTTP/1.0"
    const isGet = bytes[at] === 71 && bytes[at + 1] === 69 && bytes[at + 2] === 84 && bytes[at + 3] === SPACE;
    if (!isGet) {
      this.#reply(connection, this.#badRequest);
      return;
    }
    let hash = HASH_START;
    let end = at + 4;
    const limit = at + length;
    for (; end < limit; end++) {
      const byte = bytes[end]!;
      if (byte === SPACE || byte === CR || byte === LF) break;
      hash = hashStep(hash, byte);
    }
    const found = this.#replies.get(hash | 0);
    if (found !== undefined && isText(bytes, at + 4, end, found.path)) this.#reply(connection, found);
    else {
      this.refused++;
      this.#reply(connection, this.#notFound);
    }
  }

  #reply(connection: TliConnection, reply: Reply): void {
    connection.tag = 1;
    if (!connection.sendAndDisconnect(reply.address, reply.length, 1)) {
      connection.abort();
      return;
    }
    this.served++;
    this.bytesServed += reply.length;
  }

  ended(connection: TliConnection): void {
    // The client closes its direction right behind the request; one without a whole request gets no reply.
    if (connection.tag === 0) {
      this.#partial.delete(connection);
      connection.tag = 1;
      connection.disconnect();
    }
  }

  sent(): void {
    // The reply stays in memory for the next.
  }

  closed(connection: TliConnection, reason: number): void {
    this.#partial.delete(connection);
    if (reason !== 0) this.resets++;
  }
}

const HASH_START = 0x811c9dc5 | 0;

function hashStep(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01000193);
}

function hashText(text: string): number {
  let hash = HASH_START;
  for (let i = 0; i < text.length; i++) hash = hashStep(hash, text.charCodeAt(i));
  return hash | 0;
}

function isText(bytes: ArrayLike<number>, from: number, to: number, text: string): boolean {
  if (to - from !== text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[from + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** The bytes before `end` are the empty line that ends a request's head. */
function endsHead(bytes: ArrayLike<number>, end: number): boolean {
  return bytes[end - 1] === LF && bytes[end - 2] === CR && bytes[end - 3] === LF && bytes[end - 4] === CR;
}
