/**
 * The head of an HTTP/1.0 reply (RFC 1945 6): status line, Content-Length, empty line. Byte by byte, so that a head in
 * any number of segments needs no copy; one parser serves all clients, a few integers each.
 *
 *   VERSION → STATUS → SKIP → LINE ⇄ NAME → VALUE → SKIP …   LINE → END → body
 */

const State = { Version: 0, Status: 1, Skip: 2, Line: 3, Name: 4, Value: 5, End: 6 } as const;

const VERSION = bytesOf('HTTP/1.');
const CONTENT_LENGTH = bytesOf('content-length:');
const CR = 13;
const LF = 10;
const SPACE = 32;
const TAB = 9;
const ZERO = 48;
const LENGTH_MAX = 0x7fffffff;
/** A head that is longer is no reply of ours. */
const HEAD_BYTES_MAX = 8192;

/** What `parse` answers instead of an address. */
export const HEAD_INCOMPLETE = -1;
export const HEAD_BAD = -2;

export class ReplyParser {
  /** Status code of each client's reply. */
  readonly status: Int32Array;
  /** Content-Length, or -1 when there is none. */
  readonly contentLength: Int32Array;
  readonly #u8: Uint8Array;
  readonly #state: Uint8Array;
  /** How much of the word that is being compared has matched. */
  readonly #matched: Uint8Array;
  readonly #headBytes: Int32Array;

  constructor(u8: Uint8Array, clients: number) {
    this.#u8 = u8;
    this.status = new Int32Array(clients);
    this.contentLength = new Int32Array(clients);
    this.#state = new Uint8Array(clients);
    this.#matched = new Uint8Array(clients);
    this.#headBytes = new Int32Array(clients);
  }

  start(client: number): void {
    this.status[client] = 0;
    this.contentLength[client] = -1;
    this.#state[client] = State.Version;
    this.#matched[client] = 0;
    this.#headBytes[client] = 0;
  }

  /** Reads on in [at, end): the address of the first byte of the body, which may be `end`; or one of the two above. */
  parse(client: number, at: number, end: number): number {
    const u8 = this.#u8;
    let state: number = this.#state[client];
    for (let p = at; p < end; p++) {
      const byte = u8[p];
      if (state === State.Skip) {
        if (byte === LF) state = State.Line;
      } else if (state === State.Line) {
        if (byte === LF) return p + 1;
        this.#matched[client] = 1;
        // The one header that counts begins with c; RFC 1945 4.2: field names are not case-sensitive.
        if (byte === CR) state = State.End;
        else state = (byte | SPACE) === CONTENT_LENGTH[0] ? State.Name : State.Skip;
      } else {
        state = this.#rare(client, state, byte);
        if (state === HEAD_BAD) return HEAD_BAD;
        if (state === State.Version && byte === LF) return p + 1;
      }
    }
    this.#state[client] = state;
    this.#headBytes[client] += end - at;
    return this.#headBytes[client] > HEAD_BYTES_MAX ? HEAD_BAD : HEAD_INCOMPLETE;
  }

  /** The states that see few bytes; Version after a line feed says that the head is complete. */
  #rare(client: number, state: number, byte: number): number {
    switch (state) {
      case State.Version:
        return this.#version(client, byte);
      case State.Status:
        if (byte === SPACE || byte === CR) return State.Skip;
        if (!isDigit(byte) || this.status[client] > 99) return HEAD_BAD;
        this.status[client] = this.status[client] * 10 + (byte - ZERO);
        return State.Status;
      case State.Name: {
        const matched = this.#matched[client];
        if ((byte | SPACE) !== CONTENT_LENGTH[matched]) return byte === LF ? State.Line : State.Skip;
        this.#matched[client] = matched + 1;
        return matched + 1 === CONTENT_LENGTH.length ? State.Value : State.Name;
      }
      case State.Value:
        return this.#value(client, byte);
      default:
        // State.End: only a line feed may follow the empty line's carriage return.
        return byte === LF ? State.Version : HEAD_BAD;
    }
  }

  /** HTTP-Version: `HTTP/1.`, a digit, a space. */
  #version(client: number, byte: number): number {
    const matched = this.#matched[client]++;
    if (matched < VERSION.length) return byte === VERSION[matched] ? State.Version : HEAD_BAD;
    if (matched === VERSION.length) return isDigit(byte) ? State.Version : HEAD_BAD;
    return byte === SPACE ? State.Status : HEAD_BAD;
  }

  #value(client: number, byte: number): number {
    if (byte === LF) return State.Line;
    if (byte === CR || byte === SPACE || byte === TAB) return State.Value;
    const length = Math.max(0, this.contentLength[client]);
    if (!isDigit(byte) || length > (LENGTH_MAX - (byte - ZERO)) / 10) return HEAD_BAD;
    this.contentLength[client] = length * 10 + (byte - ZERO);
    return State.Value;
  }
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= ZERO + 9;
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, char => char.charCodeAt(0));
}
