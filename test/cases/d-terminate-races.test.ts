/** Terminate against everything else (digest §8 D), each race in a thousand interleavings. */
import { describe } from 'vitest';
import { explore } from '../support/explore.ts';

/** A station of the server's own network. */
const ONE = { peers: { c1: '10.0.0.16:5001' } };

describe('a terminate crosses', () => {
  explore(
    'a send: it is completed, or comes back and is sent by the host, never both and never neither (D04)',
    ONE,
    (_machine, race) => {
      race.offload('c1');
      race.settle();
      race.send('c1', 300);
      race.event('send', () => race.send('c1', 100));
      race.event('upload', () => race.upload('c1'));
      race.event('send', () => race.send('c1', 2000));
      race.run();
      race.end();
    },
  );
});
