/** What a storm may be asked to do, and the failures that come about by it. */
import { describe, expect, test } from 'vitest';
import { parseFailures, STORM_DEFAULTS, stormOptions } from '../../src/scenario/storm-options.ts';

describe('the options of a storm', () => {
  test('are complete by default: 20,000 connections, nic0 fails half-way', () => {
    expect(stormOptions({})).toEqual(STORM_DEFAULTS);
    expect(STORM_DEFAULTS).toMatchObject({ connections: 20_000, blockList: 256, failures: [{ nic: 'nic0', at: 0.5 }] });
  });

  test('take a list of as many connections as a block list may carry, 131,072 (A13)', () => {
    expect(stormOptions({ blockList: 131_072 }).blockList).toBe(131_072);
  });

  test('let nothing fail where nobody could take over', () => {
    expect(stormOptions({ nics: 1 }).failures).toEqual([]);
  });

  test('take failures of several NICs, and none', () => {
    expect(parseFailures('nic0@25%, nic1@62.5%')).toEqual([
      { nic: 'nic0', at: 0.25 },
      { nic: 'nic1', at: 0.625 },
    ]);
    expect(parseFailures('none')).toEqual([]);
  });

  test.each(['', 'nic0', 'nic0@', 'nic0@50', '@50%', 'nic0@-5%', 'nic0@101%', 'nic0@50%,'])(
    'refuse the failure %j',
    text => {
      expect(() => parseFailures(text)).toThrow(/^--fail: /);
    },
  );

  test.each([
    [{ connections: 0 }, '--connections'],
    [{ blockList: 131_073 }, '--block-list'],
    [{ delayMs: -1 }, '--delay-ms'],
    [{ vlans: [0] }, '--vlan:'],
    [{ vlans: Array.from({ length: 17 }, (_, i) => i + 1) }, '--vlan: 16 VLANs'],
    [{ vlans: [1, 2, 3], connections: 2 }, '--connections: at least one'],
    [{ policy: 'by-port:http' }, '--policy: takes young-in-batches'],
    [{ vlans: [1, 2], concurrency: 1 }, '--concurrency: at least one'],
    [{ family: 'ipv5' as never }, '--family'],
    [{ family: 'both' as const, mtu: 1279 }, '--mtu: 1280 at least'],
  ])('refuse %j and name the option', (given, named) => {
    expect(() => stormOptions(given)).toThrow(named);
  });
});
