/** Every script of test/packetdrill on every path, and over IPv6 unless it says what it is for (`--ip_version`). */
import { readdirSync, readFileSync } from 'node:fs';
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
});

const eitherFamily = scripts.filter(name => !/^--ip_version=/m.test(readFileSync(`${FOLDER}/${name}`, 'utf8')));

test.each(eitherFamily)('%s passes over IPv6', script => {
  const options = [{ name: 'ip_version', value: 'ipv6', line: 0 }];
  expect(playFile(`${FOLDER}/${script}`, 'host', { ...NO_ADDITIONS, options }).reason).toBe('');
});
