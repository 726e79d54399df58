/** Policies as options and the command line write them. */
import { describe, expect, test } from 'vitest';
import { parsePolicy } from '../../../src/host/policy/policy-text.ts';
import { candidate, type CandidateText } from './candidate.ts';

const wants = (text: string, given: CandidateText): boolean | undefined =>
  parsePolicy(text, 0)?.wants(candidate(given));

describe('a policy written out', () => {
  test.each([
    'young-in-batches',
    'everything',
    'nothing',
    'by-port:80',
    'by-port:80,443',
    'by-prefix:10.1.0.0/16,192.168.0.0/24',
    'by-prefix:10.1.0.0/16,fd00::/8',
    'by-traffic:130000,20',
    'host-load:60,30',
    '!by-port:22',
    'by-port:80 & by-traffic:1000,5',
    'by-port:80 | by-prefix:10.0.0.0/8',
  ])('%s has itself for a name', text => {
    expect(parsePolicy(text, 5)?.name).toBe(text);
  });

  test('by-traffic alone has the thresholds of automatic mode (digest 6.2)', () => {
    expect(parsePolicy('by-traffic', 0)!.name).toBe('by-traffic:130000,20');
  });

  test('! binds most, | least; spaces do not matter', () => {
    const text = 'by-port:443|!by-port:22&by-prefix:10.1.0.0/16';
    expect(wants(text, { localPort: 443, remote: '8.8.8.8' })).toBe(true);
    expect(wants(text, { localPort: 80, remote: '10.1.0.1' })).toBe(true);
    expect(wants(text, { localPort: 22, remote: '10.1.0.1' })).toBe(false);
    expect(wants(text, { localPort: 80, remote: '8.8.8.8' })).toBe(false);
    expect(parsePolicy('  by-port: 443 |by-port:22 ', 0)!.name).toBe('by-port:443 | by-port:22');
  });

  test('prefixes of either IP version', () => {
    const text = 'by-prefix:10.1.0.0/16,fd00::/8';
    expect(wants(text, { remote: '10.1.0.1' })).toBe(true);
    expect(wants(text, { remote: 'fd77::1' })).toBe(true);
    expect(wants(text, { remote: '2001:db8::1' })).toBe(false);
    expect(wants('by-prefix:0.0.0.0/0', { remote: 'fd77::1' })).toBe(false);
  });

  test('lists wait as long as they are told to', () => {
    expect(parsePolicy('by-port:80 & !by-port:22', 1234)!.batchUs).toBe(1234);
  });

  test.each([
    '',
    'all',
    '!',
    'by-port',
    'by-port:',
    'by-port:http',
    'by-port:65536',
    'by-port:80.5',
    'by-port:-1',
    'by-prefix:10.1.0.0',
    'by-prefix:10.1.0.0/33',
    'by-traffic:1000',
    'by-traffic:1000,20,30',
    'host-load:30,60',
    'host-load:101,60',
    'everything:1',
    'everything &',
    '| everything',
  ])('%j is none', text => {
    expect(parsePolicy(text, 0)).toBeUndefined();
  });
});
