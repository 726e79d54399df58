/** Every script of test/packetdrill on every path. */
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { PATHS, playFile } from '../../src/packetdrill/play.ts';

const FOLDER = 'test/packetdrill';
const scripts = readdirSync(FOLDER).filter(name => name.endsWith('.pkt'));

describe.each(scripts)('%s', script => {
  test.each(PATHS)('passes on path %s', path => {
    const { verdict, reason } = playFile(`${FOLDER}/${script}`, path, new Map());
    expect(reason).toBe('');
    expect(verdict).toBe('passed');
  });
});
