/** The storm's server: requests whole and in pieces, good and bad (RFC 1945). */
import { beforeEach, describe, expect, test } from 'vitest';
import type { TliConnection } from '../../src/host/connection.ts';
import { createMemory, type Memory, RegionPlan } from '../../src/memory/memory.ts';
import { documentOf } from '../../src/scenario/documents.ts';
import { FileServer, repliesBytes } from '../../src/scenario/file-server.ts';

const DOCUMENTS = [
  documentOf('/index.html', new TextEncoder().encode('<p>hello</p>')),
  documentOf('/empty', new Uint8Array(0)),
  documentOf('/big', new Uint8Array(5000).fill(66)),
];

let memory: Memory;
let server: FileServer;
let scratch: number;

beforeEach(() => {
  const plan = new RegionPlan();
  const region = plan.add('replies', repliesBytes(DOCUMENTS));
  scratch = plan.add('scratch', 16_384).offset;
  memory = createMemory(plan.byteLength);
  server = new FileServer(memory, region, DOCUMENTS);
});

class Client {
  tag = 0;
  replies: string[] = [];
  disconnects = 0;
  aborts = 0;
  refuses = false;

  sendAndDisconnect(address: number, length: number): boolean {
    if (this.refuses) return false;
    this.replies.push(new TextDecoder().decode(memory.u8.slice(address, address + length)));
    return true;
  }

  disconnect(): boolean {
    this.disconnects++;
    return true;
  }

  abort(): void {
    this.aborts++;
  }

  get connection(): TliConnection {
    return this as unknown as TliConnection;
  }

  /** The server is shown these bytes, and takes them all. */
  send(...pieces: string[]): this {
    for (const piece of pieces) {
      memory.u8.set(new TextEncoder().encode(piece), scratch);
      expect(server.received(this.connection, scratch, piece.length)).toBe(piece.length);
    }
    return this;
  }
}

const HELLO =
  'HTTP/1.0 200 OK\r\nServer: Chimney\r\nContent-Type: application/octet-stream\r\nContent-Length: 12\r\n\r\n<p>hello</p>';
const GET = 'GET /index.html HTTP/1.0\r\nHost: server\r\n\r\n';

describe('a good request', () => {
  test('is answered with the file behind its head, in one send', () => {
    expect(new Client().send(GET).replies).toEqual([HELLO]);
    expect(server).toMatchObject({ served: 1, refused: 0, bytesServed: HELLO.length });
  });

  test('in pieces, down to single bytes, is answered when its empty line has come', () => {
    expect(new Client().send('GET /ind', 'ex.html HTTP/1.0\r\n', '\r\n').replies).toEqual([HELLO]);
    const slow = new Client().send(...GET.slice(0, -1));
    expect(slow.replies).toEqual([]);
    expect(slow.send('\n').replies).toEqual([HELLO]);
  });

  test('two connections in pieces do not mix', () => {
    const [first, second] = [new Client(), new Client()];
    first.send('GET /empty');
    second.send('GET /index.html HTTP/1.0\r\n');
    first.send(' HTTP/1.0\r\n\r\n');
    second.send('\r\n');
    expect(first.replies[0]).toContain('Content-Length: 0\r\n\r\n');
    expect(second.replies).toEqual([HELLO]);
  });

  test('without a version (HTTP/0.9) and with a big file', () => {
    expect(new Client().send('GET /index.html\r\n\r\n').replies).toEqual([HELLO]);
    expect(new Client().send('GET /big HTTP/1.0\r\n\r\n').replies[0]!.endsWith('B'.repeat(5000))).toBe(true);
  });

  test('what comes after it is taken and ignored', () => {
    expect(new Client().send(GET, GET, 'more').replies).toEqual([HELLO]);
  });
});

describe('a bad one', () => {
  test.each(['/missing', '/index.htm', '/index.html2', '/', '/INDEX.HTML', '/index.html?x'])('404 for %s', path => {
    const [reply] = new Client().send(`GET ${path} HTTP/1.0\r\n\r\n`).replies;
    expect(reply).toMatch(/^HTTP\/1\.0 404 Not Found\r\n[^]*Content-Length: 0\r\n\r\n$/);
    expect(server.refused).toBe(1);
  });

  test.each(['POST / HTTP/1.0\r\n\r\n', 'get /index.html HTTP/1.0\r\n\r\n', '\r\n\r\n', 'GET\r\n\r\n'])(
    '400 for %j',
    text => {
      expect(new Client().send(text).replies[0]).toMatch(/^HTTP\/1\.0 400 Bad Request\r\n/);
    },
  );

  test('400 for a head that does not end within 8,192 bytes', () => {
    const client = new Client();
    for (let i = 0; i < 9; i++) client.send('x'.repeat(1000));
    expect(client.replies).toHaveLength(1);
    expect(client.replies[0]).toContain('400 Bad Request');
  });

  test('closed before it was whole: no reply, our side closes too', () => {
    const client = new Client().send('GET /ind');
    server.ended(client.connection);
    expect([client.replies.length, client.disconnects]).toEqual([0, 1]);
    server.closed(client.connection, 0);
    // Its slot is used again: nothing of the old request is left.
    expect(new Client().send('ex.html HTTP/1.0\r\n\r\n').replies[0]).toContain('400');
  });

  test('answered, and then closed by the client: nothing more to do', () => {
    const client = new Client().send(GET);
    server.ended(client.connection);
    expect(client.disconnects).toBe(0);
  });

  test('no room to send: the connection is aborted, and a reset is counted', () => {
    const client = new Client();
    client.refuses = true;
    client.send(GET);
    expect(client.aborts).toBe(1);
    server.closed(client.connection, 3);
    expect(server).toMatchObject({ served: 0, resets: 1 });
  });
});
