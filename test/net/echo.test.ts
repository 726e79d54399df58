import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { POLICIES, SERVER, withMachine } from './harness.ts';

describe.each(POLICIES)('sockets $name', ({ policy }) => {
  it('echo', () =>
    withMachine({ policy: policy() }, async ({ server, client }) => {
      const listener = server.createServer(socket => socket.pipe(socket));
      listener.listen(80);
      const socket = client.connect(80, SERVER);
      socket.setEncoding('utf8');
      socket.end('hello');
      const [text] = (await once(socket, 'data')) as [string];
      expect(text).toBe('hello');
      await once(socket, 'close');
      listener.close();
      await once(listener, 'close');
    }));
});
