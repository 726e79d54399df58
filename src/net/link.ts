/**
 * One socket's end of a connection: between the callbacks of the TLI switch, which come during a step of the host, and the
 * stream, whose code is the user's.
 *
 *   stream ── write ──► Outgoing ── TliConnection.write ──►
 *   stream ◄─ tick ──── Incoming ◄─ received ──────────────
 *
 * User code never runs inside a step: callbacks only note what happened and ask for a tick, in which everything is told
 * in order. So a throwing listener cannot tear the host, and a burst of segments becomes one chunk.
 *
 * Writes are done when they are copied, as into a kernel's send buffer; at most UNACKED_MAX bytes are copied and not yet
 * acknowledged, so that `drain` means that the peer takes.
 */
import type { TliConnection } from '../host/connection.ts';
import { CloseReason } from '../tcp/effects.ts';
import { transferError } from './errors.ts';
import { Incoming } from './incoming.ts';
import { Outgoing } from './outgoing.ts';

export interface LinkOwner {
  connected(): void;
  /** False: no more until `read` is called. */
  data(chunk: Buffer): boolean;
  ended(): void;
  /** The connection is over before its time; `networkError` is what the network said of it, or ''. */
  failed(reason: CloseReason, networkError: string): void;
  /** The peer acknowledged something. */
  progress(): void;
}

/** What a link needs of the core that all links share (core.ts). */
export interface LinkCore {
  readonly memory: Uint8Array;
  readonly writeRoom: number;
  enter(): void;
  wake(): void;
  hold(): void;
  release(): void;
  waitForRoom(link: Link): void;
  waitNoMore(link: Link): void;
  orphan(connection: TliConnection, isHeld: boolean): void;
}

export type Done = (error?: Error | null) => void;

const UNACKED_MAX = 262144;
/** Less room than this is not worth a write, unless it is for the last of the bytes. */
const ROOM_MIN = UNACKED_MAX >> 2;
const PIECE_MAX = 65536;

export class Link {
  readonly #core: LinkCore;
  readonly #owner: LinkOwner;
  readonly #incoming = new Incoming();
  readonly #outgoing = new Outgoing();
  /** Null before the open, and after the end of the connection or of the socket. */
  connection: TliConnection | null = null;
  #writeDone: Done | null = null;
  #shutdownDone: Done | null = null;
  #isOpening = true;
  #isClosed = false;
  #isHeld = false;
  /** The stream is full. */
  #isStopped = false;
  #isScheduled = false;
  // What happened, and was not told yet.
  #connectedDue = false;
  #progressDue = false;
  #endedDue = false;
  #failure: CloseReason | null = null;
  #networkError = '';

  constructor(core: LinkCore, owner: LinkOwner) {
    this.#core = core;
    this.#owner = owner;
  }

  /** Takes a connection over: one that is being opened, or one that was accepted. */
  open(connection: TliConnection): void {
    this.connection = connection;
    connection.context = this;
    connection.creditsLater = true;
  }

  get isOpening(): boolean {
    return this.#isOpening;
  }

  /** Whether this socket keeps the event loop alive. */
  setHeld(isHeld: boolean): void {
    if (isHeld === this.#isHeld || this.#isClosed) return;
    this.#isHeld = isHeld;
    if (isHeld) this.#core.hold();
    else this.#core.release();
  }

  // --- callbacks of the switch, during a step ---

  connected(): void {
    this.#isOpening = false;
    this.#connectedDue = true;
    this.schedule();
  }

  /** An accepted connection needs no telling. */
  accepted(): void {
    this.#isOpening = false;
  }

  received(address: number, length: number): void {
    this.#incoming.append(this.#core.memory, address, length);
    this.schedule();
  }

  ended(): void {
    this.#endedDue = true;
    this.schedule();
  }

  sent(): void {
    this.#progressDue = true;
    this.schedule();
  }

  closed(reason: number): void {
    this.#networkError = this.connection?.networkError ?? '';
    this.connection = null;
    // In order: both directions have been closed.
    if (reason !== CloseReason.Normal) this.#failure = reason as CloseReason;
    this.schedule();
  }

  // --- calls of the stream ---

  write(chunks: readonly Buffer[], done: Done): void {
    this.#outgoing.start(chunks);
    this.#writeDone = done;
    this.#pump();
  }

  /** RFC 7413: a SYN that waits for text has waited long enough. */
  openNow(): void {
    const { connection } = this;
    if (connection === null || !connection.awaitsText) return;
    this.#core.enter();
    connection.openNow();
    this.#core.wake();
  }

  /** FIN behind everything written. */
  shutdown(done: Done): void {
    this.#shutdownDone = done;
    this.#pump();
  }

  /** The stream has room again. */
  read(): void {
    if (!this.#isStopped) return;
    this.#isStopped = false;
    if (this.#incoming.length > 0 || this.#endedDue || this.#failure !== null) this.schedule();
  }

  /**
   * The socket is destroyed. As with close(2) on Linux, what was copied still arrives, with a FIN behind it; a reset
   * tells the peer when bytes of it were never read, or ours never came so far.
   */
  close(reset: boolean, error: Error | null): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const isCut = reset || this.#isOpening || this.#incoming.length > 0 || this.#outgoing.remaining > 0;
    this.#core.waitNoMore(this);
    this.#incoming.clear();
    this.#outgoing.clear();
    const done = this.#writeDone ?? this.#shutdownDone;
    this.#writeDone = null;
    this.#shutdownDone = null;
    const { connection } = this;
    this.connection = null;
    if (connection === null) {
      if (this.#isHeld) this.#core.release();
    } else {
      this.#core.enter();
      if (isCut) connection.abort();
      else connection.close();
      this.#core.orphan(connection, this.#isHeld);
      this.#core.wake();
    }
    if (done !== null) process.nextTick(done, error);
  }

  // --- the tick ---

  schedule(): void {
    if (this.#isScheduled || this.#isClosed) return;
    this.#isScheduled = true;
    process.nextTick(tick, this);
  }

  /** Tells the stream what happened, in order. Listeners may throw, close the socket, or read and write in it. */
  tell(): void {
    this.#isScheduled = false;
    if (this.#isClosed) return;
    try {
      if (this.#connectedDue) {
        this.#connectedDue = false;
        this.#owner.connected();
      }
      if (this.#progressDue) {
        this.#progressDue = false;
        this.#owner.progress();
      }
      this.#pump();
      this.#tellData();
      if (this.#incoming.length === 0) this.#tellEnd();
    } finally {
      const isDue = this.#incoming.length > 0 || this.#endedDue || this.#failure !== null;
      if (isDue && !this.#isStopped) this.schedule();
    }
  }

  #tellData(): void {
    let count = 0;
    try {
      while (this.#incoming.length > 0 && !this.#isStopped && !this.#isClosed) {
        const chunk = this.#incoming.take();
        count += chunk.length;
        // Set before the call: a reader that asks for more inside of it is not to be forgotten.
        this.#isStopped = true;
        if (this.#owner.data(chunk)) this.#isStopped = false;
      }
    } finally {
      if (count > 0 && this.connection !== null) {
        this.#core.enter();
        this.connection.consumed(count);
        this.#core.wake();
      }
    }
  }

  #tellEnd(): void {
    if (this.#endedDue) {
      this.#endedDue = false;
      this.#owner.ended();
    }
    const failure = this.#failure;
    if (failure === null || this.#isClosed) return;
    this.#failure = null;
    this.#owner.failed(failure, this.#networkError);
  }

  /** Hands over what can be handed over now. Called in a tick or by the stream, never during a step. */
  #pump(): void {
    if (this.#isClosed) return;
    if (this.#isOpening) {
      this.#pumpEarly();
      return;
    }
    if (this.#outgoing.remaining > 0) {
      if (this.connection === null) {
        this.#finishWrite(this.#lostError());
        return;
      }
      this.#handOver(this.connection);
      if (this.#outgoing.remaining > 0) return;
    }
    if (this.#writeDone !== null) this.#finishWrite(null);
    if (this.#shutdownDone === null || this.#isClosed) return;
    if (this.connection !== null) {
      this.#core.enter();
      this.connection.shutdown();
      this.#core.wake();
    }
    const done = this.#shutdownDone;
    this.#shutdownDone = null;
    done(null);
  }

  /** What is to go with a SYN that waits for it. */
  #pumpEarly(): void {
    const { connection } = this;
    if (this.#outgoing.remaining === 0 || connection === null || !connection.awaitsText) return;
    this.#handOver(connection);
    if (this.#outgoing.remaining === 0) this.#finishWrite(null);
  }

  #handOver(connection: TliConnection): void {
    const outgoing = this.#outgoing;
    this.#core.enter();
    while (outgoing.remaining > 0) {
      const window = UNACKED_MAX - connection.tag;
      if (window < Math.min(outgoing.remaining, ROOM_MIN)) break;
      const room = this.#core.writeRoom;
      if (room === 0) {
        this.#core.waitForRoom(this);
        break;
      }
      const piece = outgoing.peek(Math.min(window, room, PIECE_MAX));
      // Refused: it is over, which will be told.
      const more = outgoing.remaining > piece.length;
      if (!connection.write(piece, piece.length, more)) break;
      connection.tag += piece.length;
      outgoing.advance(piece.length);
    }
    this.#core.wake();
  }

  #finishWrite(error: Error | null): void {
    const done = this.#writeDone;
    this.#writeDone = null;
    this.#outgoing.clear();
    done?.(error);
  }

  /** The first to notice a reset is told of it, later writers of a broken pipe, as on Linux. */
  #lostError(): Error {
    const code = this.#failure === CloseReason.Reset ? 'ECONNRESET' : 'EPIPE';
    const timedOut = this.#networkError === '' ? 'ETIMEDOUT' : this.#networkError;
    return transferError('write', this.#failure === CloseReason.TimedOut ? timedOut : code);
  }
}

function tick(link: Link): void {
  link.tell();
}
