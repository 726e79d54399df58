/**
 * Packet lines: `> P. 1:1001(1000) ack 1 win 100 <nop,nop,TS val 1 ecr 2>`, UDP `< udp (1000)`, ICMP
 * `< icmp unreachable frag_needed mtu 1200 [1:1001(1000)]`; before them `[ect0]`, `(tos 0x4)`, `[ttl 5]`. Early scripts say what
 * ICMP quotes in front of the word: `< [1:1001(1000)] icmp unreachable`.
 */
import { TcpFlag } from '../wire/tcp.ts';
import type { EchoedSpec, IcmpSpec, IpSpec, PacketAction, TcpOptionSpec, TcpSpec, UdpSpec } from './ast.ts';
import { ScriptError, Unsupported } from './script-error.ts';
import type { TokenStream } from './token-stream.ts';

const U32 = 0xffffffff;
const U16 = 0xffff;

const FLAG_BITS: Readonly<Record<string, number>> = {
  '.': TcpFlag.Ack,
  F: TcpFlag.Fin,
  S: TcpFlag.Syn,
  R: TcpFlag.Rst,
  P: TcpFlag.Psh,
  U: TcpFlag.Urg,
  E: TcpFlag.Ece,
  W: TcpFlag.Cwr,
};

const ECN_BITS: Readonly<Record<string, number>> = { noecn: 0, ect1: 1, ect0: 2, ce: 3, ect01: -2 };
const NO_IP: IpSpec = { ecn: -1, tos: -1, ttl: -1, flowLabel: -1 };

export function parsePacket(tokens: TokenStream): PacketAction {
  const { line } = tokens;
  const inbound = tokens.accept('<');
  if (!inbound) tokens.expect('>');
  for (const outer of ['ipv4', 'ipv6', 'gre', 'GREv0', 'mpls']) {
    if (tokens.is(outer)) throw new Unsupported(line, `encapsulated packets (${outer})`);
  }
  for (const protocol of ['sctp', 'udplite', 'dccp']) {
    if (tokens.is(protocol)) throw new Unsupported(line, `packets of ${protocol.toUpperCase()}`);
  }
  const quotesFirst = tokens.is('[') && (tokens.isKind('integer', 1) || tokens.is('udp', 1) || tokens.is('raw', 1));
  if (quotesFirst) {
    const echoed = parseEchoed(tokens);
    if (!isIcmp(tokens)) throw tokens.wrong("'icmp'");
    return { kind: 'packet', inbound, ip: NO_IP, payload: { ...parseIcmp(tokens), echoed } };
  }
  const ip = parseIp(tokens);
  if (ip.ecn === -2 && inbound) throw new ScriptError(line, '[ect01] goes with outbound packets only');
  if (tokens.is('encap')) throw new Unsupported(line, 'encapsulated packets (PSP)');
  const payload = tokens.is('udp') ? parseUdp(tokens) : isIcmp(tokens) ? parseIcmp(tokens) : parseTcp(tokens, inbound);
  return { kind: 'packet', inbound, ip, payload };
}

function isIcmp(tokens: TokenStream): boolean {
  return tokens.is('icmp') || tokens.is('icmpv6');
}

function parseIp(tokens: TokenStream): IpSpec {
  const close = tokens.is('[') ? ']' : tokens.is('(') ? ')' : '';
  if (close === '') return NO_IP;
  tokens.take();
  let { ecn, tos, ttl, flowLabel } = NO_IP;
  do {
    const word = tokens.expectKind('word', 'ECN, tos, ttl or flowlabel');
    if (word.text === 'tos') tos = tokens.integer('tos', 0, 0xff);
    else if (word.text === 'ttl') ttl = tokens.integer('ttl', 0, 0xff);
    else if (word.text === 'flowlabel') flowLabel = tokens.integer('flow label', 0, 0xfffff);
    else if (word.text in ECN_BITS) ecn = ECN_BITS[word.text]!;
    else throw new ScriptError(word.line, `syntax error: no such IP field: ${word.text}`);
  } while (tokens.accept(','));
  tokens.expect(close);
  return { ecn, tos, ttl, flowLabel };
}

function parsePorts(tokens: TokenStream): [number, number] {
  if (!tokens.isKind('integer') || !tokens.is('>', 1)) return [0, 0];
  const srcPort = tokens.integer('port', 0, U16);
  tokens.expect('>');
  return [srcPort, tokens.integer('port', 0, U16)];
}

function parseUdp(tokens: TokenStream): UdpSpec {
  tokens.take();
  const [srcPort, dstPort] = parsePorts(tokens);
  tokens.expect('(');
  const length = tokens.integer('UDP payload size', 0, U16);
  tokens.expect(')');
  return { protocol: 'udp', srcPort, dstPort, length };
}

function parseIcmp(tokens: TokenStream): IcmpSpec {
  tokens.take();
  const type = tokens.expectKind('word', 'ICMP type').text;
  const hasCode = tokens.isKind('word') && !tokens.is('mtu') && !tokens.is('id');
  const code = hasCode ? tokens.take().text : '';
  const mtu = tokens.accept('mtu') ? tokens.integer('MTU', 0, U32) : -1;
  const id = tokens.accept('id') ? tokens.integer('id', 0, U16) : 0;
  return { protocol: 'icmp', type, code, mtu, id, echoed: parseEchoed(tokens) };
}

function parseEchoed(tokens: TokenStream): EchoedSpec {
  // As when nothing is said: an event time may begin with a bracket nowhere.
  if (!tokens.accept('[')) return { protocol: 'tcp', seq: 0, length: 0 };
  let echoed: EchoedSpec;
  if (tokens.is('udp') || tokens.is('raw')) {
    const protocol = tokens.take().text as 'udp' | 'raw';
    tokens.expect('(');
    echoed = { protocol, seq: 0, length: tokens.integer('payload size', 0, U16) };
    tokens.expect(')');
  } else {
    const { seq, length } = parseSequence(tokens);
    echoed = { protocol: 'tcp', seq, length };
  }
  tokens.expect(']');
  return echoed;
}

function parseTcp(tokens: TokenStream, inbound: boolean): TcpSpec {
  const [srcPort, dstPort] = parsePorts(tokens);
  const { line } = tokens;
  const flags = parseFlags(tokens);
  const { seq, length } = parseSequence(tokens);
  const ack = tokens.accept('ack') ? tokens.integer('ack', 0, U32) : 0;
  const window = tokens.accept('win') ? tokens.integer('window', 0, U16) : -1;
  const urgent = tokens.accept('urg') ? tokens.integer('urgent pointer', 0, U16) : 0;
  const options = parseOptions(tokens);
  if (inbound && window < 0) throw new ScriptError(line, 'window must be specified for inbound packets');
  if (inbound && options === null) throw new ScriptError(line, '<...> goes with outbound packets only');
  return { protocol: 'tcp', srcPort, dstPort, flags, seq, length, ack, window, urgent, options };
}

function parseFlags(tokens: TokenStream): number {
  const { line } = tokens;
  if (tokens.accept('-')) return 0;
  let text = tokens.isKind('word') ? tokens.take().text : '';
  if (tokens.accept('.')) text += '.';
  else if (tokens.isKind('float')) text += tokens.take().text;
  if (text === '') throw tokens.wrong('TCP flags');
  let flags = 0;
  for (const letter of text) {
    if (/[A0-7]/.test(letter)) throw new Unsupported(line, `AccECN (flags ${text})`);
    const bit = FLAG_BITS[letter];
    if (bit === undefined) throw new ScriptError(line, `invalid TCP flag: '${letter}'`);
    flags |= bit;
  }
  return flags;
}

function parseSequence(tokens: TokenStream): { seq: number; length: number } {
  const { line } = tokens;
  const seq = tokens.integer('sequence number', 0, U32);
  tokens.expect(':');
  const end = tokens.integer('sequence number', 0, U32);
  tokens.expect('(');
  const length = tokens.integer('TCP payload size', 0, U16);
  tokens.expect(')');
  if ((seq + length) >>> 0 !== end) {
    throw new ScriptError(line, 'inconsistent TCP sequence numbers and payload size');
  }
  return { seq, length };
}

function parseOptions(tokens: TokenStream): TcpOptionSpec[] | null {
  // `<` may also begin the action of nothing: an event always has a time first.
  if (!tokens.accept('<')) return [];
  if (tokens.isKind('ellipsis')) {
    tokens.take();
    tokens.expect('>');
    return null;
  }
  const options: TcpOptionSpec[] = [];
  do options.push(parseOption(tokens));
  while (tokens.accept(','));
  tokens.expect('>');
  return options;
}

function parseOption(tokens: TokenStream): TcpOptionSpec {
  const word = tokens.expectKind('word', 'a TCP option');
  switch (word.text) {
    case 'nop':
    case 'eol':
    case 'sackOK':
      return { kind: word.text };
    case 'mss':
      return { kind: 'mss', value: tokens.integer('mss', 0, U16) };
    case 'wscale':
      return { kind: 'wscale', value: tokens.integer('window scale', 0, 0xff) };
    case 'TS': {
      tokens.expect('val');
      const val = tokens.integer('ts val', 0, U32);
      tokens.expect('ecr');
      return { kind: 'TS', val, ecr: tokens.integer('ecr val', 0, U32) };
    }
    case 'sack':
      return { kind: 'sack', blocks: parseSackBlocks(tokens) };
    case 'FO':
    case 'FOEXP':
      return { kind: word.text, cookie: parseCookie(tokens) };
    case 'md5':
      throw new Unsupported(word.line, 'TCP MD5 signatures');
    case 'ECN':
      throw new Unsupported(word.line, 'AccECN');
    case 'mp_capable':
    case 'mp_join':
    case 'dss':
      throw new Unsupported(word.line, 'MPTCP');
    default:
      throw new ScriptError(word.line, `syntax error: no such TCP option: ${word.text}`);
  }
}

function parseSackBlocks(tokens: TokenStream): [number, number][] {
  const blocks: [number, number][] = [];
  do {
    const left = tokens.integer('SACK edge', 0, U32);
    tokens.expect(':');
    blocks.push([left, tokens.integer('SACK edge', 0, U32)]);
  } while (tokens.isKind('integer'));
  return blocks;
}

/** Hexadecimal digits, which may look like a word, a number, or one behind the other. */
function parseCookie(tokens: TokenStream): string {
  if (!tokens.isKind('word') && !tokens.isKind('integer')) return '';
  const { text, line } = tokens.take();
  if (text === 'TFO_COOKIE' || text === 'TFO_COOKIE_ZERO') return text;
  if (!/^(?:[0-9a-fA-F]{2})+$/.test(text)) throw new ScriptError(line, `not a cookie: ${text}`);
  return text.toLowerCase();
}
