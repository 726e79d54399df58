/**
 * The rival: the same job done with `node:net` over loopback, as a Node user would write it. Client and server in one
 * process, same documents, same HTTP/1.0 exchange (the client closes its direction right behind the request, the server
 * replies and closes), same SHA-256 check.
 *
 * It is treated at least as well as we are: replies and requests are made once, a warm-up that does not count lets V8
 * compile everything first, and its concurrency is the one it was fastest with.
 */
import { hash } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Prng } from '../base/prng.ts';
import type { Document } from './documents.ts';

export interface RivalOptions {
  readonly connections: number;
  /** Connections before those that count. */
  readonly warmUp?: number;
  readonly concurrency?: number;
  /** Gives up here; what was done by then counts. */
  readonly limitMs?: number;
  readonly seed?: number;
}

export interface RivalResult {
  readonly name: string;
  readonly connections: { requested: number; completed: number; failed: number };
  readonly bytesVerified: number;
  readonly seconds: number;
  readonly connectionsPerSecond: number;
  readonly concurrency: number;
  /** First error of a connection, if any. */
  readonly error?: string;
}

export const RIVAL_NODE_NET = 'node:net';

/** Of 32 to 1,024 sockets at a time: it is fastest with 64 to 128, and loses a tenth with more. */
const CONCURRENCY = 64;
const WARM_UP = 5000;
const LIMIT_MS = 15_000;
const LOOPBACK = '127.0.0.1';
const REQUEST_MIN = 100;
const REQUEST_MAX = 1000;
const VARIANTS = 16;
const HEAD_END = '\r\n\r\n';

interface Order {
  readonly request: Buffer;
  readonly document: Document;
}

export class RivalNodeNet {
  readonly #documents: readonly Document[];
  readonly #options: Required<RivalOptions>;
  readonly #server: Server;
  readonly #orders: readonly Order[];
  readonly #prng: Prng;
  readonly #open = new Set<Socket>();
  #port = 0;
  #target = 0;
  #started = 0;
  #completed = 0;
  #failed = 0;
  #bytes = 0;
  #error = '';
  /** When the last connection was begun, and how many had completed by then: rates end there, ours too. */
  #drain = { ms: 0, completed: 0 };
  #stopped = false;
  #roundDone: () => void = () => {};

  constructor(documents: readonly Document[], options: RivalOptions) {
    this.#documents = documents;
    this.#options = { warmUp: WARM_UP, concurrency: CONCURRENCY, limitMs: LIMIT_MS, seed: 1, ...options };
    this.#prng = new Prng(this.#options.seed).fork('rival');
    this.#orders = this.#makeOrders();
    this.#server = createServer({ allowHalfOpen: true }, serve(documents));
  }

  get completed(): number {
    return this.#completed;
  }

  /** Ends it early; `run` resolves with what was done. */
  interrupt(): void {
    this.#stopped = true;
    for (const socket of this.#open) socket.destroy();
    this.#roundDone();
  }

  async run(): Promise<RivalResult> {
    const { connections, warmUp, concurrency, limitMs } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, LOOPBACK, 1024, resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
    const limit = setTimeout(() => this.interrupt(), limitMs);
    let seconds = 0;
    let perSecond = 0;
    try {
      if (warmUp > 0) await this.#round(warmUp);
      const since = performance.now();
      await this.#round(connections);
      const now = performance.now();
      seconds = (now - since) / 1000;
      const { ms, completed } = this.#drain;
      perSecond = ms > 0 ? (completed / (ms - since)) * 1000 : (this.#completed / (now - since)) * 1000;
    } finally {
      clearTimeout(limit);
      for (const socket of this.#open) socket.destroy();
      this.#server.close();
    }
    return {
      name: RIVAL_NODE_NET,
      connections: { requested: connections, completed: this.#completed, failed: this.#failed },
      bytesVerified: this.#bytes,
      seconds,
      connectionsPerSecond: perSecond,
      concurrency,
      ...(this.#error === '' ? {} : { error: this.#error }),
    };
  }

  async #round(connections: number): Promise<void> {
    this.#target = connections;
    this.#started = this.#completed = this.#failed = this.#bytes = 0;
    this.#drain = { ms: 0, completed: 0 };
    if (this.#stopped) return;
    await new Promise<void>(resolve => {
      this.#roundDone = resolve;
      for (let i = 0; i < this.#options.concurrency; i++) this.#next();
    });
  }

  #next(): void {
    if (this.#stopped) return;
    if (this.#started < this.#target) {
      if (++this.#started === this.#target) this.#drain = { ms: performance.now(), completed: this.#completed };
      this.#fetch(this.#orders[this.#prng.below(this.#orders.length)]!);
    } else if (this.#completed + this.#failed === this.#target) this.#roundDone();
  }

  #fetch({ request, document }: Order): void {
    const pieces: Buffer[] = [];
    const socket = connect({ port: this.#port, host: LOOPBACK });
    this.#open.add(socket);
    socket.end(request);
    socket.on('data', piece => pieces.push(piece));
    socket.on('error', (error: Error) => {
      if (!this.#stopped) this.#error ||= error.message;
    });
    socket.on('close', () => {
      this.#open.delete(socket);
      if (this.#stopped) return;
      const reply = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
      const body = reply.subarray(reply.indexOf(HEAD_END) + HEAD_END.length);
      if (body.length === document.bytes.length && hash('sha256', body, 'hex') === document.sha256) {
        this.#completed++;
        this.#bytes += body.length;
      } else this.#failed++;
      this.#next();
    });
  }

  /** Requests of 100 to 1,000 bytes, as our clients send. */
  #makeOrders(): Order[] {
    return this.#documents.flatMap(document =>
      Array.from({ length: VARIANTS }, () => {
        const head = `GET ${document.path} HTTP/1.0\r\nHost: ${LOOPBACK}\r\nUser-Agent: rival\r\nAccept: */*\r\nX-Pad: `;
        const length = this.#prng.between(REQUEST_MIN, REQUEST_MAX);
        return { request: Buffer.from(head.padEnd(length - HEAD_END.length, 'x') + HEAD_END), document };
      }),
    );
  }
}

function serve(documents: readonly Document[]): (socket: Socket) => void {
  const replies = new Map(
    documents.map(({ path, bytes }) => {
      const head = `HTTP/1.0 200 OK\r\nServer: Rival\r\nContent-Type: application/octet-stream\r\nContent-Length: ${bytes.length}\r\n\r\n`;
      return [path, Buffer.concat([Buffer.from(head), bytes])];
    }),
  );
  return socket => {
    let request = '';
    socket.on('data', piece => {
      request += piece.toString('latin1');
      if (!request.endsWith(HEAD_END)) return;
      const reply = replies.get(request.slice('GET '.length, request.indexOf(' ', 'GET '.length)));
      socket.end(reply ?? 'HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n');
    });
    socket.on('error', () => socket.destroy());
  };
}
