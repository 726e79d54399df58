import http, { type IncomingMessage, type RequestListener } from 'node:http';
import { describe, expect, it } from 'vitest';
import type { Socket } from '../../src/net/socket.ts';
import { collect, failure, type NetMachine, pattern, POLICIES, SERVER, sha256, withMachine } from './harness.ts';

const MEGABYTES_5 = 5 * 1024 * 1024;

interface Web {
  readonly server: http.Server;
  request(options?: http.RequestOptions): http.ClientRequest;
  get(options?: http.RequestOptions): Promise<IncomingMessage>;
  close(): void;
  connections: number;
}

/** An unmodified http.Server and http.request, on the two hosts. */
function web(machine: NetMachine, handler: RequestListener): Web {
  const server = http.createServer(handler);
  const connect = (options: http.ClientRequestArgs): Socket =>
    machine.client.connect({ host: options.host ?? SERVER, port: options.port ?? 80 });
  const site: Web = {
    server,
    connections: 0,
    request: (options = {}) =>
      http.request({ host: SERVER, port: 80, ...(options.agent ? {} : { createConnection: connect }), ...options }),
    get: (options = {}) =>
      new Promise((resolve, reject) => {
        site.request(options).on('response', resolve).on('error', reject).end();
      }),
    close: () => void listener.close(),
  };
  const listener = machine.server.createServer(socket => {
    site.connections++;
    server.emit('connection', socket);
  });
  listener.listen(80);
  return site;
}

function keepAliveAgent(machine: NetMachine, maxSockets = 1): http.Agent {
  const agent = new http.Agent({ keepAlive: true, maxSockets });
  (agent as unknown as { createConnection: unknown }).createConnection = (options: { port: number; host: string }) =>
    machine.client.connect({ port: options.port, host: options.host });
  return agent;
}

describe.each(POLICIES)('node:http $name', ({ policy }) => {
  it('answers a request', () =>
    withMachine({ policy: policy() }, async machine => {
      const site = web(machine, (request, response) => {
        response.setHeader('x-path', request.url ?? '');
        response.end(`${request.socket.remoteAddress}:${request.socket.localPort}`);
      });
      const response = await site.get({ path: '/a?b' });
      expect([response.statusCode, response.headers['x-path']]).toEqual([200, '/a?b']);
      expect(String(await collect(response))).toBe('10.0.0.2:80');
      site.close();
    }));

  it('keeps connections alive with an agent', () =>
    withMachine({ policy: policy() }, async machine => {
      const site = web(machine, (request, response) => response.end(request.url));
      const agent = keepAliveAgent(machine);
      for (let i = 0; i < 20; i++) {
        expect(String(await collect(await site.get({ path: `/${i}`, agent })))).toBe(`/${i}`);
      }
      expect(site.connections).toBe(1);
      agent.destroy();
      site.close();
    }));

  it('closes with Connection: close', () =>
    withMachine({ policy: policy() }, async machine => {
      const site = web(machine, (_request, response) => {
        response.setHeader('connection', 'close');
        response.end('bye');
      });
      const agent = keepAliveAgent(machine);
      for (let i = 0; i < 3; i++) {
        const response = await site.get({ agent });
        expect(String(await collect(response))).toBe('bye');
        await machine.until('its connection is closed', () => response.socket.destroyed);
      }
      expect(site.connections).toBe(3);
      agent.destroy();
      site.close();
    }));

  it('answers pipelined requests in order', () =>
    withMachine({ policy: policy() }, async machine => {
      const site = web(machine, (request, response) => {
        // The first answers take longest.
        const delay = 50 - Number(request.url!.slice(1)) * 5;
        void machine.sleep(Math.max(0, delay)).then(() => response.end(`<${request.url}>`));
      });
      const socket = machine.client.connect(80, SERVER);
      const requests = Array.from({ length: 10 }, (_, i) => `GET /${i} HTTP/1.1\r\nHost: x\r\n`);
      requests[9] += 'Connection: close\r\n';
      socket.write(requests.map(request => `${request}\r\n`).join(''));
      const text = String(await collect(socket));
      expect(text.match(/<\/\d>/g)).toEqual(requests.map((_, i) => `</${i}>`));
      site.close();
    }));

  it('carries chunked bodies both ways', () =>
    withMachine({ policy: policy() }, async machine => {
      const site = web(machine, (request, response) => {
        request.on('data', bytes => response.write(bytes));
        request.on('end', () => response.end('!'));
      });
      const request = site.request({ method: 'POST' });
      const answered = new Promise<IncomingMessage>(resolve => void request.on('response', resolve));
      for (let i = 0; i < 200; i++) {
        request.write(`part ${i};`);
        if (i % 20 === 0) await machine.sleep(1);
      }
      request.end();
      const response = await answered;
      expect(response.headers['transfer-encoding']).toBe('chunked');
      expect(String(await collect(response))).toBe(`${Array.from({ length: 200 }, (_, i) => `part ${i};`).join('')}!`);
      site.close();
    }));

  it('uploads and downloads five megabytes', () =>
    withMachine({ policy: policy() }, async machine => {
      const down = pattern(MEGABYTES_5, 7);
      const up = pattern(MEGABYTES_5, 9);
      const site = web(machine, (request, response) => {
        void collect(request).then(bytes => {
          response.setHeader('x-sha256', sha256(bytes));
          response.end(down);
        });
      });
      const request = site.request({ method: 'PUT', headers: { 'content-length': up.length } });
      const answered = new Promise<IncomingMessage>(resolve => void request.on('response', resolve));
      request.end(up);
      const response = await answered;
      expect(response.headers['x-sha256']).toBe(sha256(up));
      expect(sha256(await collect(response))).toBe(sha256(down));
      site.close();
    }));

  it('tells each side when the other aborts in the middle', () =>
    withMachine({ policy: policy() }, async machine => {
      const aborted: string[] = [];
      const site = web(machine, (request, response) => {
        if (request.url === '/server') {
          response.writeHead(200, { 'content-length': 1_000_000 });
          response.write(pattern(10_000));
          void machine.sleep(20).then(() => request.socket.destroy());
          return;
        }
        request.on('error', error => aborted.push((error as NodeJS.ErrnoException).code ?? ''));
        response.on('close', () => aborted.push(`closed ${response.writableFinished}`));
        response.write(pattern(10_000));
      });
      const response = await site.get({ path: '/server' });
      response.resume();
      expect((await failure(response)).code).toBe('ECONNRESET');
      const other = await site.get({ path: '/client' });
      other.on('error', () => {});
      other.destroy();
      await machine.until('the server hears of it', () => aborted.length > 0);
      expect(aborted).toContain('closed false');
      site.close();
    }));

  it('serves a hundred requests at once', () =>
    withMachine({ policy: policy() }, async machine => {
      const bytes = pattern(40_000);
      const site = web(machine, (request, response) => {
        const from = Number(request.url!.slice(1));
        response.end(bytes.subarray(from, from + 20_000));
      });
      const requests = Array.from({ length: 100 }, async (_, i) => {
        const body = await collect(await site.get({ path: `/${i}` }));
        return body.equals(bytes.subarray(i, i + 20_000));
      });
      expect((await Promise.all(requests)).filter(isRight => isRight).length).toBe(100);
      expect(site.connections).toBe(100);
      site.close();
    }));

  it('reports a refused connection as http does', () =>
    withMachine({ policy: policy() }, async machine => {
      const site = web(machine, () => {});
      const error = await failure(site.request({ port: 81 }).end());
      expect(error).toMatchObject({ code: 'ECONNREFUSED', message: 'connect ECONNREFUSED 10.0.0.1:81' });
      site.close();
    }));
});
