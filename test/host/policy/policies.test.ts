/** What each policy wants, keeps and grants (R34). */
import { describe, expect, test } from 'vitest';
import { LoadMeter } from '../../../src/host/load-meter.ts';
import { byPort } from '../../../src/host/policy/by-port.ts';
import { byPrefix } from '../../../src/host/policy/by-prefix.ts';
import { byTraffic } from '../../../src/host/policy/by-traffic.ts';
import { everything } from '../../../src/host/policy/everything.ts';
import { holdingOn } from '../../../src/host/policy/holding-on.ts';
import { hostLoad } from '../../../src/host/policy/host-load.ts';
import { mostActive } from '../../../src/host/policy/most-active.ts';
import { NOTHING } from '../../../src/host/policy/nothing.ts';
import { youngInBatches } from '../../../src/host/policy/young-in-batches.ts';
import { TcpUploadReason } from '../../../src/offload/events.ts';
import { parseCidr } from '../../../src/wire/ipv4-text.ts';
import { candidate } from './candidate.ts';

describe('all or none', () => {
  test('everything holds data until it is handed over, young connections are served meanwhile (¶123–125)', () => {
    expect(everything(7)).toMatchObject({ batchUs: 7, holdsData: true });
    expect(youngInBatches(7)).toMatchObject({ batchUs: 7, holdsData: false });
    for (const policy of [everything(0), youngInBatches(0)]) expect(policy.wants(candidate())).toBe(true);
  });

  test('nothing wants none and keeps none', () => {
    expect(NOTHING.wants(candidate())).toBe(false);
    expect(NOTHING.keeps!(candidate())).toBe(false);
  });
});

describe('by port', () => {
  const policy = byPort([443, 445], 0);

  test.each([
    [{ localPort: 443 }, true],
    [{ localPort: 80, remotePort: 445 }, true],
    [{ localPort: 80 }, false],
  ])('%j: %s (R34)', (given, wanted) => {
    expect(policy.wants(candidate(given))).toBe(wanted);
    expect(policy.keeps!(candidate(given))).toBe(wanted);
  });
});

describe('by prefix of the source organisation', () => {
  const policy = byPrefix([parseCidr('10.1.0.0/16')!, parseCidr('192.168.7.9/32')!, parseCidr('172.16.5.6/12')!], 0);

  test.each([
    ['10.1.0.0', true],
    ['10.1.255.255', true],
    ['10.2.0.0', false],
    ['192.168.7.9', true],
    ['192.168.7.8', false],
    // Host bits of a prefix do not count.
    ['172.31.255.1', true],
    ['172.32.0.1', false],
  ])('%s: %s (R34)', (remote, wanted) => {
    expect(policy.wants(candidate({ remote }))).toBe(wanted);
  });

  test('its own address does not count', () => {
    expect(policy.wants(candidate({ local: '10.1.0.1', remote: '8.8.8.8' }))).toBe(false);
  });

  test('0.0.0.0/0 is everybody', () => {
    expect(byPrefix([parseCidr('0.0.0.0/0')!], 0).wants(candidate({ remote: '255.255.255.255' }))).toBe(true);
  });
});

describe('by traffic', () => {
  const policy = byTraffic(1000, 20, 0);

  test.each([
    ['enough, and near', { bytesSent: 400, bytesReceived: 600, smoothedRttMs: 19.9 }, true],
    ['a byte too few', { bytesSent: 400, bytesReceived: 599, smoothedRttMs: 1 }, false],
    ['too far', { bytesSent: 1e9, smoothedRttMs: 20 }, false],
    ['nobody knows how far', { bytesSent: 1e9, smoothedRttMs: 0 }, false],
  ])('%s (R34, digest 6.2)', (_what, given, wanted) => {
    expect(policy.wants(candidate(given))).toBe(wanted);
  });

  test('is asked again, and lets stay what it has taken', () => {
    expect(policy.reviewUs).toBeGreaterThan(0);
    expect('keeps' in policy).toBe(false);
  });
});

describe('by host load', () => {
  test('begins above one load, ends below another, and does nothing in between (R34)', () => {
    const policy = hostLoad(60, 30, 0);
    let percent = 0;
    const load = { percent: () => percent } as unknown as LoadMeter;
    const wantedAt = (now: number): boolean => {
      percent = now;
      policy.review!(load, 0);
      return policy.wants(candidate());
    };
    expect([0, 45, 60, 61, 45, 30, 29, 45, 60, 61].map(wantedAt)).toEqual([
      false,
      false,
      false,
      true,
      true,
      true,
      false,
      false,
      false,
      true,
    ]);
  });

  test('the load is of the last second, and goes away with it', () => {
    const meter = new LoadMeter();
    for (let us = 0; us < 1_000_000; us += 1000) meter.add(us, 500);
    expect(meter.percent(1_000_000)).toBeCloseTo(50, 5);
    expect(meter.percent(1_500_000)).toBeCloseTo((50 * 4) / 9, 5);
    expect(meter.percent(1_999_999)).toBeCloseTo(0, 5);
    meter.add(60_000_000, 50_000);
    // What has just begun says nothing yet.
    expect(meter.percent(60_050_000)).toBe(0);
    expect(meter.percent(60_100_000)).toBeCloseTo((100 * 50_000) / 900_000, 5);
  });

  test('two hosts on a thread share its load; more than all of it is all of it', () => {
    const meter = new LoadMeter();
    meter.add(0, 400_000);
    meter.add(50_000, 900_000);
    expect(meter.percent(100_000)).toBe(100);
  });
});

describe('policies over policies', () => {
  test('holding on refuses the reasons that it was given, and leaves the rest to the other', () => {
    const { LowActivity, SmallIo } = TcpUploadReason;
    const policy = holdingOn(holdingOn(everything(0), [LowActivity]), [SmallIo]);
    const granted = (reason: number): boolean => policy.grants!(candidate(), reason);
    expect([LowActivity, SmallIo, TcpUploadReason.HighDropRate].map(granted)).toEqual([false, false, true]);
  });

  test('the most active: what the other takes, ranked, and looked at again', () => {
    const policy = mostActive(byPort([80], 3), 25, 9);
    expect(policy).toMatchObject({
      name: 'most active of by-port:80',
      batchUs: 3,
      eviction: { marginPercent: 25, residenceUs: 9 },
    });
    expect(policy.wants(candidate({ localPort: 81 }))).toBe(false);
    expect(policy.reviewUs).toBeGreaterThan(0);
    expect(policy.eviction!.rank(candidate({ activity: 5 }))).toBe(5);
  });
});
