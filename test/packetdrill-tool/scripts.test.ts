/** Every script of test/packetdrill on every path. */
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { NO_ADDITIONS, PATHS, playFile } from '../../src/packetdrill/play.ts';

const FOLDER = 'test/packetdrill';
const scripts = readdirSync(FOLDER).filter(name => name.endsWith('.pkt'));

describe.each(scripts)('%s', script => {
  test.each(PATHS)('passes on path %s', path => {
    const { verdict, reason } = playFile(`${FOLDER}/${script}`, path, NO_ADDITIONS);
    expect(reason).toBe('');
    expect(verdict).toBe('passed');
  });

  test('passes over IPv6', () => {
    const options = [{ name: 'ip_version', value: 'ipv6', line: 0 }];
    expect(playFile(`${FOLDER}/${script}`, 'host', { ...NO_ADDITIONS, options }).reason).toBe('');
  });
});
