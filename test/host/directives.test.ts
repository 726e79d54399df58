/** What the administrator directs: which of several orders counts, and for how long (¶62, ¶101, R24). */
import { describe, expect, test } from 'vitest';
import { Directive, Directives } from '../../src/host/directives.ts';
import { parseCidr } from '../../src/wire/ipv4-text.ts';
import { candidate } from './policy/candidate.ts';

const { None, Offload, KeepInHost } = Directive;

function subject(given = {}) {
  return { ...candidate(given), directiveEnded: 0 };
}

describe('directives', () => {
  test('match by ports and prefixes; what is left out matches all', () => {
    const directives = new Directives();
    expect(directives.of(subject())).toBe(None);
    const undo = directives.add(Offload, { localPort: 80, remote: parseCidr('10.1.0.0/16') });
    expect(directives.of(subject())).toBe(Offload);
    expect(directives.of(subject({ localPort: 81 }))).toBe(None);
    expect(directives.of(subject({ remote: '10.2.0.1' }))).toBe(None);
    directives.add(KeepInHost, { remotePort: 7, local: parseCidr('10.0.0.1/32') });
    expect(directives.of(subject({ remotePort: 7 }))).toBe(KeepInHost);
    expect(directives.of(subject({ remotePort: 7, local: '10.0.0.2', localPort: 1 }))).toBe(None);
    undo();
    expect(directives.of(subject())).toBe(None);
    expect(directives.isEmpty).toBe(false);
  });

  test('the latest that matches counts', () => {
    const directives = new Directives();
    directives.add(KeepInHost, {});
    const undo = directives.add(Offload, { localPort: 80 });
    expect(directives.of(subject())).toBe(Offload);
    expect(directives.of(subject({ localPort: 81 }))).toBe(KeepInHost);
    undo();
    expect(directives.of(subject())).toBe(KeepInHost);
  });

  test('one that a device has ended is over for this connection, until there is another (R24)', () => {
    const directives = new Directives();
    directives.add(Offload, {});
    const ended = subject();
    directives.end(ended);
    expect(directives.of(ended)).toBe(None);
    expect(directives.of(subject())).toBe(Offload);
    directives.add(Offload, { localPort: 80 });
    expect(directives.of(ended)).toBe(Offload);
  });

  test('an order to stay in the host is not a device’s to end', () => {
    const directives = new Directives();
    directives.add(KeepInHost, {});
    directives.add(Offload, {});
    const ended = subject();
    directives.end(ended);
    expect(directives.of(ended)).toBe(KeepInHost);
  });
});
