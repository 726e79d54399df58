/**
 * The server of a simulated machine: HTTP/1.0 as the storm's (file-server.ts), but with moods. It leaves bytes unread for a
 * while, sends in pieces or in copies, pauses, closes late, and for one document cuts the connection.
 *
 * So hand-overs find held data, chains of sends, closes and aborts under way. Each connection's mood comes from the seed.
 */
import { assert } from '../base/assert.ts';
import type { Prng } from '../base/prng.ts';
import type { TliConnection, TliHandler } from '../host/connection.ts';
import type { Memory, Region } from '../memory/memory.ts';
import type { Document } from './documents.ts';

/** Whoever asks for this document is cut off, now or in the middle of the reply. */
export const RESET_PATH = '/reset';

const HEAD_BYTES_MAX = 128;
const PAUSE_US_MAX = 5000;
const PIECES_MAX = 6;
/** Less than the copy buffers of the machine together. */
const WRITE_BYTES_MAX = 12_000;

interface Reply {
  readonly address: number;
  readonly length: number;
}

/** A connection that is being served. */
interface Session {
  readonly connection: TliConnection;
  /** Chance that a buffer is not taken whole. */
  readonly reluctance: number;
  readonly copies: boolean;
  readonly closesLate: boolean;
  readonly pauses: boolean;
  readonly pieces: number;
  request: string;
  path: string;
  reply: Reply | null;
  /** Bytes of the reply that were sent. */
  sent: number;
  /** Sent up to here, it is cut; -1: never. */
  cutAt: number;
  ended: boolean;
  /** Nothing more is to be sent. */
  done: boolean;
}

/** Bytes of memory that the replies take. */
export function simulatedRepliesBytes(documents: readonly Document[]): number {
  return documents.reduce((sum, { bytes }) => sum + ((bytes.length + HEAD_BYTES_MAX + 63) & ~63), 64);
}

export class SimulatedServer implements TliHandler {
  readonly #memory: Memory;
  readonly #prng: Prng;
  readonly #moody: boolean;
  readonly #replies = new Map<string, Reply>();
  readonly #sessions = new Map<TliConnection, Session>();
  /** Things to do later. */
  readonly #due: { readonly us: number; readonly session: Session; readonly kind: 'send' | 'resume' }[] = [];
  #nowUs = 0;
  /** Replies handed to the switch whole, and connections that were cut. */
  served = 0;
  aborted = 0;

  constructor(memory: Memory, region: Region, documents: readonly Document[], prng: Prng) {
    this.#memory = memory;
    this.#prng = prng;
    this.#moody = prng.chance(0.7);
    let at = region.offset;
    for (const { path, bytes } of documents) {
      const head = new TextEncoder().encode(`HTTP/1.0 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`);
      assert(head.length <= HEAD_BYTES_MAX, 'a head has room');
      memory.u8.set(head, at);
      memory.u8.set(bytes, at + head.length);
      this.#replies.set(path, { address: at, length: head.length + bytes.length });
      at += (bytes.length + HEAD_BYTES_MAX + 63) & ~63;
    }
  }

  /** What was put off until now. */
  round(nowUs: number): void {
    this.#nowUs = nowUs;
    for (let i = 0, left = this.#due.length; left > 0; left--) {
      const { us, session, kind } = this.#due[i]!;
      if (us > nowUs) {
        i++;
        continue;
      }
      this.#due.splice(i, 1);
      if (kind === 'resume') session.connection.resume();
      else this.#send(session);
    }
  }

  connected(connection: TliConnection): void {
    const prng = this.#prng;
    const moody = this.#moody && prng.chance(0.5);
    this.#sessions.set(connection, {
      connection,
      reluctance: moody && prng.chance(0.5) ? prng.float() : 0,
      copies: moody && prng.chance(0.4),
      closesLate: moody && prng.chance(0.5),
      pauses: moody && prng.chance(0.5),
      pieces: moody ? prng.between(1, PIECES_MAX) : 1,
      request: '',
      path: '',
      reply: null,
      sent: 0,
      cutAt: -1,
      ended: false,
      done: false,
    });
  }

  received(connection: TliConnection, address: number, length: number): number {
    const session = this.#sessions.get(connection);
    assert(session !== undefined, 'bytes come only between connected and closed');
    let taken = length;
    if (this.#prng.chance(session.reluctance)) {
      taken = this.#prng.below(length + 1);
      if (taken < length) this.#later(session, 'resume');
    }
    // A shared buffer cannot be decoded in place.
    const text = this.#memory.u8.slice(address, address + taken);
    session.request += String.fromCharCode(...text);
    if (session.reply === null && session.request.endsWith('\r\n\r\n')) this.#answer(session);
    return taken;
  }

  ended(connection: TliConnection): void {
    const session = this.#sessions.get(connection);
    assert(session !== undefined && !session.ended, 'a peer closes once');
    assert(session.reply !== null, 'its request came before');
    session.ended = true;
  }

  sent(connection: TliConnection): void {
    const session = this.#sessions.get(connection);
    if (session !== undefined && session.copies && !session.done) this.#send(session);
  }

  closed(connection: TliConnection): void {
    const session = this.#sessions.get(connection);
    assert(session !== undefined, 'a connection is closed once');
    this.#sessions.delete(connection);
    for (let i = this.#due.length - 1; i >= 0; i--) if (this.#due[i]!.session === session) this.#due.splice(i, 1);
  }

  /** Connections that were not closed yet. */
  get open(): number {
    return this.#sessions.size;
  }

  #answer(session: Session): void {
    session.path = session.request.split(' ', 2)[1] ?? '';
    const reply = this.#replies.get(session.path);
    assert(reply !== undefined, `a document is called ${session.path}`);
    session.reply = reply;
    if (session.path === RESET_PATH) session.cutAt = this.#prng.below(reply.length);
    if (session.pauses) this.#later(session, 'send');
    else this.#send(session);
  }

  #later(session: Session, kind: 'send' | 'resume'): void {
    if (this.#due.some(due => due.session === session && due.kind === kind)) return;
    this.#due.push({ us: this.#nowUs + this.#prng.below(PAUSE_US_MAX), session, kind });
  }

  /** As much of the reply as the mood and the buffers allow. */
  #send(session: Session): void {
    const { connection, pieces, closesLate, copies, pauses } = session;
    const { address, length } = session.reply!;
    const step = Math.max(1, Math.ceil(length / pieces));
    while (!session.done && session.sent < length) {
      if (session.cutAt >= 0 && session.sent >= session.cutAt) {
        this.#cut(session);
        return;
      }
      const count = Math.min(step, length - session.sent, copies ? WRITE_BYTES_MAX : length);
      const last = session.sent + count === length && !closesLate && !copies && session.cutAt < 0;
      if (!this.#sendPiece(session, address + session.sent, count, last)) {
        this.#later(session, 'send');
        return;
      }
      session.sent += count;
      if (last) this.#finish(session);
      if (pauses && !session.done) {
        this.#later(session, 'send');
        return;
      }
    }
    if (session.done) return;
    if (session.cutAt >= 0) {
      this.#cut(session);
      return;
    }
    assert(connection.disconnect(), 'the connection can be closed');
    this.#finish(session);
  }

  #sendPiece(session: Session, at: number, count: number, last: boolean): boolean {
    const { connection, copies } = session;
    if (copies) return connection.write(this.#memory.u8.subarray(at, at + count), 1);
    return last ? connection.sendAndDisconnect(at, count, 1) : connection.send(at, count, 1);
  }

  #finish(session: Session): void {
    session.done = true;
    this.served++;
  }

  #cut(session: Session): void {
    session.done = true;
    this.aborted++;
    session.connection.abort();
  }
}
