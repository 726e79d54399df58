/** When a segment of the host's matches a line. */
import { describe, expect, test } from 'vitest';
import type { PacketAction, TcpSpec } from '../../src/packetdrill/ast.ts';
import { continues, differenceOf, ipDifference, joined } from '../../src/packetdrill/expect.ts';
import { parseScript } from '../../src/packetdrill/parser.ts';
import { ScriptSocket } from '../../src/packetdrill/script-socket.ts';
import { TcpFlag } from '../../src/wire/tcp.ts';

function tcp(line: string): TcpSpec {
  const { action } = parseScript('x', `0 > ${line}`, new Map()).events[0]!;
  return (action as PacketAction).payload as TcpSpec;
}

function difference(expected: string, actual: string, segments = 1): string {
  return differenceOf(
    tcp(expected),
    tcp(actual),
    segments,
    { tsTickUs: 0, toleranceUs: 4000 },
    new ScriptSocket('tcp'),
  );
}

describe('a segment', () => {
  test.each([
    ['P. 1:1001(1000) ack 1', '. 1:1001(1000) ack 1 win 5', 'flags'],
    ['. 1:1(0) ack 1', '. 2:2(0) ack 1 win 5', 'sequence number'],
    ['. 1:11(10) ack 1', '. 1:12(11) ack 1 win 5', 'payload length'],
    ['. 1:1(0) ack 1', '. 1:1(0) ack 2 win 5', 'ack'],
    ['. 1:1(0) ack 1 win 4', '. 1:1(0) ack 1 win 5', 'window'],
    ['. 1:1(0) ack 1', '. 1:1(0) ack 1 win 5', ''],
    ['. 1:1(0) ack 1 <nop,nop,sack 2:3>', '. 1:1(0) ack 1 win 5', 'TCP options'],
    ['. 1:1(0) ack 1 <sackOK,nop,nop>', '. 1:1(0) ack 1 win 5 <nop,nop,sackOK>', 'TCP options'],
    ['. 1:1(0) ack 1 <nop,nop,sack 2:3>', '. 1:1(0) ack 1 win 5 <nop,nop,sack 2:4>', 'TCP option sack'],
    ['. 1:1(0) ack 1 <...>', '. 1:1(0) ack 1 win 5 <nop,nop,sack 2:4>', ''],
  ])('%s is compared with %s', (expected, actual, what) => {
    expect(difference(expected, actual)).toBe(what);
  });

  test('of several may have PSH or not: it is what segmentation offload makes of it', () => {
    expect(difference('P. 1:2001(2000) ack 1', '. 1:2001(2000) ack 1', 2)).toBe('');
    expect(difference('P. 1:1001(1000) ack 1', '. 1:1001(1000) ack 1', 1)).toBe('flags');
  });

  test('may lack PSH where text goes on, but not have it', () => {
    const socket = new ScriptSocket('tcp');
    const tolerance = { tsTickUs: 0, toleranceUs: 4000 };
    const compare = (expected: string, actual: string): string =>
      differenceOf(tcp(expected), tcp(actual), 1, tolerance, socket);
    socket.record.sent(TcpFlag.Syn, 0, 0);
    socket.record.sent(TcpFlag.Ack, 1, 1000);
    expect(compare('P. 1:1001(1000) ack 1', '. 1:1001(1000) ack 1')).toBe('flags');
    socket.record.sent(TcpFlag.Ack, 1001, 1000);
    expect(compare('P. 1:1001(1000) ack 1', '. 1:1001(1000) ack 1')).toBe('');
    expect(compare('. 1:1001(1000) ack 1', 'P. 1:1001(1000) ack 1')).toBe('flags');
  });

  test('has TS vals that count from the first', () => {
    const socket = new ScriptSocket('tcp');
    const compare = (expected: string, actual: string): string =>
      differenceOf(tcp(expected), tcp(actual), 1, { tsTickUs: 1000, toleranceUs: 4000 }, socket);
    expect(compare('. 1:1(0) ack 1 <TS val 100 ecr 5>', '. 1:1(0) ack 1 <TS val 7000 ecr 5>')).toBe('');
    expect(compare('. 1:1(0) ack 1 <TS val 200 ecr 5>', '. 1:1(0) ack 1 <TS val 7104 ecr 5>')).toBe('');
    expect(compare('. 1:1(0) ack 1 <TS val 300 ecr 5>', '. 1:1(0) ack 1 <TS val 7205 ecr 5>')).toBe('TS val');
    expect(socket.liveTimestamp(200, false)).toBe(7104);
    expect(socket.liveTimestamp(150, false)).toBeUndefined();
    expect(socket.liveTimestamp(150, true)).toBe(7050);
  });

  test('may be one of several for a line: the numbers of the first, the flags of the last', () => {
    const first = tcp('. 1:1001(1000) ack 1');
    const last = tcp('FP. 1001:1501(500) ack 1');
    expect(continues(first, last)).toBe(true);
    expect(continues(first, tcp('. 2001:3001(1000) ack 1'))).toBe(false);
    expect(continues(first, tcp('. 1001:2001(1000) ack 9'))).toBe(false);
    const spec = joined([first, last]);
    expect(spec).toMatchObject({ seq: 1, length: 1500, flags: last.flags });
  });

  test('has an IP header of which only what is said counts', () => {
    const seen = { ecn: 2, tos: 0x12, ttl: 64, flowLabel: -1 };
    const spec = { ecn: -1, tos: -1, ttl: -1, flowLabel: -1 };
    const socket = new ScriptSocket('tcp');
    expect(ipDifference(spec, seen, socket)).toBe('');
    expect(ipDifference({ ...spec, ecn: -2 }, seen, socket)).toBe('');
    expect(ipDifference({ ...spec, ecn: 0 }, seen, socket)).toBe('ECN field');
    expect(ipDifference({ ...spec, tos: 0x10 }, seen, socket)).toBe('tos');
    const labelled = (script: number, live: number): string =>
      ipDifference({ ...spec, flowLabel: script }, { ...seen, flowLabel: live }, socket);
    expect(labelled(1, 777)).toBe('');
    expect(labelled(1, 778)).toBe('flow label');
    expect(labelled(2, 777)).toBe('flow label');
    expect(labelled(2, 779)).toBe('');
    expect(labelled(2, 0)).toBe('flow label');
    expect(ipDifference({ ...spec, ttl: 5 }, seen, socket)).toBe('ttl');
  });
});
