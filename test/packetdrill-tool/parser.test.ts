/** The parser of packetdrill scripts: what it takes, and what it says of what it does not. */
import { describe, expect, test } from 'vitest';
import type { CallAction, PacketAction, TcpSpec } from '../../src/packetdrill/ast.ts';
import { parseScript } from '../../src/packetdrill/parser.ts';
import { ScriptError, Unsupported } from '../../src/packetdrill/script-error.ts';
import { TcpFlag } from '../../src/wire/tcp.ts';

const parse = (source: string) => parseScript('x.pkt', source, new Map());
const packet = (line: string): PacketAction => parse(`0 ${line}`).events[0]!.action as PacketAction;
const tcp = (line: string): TcpSpec => packet(line).payload as TcpSpec;
const call = (line: string): CallAction => parse(`0 ${line}`).events[0]!.action as CallAction;

describe('a script', () => {
  test('has options, an init command, events and a clean-up command', () => {
    const script = parse('--ip_version=ipv4\n--tolerance_usecs=9000\n`init`\n0 close(3) = 0\n+1 close(4) = 0\n`clean`');
    expect(script.options.map(({ name, value }) => [name, value])).toEqual([
      ['ip_version', 'ipv4'],
      ['tolerance_usecs', '9000'],
    ]);
    expect(script.init?.text).toBe('init');
    expect(script.events.map(({ line, text }) => [line, text])).toEqual([
      [4, '0 close(3) = 0'],
      [5, '+1 close(4) = 0'],
    ]);
  });

  test('has times of all kinds', () => {
    const source = '0 > . 1:1(0)\n0.1~.2 > . 1:1(0)\n+.1~+0.2 > . 1:1(0)\n* > . 1:1(0)\n+1...2.5 close(3) = 0';
    const times = parse(source).events.map(({ time }) => time);
    expect(times.map(({ kind, us, endUs }) => [kind, us, endUs])).toEqual([
      ['absolute', 0, 0],
      ['absolute-range', 100_000, 200_000],
      ['relative-range', 100_000, 200_000],
      ['any', 0, 0],
      ['relative', 1_000_000, 1_000_000],
    ]);
    expect((parse(source).events[4]!.action as CallAction).endUs).toBe(2_500_000);
  });

  test('replaces words that it defines', () => {
    expect(tcp('> S 0:0(0) <mss 1000>').options).toEqual([{ kind: 'mss', value: 1000 }]);
    const script = parse('--define=SIZE=1000\n0 > S 0:0(0) <mss SIZE>');
    expect(((script.events[0]!.action as PacketAction).payload as TcpSpec).options).toEqual([
      { kind: 'mss', value: 1000 },
    ]);
  });

  test.each([
    ['0 frobnicate', "expected '('"],
    ['0 > X 1:1(0)', "invalid TCP flag: 'X'"],
    ['0 > . 1:2(0)', 'inconsistent TCP sequence numbers'],
    ['0 < . 1:1(0) ack 1', 'window must be specified'],
    ['0 < . 1:1(0) win 5 <...>', 'outbound packets only'],
    ['0~1 < . 1:1(0) win 5', 'outbound packets only'],
    ['2~1 > . 1:1(0)', 'time range is backwards'],
    ['0 > S 0:0(0) <mss 70000>', 'mss out of range'],
    ['', 'without events'],
  ])('is refused with a reason: %s', (source, reason) => {
    expect(() => parse(source)).toThrow(reason);
    expect(() => parse(source)).toThrow(ScriptError);
  });

  test.each([
    ['0 > SA 0:0(0)', 'AccECN'],
    ['0 > S. 0:0(0) <mss 1460,ECN e1b 1>', 'AccECN'],
    ['0 > . 1:1(0) <nop,nop,md5 00112233445566778899aabbccddeeff>', 'MD5'],
    ['0 > ipv4 1.2.3.4 > 5.6.7.8: . 1:1(0)', 'encapsulated'],
    ['0 > encap psp spi 0x1 . 1:1(0)', 'PSP'],
  ])('that wants what is not there is unsupported: %s', (source, reason) => {
    expect(() => parse(source)).toThrow(Unsupported);
    expect(() => parse(source)).toThrow(reason);
  });
});

describe('a packet line', () => {
  test('of TCP has flags, numbers, window, urgent pointer and options in their order', () => {
    const spec = tcp('< FPUEW. 1:1001(1000) ack 5 win 257 urg 7 <nop,nop,TS val 1 ecr 2,sack 1:2 3:4,eol>');
    const { Fin, Psh, Urg, Ece, Cwr, Ack } = TcpFlag;
    expect(spec).toMatchObject({ flags: Fin | Psh | Urg | Ece | Cwr | Ack, seq: 1, length: 1000, ack: 5 });
    expect(spec).toMatchObject({ window: 257, urgent: 7 });
    expect(spec.options).toEqual([
      { kind: 'nop' },
      { kind: 'nop' },
      { kind: 'TS', val: 1, ecr: 2 },
      {
        kind: 'sack',
        blocks: [
          [1, 2],
          [3, 4],
        ],
      },
      { kind: 'eol' },
    ]);
  });

  test('may leave the options open', () => {
    expect(tcp('> S 0:0(0) <...>').options).toBeNull();
    expect(tcp('> S 0:0(0)').options).toEqual([]);
  });

  test('has Fast Open cookies that look like words, numbers, or nothing', () => {
    expect(tcp('> S 0:0(0) <FO abcd1234,FOEXP 12345678,FO>').options).toEqual([
      { kind: 'FO', cookie: 'abcd1234' },
      { kind: 'FOEXP', cookie: '12345678' },
      { kind: 'FO', cookie: '' },
    ]);
  });

  test('says what it knows of the IP header', () => {
    expect(packet('> [ect0] . 1:1(0)').ip).toEqual({ ecn: 2, tos: -1, ttl: -1, flowLabel: -1 });
    expect(packet('> (tos 0x14) . 1:1(0)').ip.tos).toBe(0x14);
    expect(packet('> [ect01, flowlabel 0x5] . 1:1(0)').ip).toMatchObject({ ecn: -2, flowLabel: 5 });
    expect(packet('> [ttl 7] . 1:1(0)').ip.ttl).toBe(7);
  });

  test('may name ports', () => {
    expect(tcp('< 1000 > 2000 S 0:0(0) win 5')).toMatchObject({ srcPort: 1000, dstPort: 2000 });
  });

  test('of ICMP quotes a segment', () => {
    expect(packet('< icmp unreachable frag_needed mtu 1200 [1:1001(1000)]').payload).toEqual({
      protocol: 'icmp',
      type: 'unreachable',
      code: 'frag_needed',
      mtu: 1200,
      id: 0,
      echoed: { protocol: 'tcp', seq: 1, length: 1000 },
    });
  });

  test('of ICMP may quote in front, as early scripts do', () => {
    const { payload } = packet('< icmp unreachable frag_needed mtu 1200 [1:1001(1000)]');
    expect(packet('< [1:1001(1000)] icmp unreachable frag_needed mtu 1200').payload).toEqual(payload);
    expect(packet('< [udp (100)] icmp source_quench').payload).toMatchObject({ echoed: { protocol: 'udp' } });
    expect(() => packet('< [1:1001(1000)] . 1:1(0) win 5')).toThrow("expected 'icmp'");
  });

  test('of UDP has a size', () => {
    expect(packet('< udp (1000)').payload).toMatchObject({ protocol: 'udp', length: 1000 });
  });
});

describe('a call line', () => {
  test('has arguments, a result, an error and a note', () => {
    const action = call('connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)');
    expect(action).toMatchObject({ name: 'connect', errno: 'EINPROGRESS', endUs: -1 });
    expect(action.args.map(({ t }) => t)).toEqual(['number', 'ellipsis', 'ellipsis']);
  });

  test('joins flags and reads structures', () => {
    const action = call('epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN|EPOLLET, fd=4}) = 0');
    expect(action.args[3]).toMatchObject({ t: 'struct' });
    const message = call('sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 100}], msg_flags=0}, 0) = 100').args[1]!;
    expect(message.t === 'struct' && [...message.fields.keys()]).toEqual(['msg_name', 'msg_iov', 'msg_flags']);
  });

  test('reads strings that stand side by side as one, with escapes', () => {
    expect(call('setsockopt(3, SOL_TCP, TCP_CONGESTION, "re" "no\\0", 5) = 0').args[3]).toEqual({
      t: 'string',
      value: 'reno\0',
    });
  });
});
