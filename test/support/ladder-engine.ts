/**
 * Ladders on the engine alone: text in, text out, in packetdrill's notation (numbers relative to each side's ISS).
 *
 *   ladder('claim (RFC n MUST-m)', `
 *        0ms  app   connect
 *        0ms  host  > S 0:0(0) win 65535 <mss 1460,wscale 2>
 *       10ms  peer  < S. 0:0(0) ack 1 win 29200 <mss 1460>
 *       10ms  app   established
 *       10ms  host  > . 1:1(0) ack 1
 *       10ms  tcb   state=ESTABLISHED cwnd=14600
 *   `);
 *
 * Injected: `peer` segments (`[ce]` before the flags: marked on the way); `app` connect, listen, send n [n…], send+more n (MSG_MORE),
 * send+eor n (MSG_EOR), send+more+eor n, send+close n, close, abort, consume n, set FLAG, clear FLAG (TcpCachedFlag), push (TCP_NODELAY does it); `link room n` (so
 * many segments find room; `link room` for no limit) and `link pool n`. Checked: every `host` segment, with nothing
 * missing and nothing more; `app` upcalls where they are listed; `tcb` fields; `app refused call` that a call is refused.
 * Of a `host` line, window and options count only where they are written; TS values are ticks since the ladder began.
 *
 * Every ladder runs with ordinary numbers, with sequence numbers that wrap at 2^32, and with ticks and numbers that wrap
 * at 2^31.
 */
import { describe, test } from 'vitest';
import { assert } from '../../src/base/assert.ts';
import { TCP_STATE_NAMES, TcpCachedFlag } from '../../src/tcp/tcb.ts';
import { TcpFlag, TcpHeader } from '../../src/wire/tcp.ts';
import { formatTcpFlags } from '../../src/wire/print-tcp.ts';
import { type Emitted, Endpoint, type EndpointOptions } from './tcp-endpoint.ts';

const VARIANTS = [
  { name: '', iss: 1000, irs: 5000, startTick: 0 },
  { name: ' [numbers wrap at 2^32]', iss: -30, irs: -51, startTick: -3 },
  { name: ' [numbers and ticks wrap at 2^31]', iss: 0x7fffffe0, irs: 0x7fffffd0, startTick: 0x7ffffff6 },
] as const;

export type State = (typeof TCP_STATE_NAMES)[number];

export interface LadderOptions extends EndpointOptions {
  /** The state the ladder begins in; CLOSED unless said otherwise. See `inState`. */
  readonly from?: State;
}

interface Line {
  readonly time: number;
  readonly actor: string;
  readonly event: string;
  readonly text: string;
}

class Mismatch extends Error {}

let shared: Endpoint | undefined;

/** One endpoint's memory serves all tests of a file, one after the other. */
export function freshEndpoint(options: EndpointOptions = {}): Endpoint {
  shared ??= new Endpoint();
  shared.reset(options);
  return shared;
}

export function ladder(name: string, text: string, options: LadderOptions = {}): void {
  describe(name, () => {
    for (const variant of VARIANTS) {
      test(`${name}${variant.name}`, () => runLadder(text, { ...variant, ...options }));
    }
  });
}

export function runLadder(text: string, options: LadderOptions = {}): Endpoint {
  const endpoint = inState(options.from ?? 'CLOSED', options);
  new Runner(endpoint, parseLines(text)).run();
  return endpoint;
}

// --- fixtures in a state ---

/** How each state is reached; afterwards the clock is at 0 and nothing is recorded. */
const WAYS: Record<State, readonly string[]> = {
  CLOSED: [],
  LISTEN: ['app listen'],
  'SYN-SENT': ['app connect'],
  'SYN-RECEIVED': ['app listen', 'peer < S 0:0(0) win 65535 <mss 1460>'],
  ESTABLISHED: ['app connect', 'peer < S. 0:0(0) ack 1 win 65535 <mss 1460>'],
  'FIN-WAIT-1': ['app connect', 'peer < S. 0:0(0) ack 1 win 65535 <mss 1460>', 'app close'],
  'FIN-WAIT-2': [
    'app connect',
    'peer < S. 0:0(0) ack 1 win 65535 <mss 1460>',
    'app close',
    'peer < . 1:1(0) ack 2 win 65535',
  ],
  'CLOSE-WAIT': ['app connect', 'peer < S. 0:0(0) ack 1 win 65535 <mss 1460>', 'peer < F. 1:1(0) ack 1 win 65535'],
  CLOSING: [
    'app connect',
    'peer < S. 0:0(0) ack 1 win 65535 <mss 1460>',
    'app close',
    'peer < F. 1:1(0) ack 1 win 65535',
  ],
  'LAST-ACK': [
    'app connect',
    'peer < S. 0:0(0) ack 1 win 65535 <mss 1460>',
    'peer < F. 1:1(0) ack 1 win 65535',
    'app close',
  ],
  'TIME-WAIT': [
    'app connect',
    'peer < S. 0:0(0) ack 1 win 65535 <mss 1460>',
    'app close',
    'peer < F. 1:1(0) ack 2 win 65535',
  ],
};

export function inState(state: State, options: EndpointOptions = {}): Endpoint {
  const endpoint = freshEndpoint({ params: {}, ...options });
  const runner = new Runner(endpoint, []);
  for (const way of WAYS[state]) {
    const [actor, ...event] = way.split(' ');
    runner.inject(actor!, event.join(' '));
  }
  assert(state === 'LISTEN' || endpoint.stateName === state, `the fixture is in ${endpoint.stateName}, not ${state}`);
  endpoint.events.length = 0;
  return endpoint;
}

export const synSent = (options?: EndpointOptions): Endpoint => inState('SYN-SENT', options);
export const synReceived = (options?: EndpointOptions): Endpoint => inState('SYN-RECEIVED', options);
export const established = (options?: EndpointOptions): Endpoint => inState('ESTABLISHED', options);
export const finWait1 = (options?: EndpointOptions): Endpoint => inState('FIN-WAIT-1', options);
export const finWait2 = (options?: EndpointOptions): Endpoint => inState('FIN-WAIT-2', options);
export const closeWait = (options?: EndpointOptions): Endpoint => inState('CLOSE-WAIT', options);
export const closing = (options?: EndpointOptions): Endpoint => inState('CLOSING', options);
export const lastAck = (options?: EndpointOptions): Endpoint => inState('LAST-ACK', options);
export const timeWait = (options?: EndpointOptions): Endpoint => inState('TIME-WAIT', options);

// --- text ---

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

export function parseLines(text: string): Line[] {
  const lines: Line[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.replace(/\/\/.*$/, '').trim();
    if (line === '') continue;
    const match = /^([\d.]+)(ms|s|m|h)\s+(app|host|peer|link|tcb)\s+(.*)$/.exec(line);
    if (match === null) throw new Mismatch(`not a ladder line: ${line}`);
    const time = Math.round(Number(match[1]) * UNITS[match[2]!]!);
    lines.push({ time, actor: match[3]!, event: match[4]!.trim(), text: line });
  }
  return lines;
}

interface SegmentText {
  /** ECN bits of the datagram, -1: not said. */
  ecn: number;
  flags: number;
  first: number;
  length: number;
  ack: number;
  window: number;
  options: string[] | null;
}

const FLAG_OF: Record<string, number> = {
  S: TcpFlag.Syn,
  '.': TcpFlag.Ack,
  P: TcpFlag.Psh,
  F: TcpFlag.Fin,
  R: TcpFlag.Rst,
  U: TcpFlag.Urg,
  E: TcpFlag.Ece,
  W: TcpFlag.Cwr,
};

const ECN_OF: Record<string, number> = { noecn: 0, ect1: 1, ect0: 2, ce: 3 };

export function parseSegment(text: string): SegmentText {
  const match =
    /^[<>]\s+(?:\[(\w+)\]\s+)?([SFRPUEW.-]+)\s+(-?\d+):(-?\d+)\((\d+)\)(?:\s+ack\s+(-?\d+))?(?:\s+win\s+(\d+))?(?:\s+<([^>]*)>)?$/.exec(
      text,
    );
  if (match === null) throw new Mismatch(`not a segment: ${text}`);
  const [, ecn, letters, from, to, count, ack, window, list] = match;
  let flags = 0;
  for (const letter of letters!) flags |= FLAG_OF[letter] ?? 0;
  const first = Number(from);
  const length = Number(count);
  if (Number(to) !== first + length) throw new Mismatch(`${text}: the range is not ${length} long`);
  if (((flags & TcpFlag.Ack) !== 0) !== (ack !== undefined)) throw new Mismatch(`${text}: "." and ack go together`);
  const options = list === undefined ? null : list.split(',').map(option => option.trim());
  return {
    ecn: ecn === undefined ? -1 : ECN_OF[ecn]!,
    flags,
    first,
    length,
    ack: ack === undefined ? 0 : Number(ack),
    window: window === undefined ? -1 : Number(window),
    options: options === null ? null : options.filter(option => option !== ''),
  };
}

/** A segment of ours as a ladder writes it. */
export function formatEmitted(endpoint: Endpoint, { header, ecn }: Emitted): string {
  const isReply = (header.flags & TcpFlag.Rst) !== 0 && header.window === 0;
  const first = (header.segSeq - (isReply && (header.flags & TcpFlag.Ack) !== 0 ? 0 : endpoint.iss)) | 0;
  const bits = ecn === 0 ? '' : `[${Object.keys(ECN_OF)[ecn]}] `;
  let text = `> ${bits}${formatTcpFlags(header.flags)} ${first}:${first + header.payloadLength}(${header.payloadLength})`;
  if ((header.flags & TcpFlag.Ack) !== 0) text += ` ack ${(header.segAck - endpoint.irs) | 0}`;
  text += ` win ${header.window}`;
  const options: string[] = [];
  if (header.mss >= 0) options.push(`mss ${header.mss}`);
  if (header.sackPermitted) options.push('sackOK');
  if (header.hasTimestamp) {
    const value = (header.tsVal - endpoint.tcb.tsOffset - endpoint.startTick) | 0;
    options.push(`TS val ${value} ecr ${header.tsEcr}`);
  }
  if (header.windowScale >= 0) options.push(`wscale ${header.windowScale}`);
  if (header.sackCount > 0) options.push(`sack ${sackBlocks(header, endpoint.irs)}`);
  return options.length > 0 ? `${text} <${options.join(',')}>` : text;
}

/** Relative to the ISS of whoever sent the text. */
function sackBlocks({ sackLeft, sackRight, sackCount }: TcpHeader, iss: number): string {
  const blocks: string[] = [];
  for (let i = 0; i < sackCount; i++) blocks.push(`${(sackLeft[i]! - iss) | 0}:${(sackRight[i]! - iss) | 0}`);
  return blocks.join(' ');
}

function matches(expected: SegmentText, actual: SegmentText): boolean {
  return (
    Math.max(0, expected.ecn) === Math.max(0, actual.ecn) &&
    expected.flags === actual.flags &&
    expected.first === actual.first &&
    expected.length === actual.length &&
    expected.ack === actual.ack &&
    (expected.window < 0 || expected.window === actual.window) &&
    (expected.options === null || expected.options.join() === (actual.options ?? []).join())
  );
}

function sideBySide(expected: readonly string[], actual: readonly string[]): string {
  const width = Math.max(8, ...expected.map(line => line.length)) + 2;
  const rows = [`${'EXPECTED'.padEnd(width)}| ACTUAL`];
  for (let i = 0; i < Math.max(expected.length, actual.length); i++) {
    rows.push(`${(expected[i] ?? '').padEnd(width)}| ${actual[i] ?? ''}`);
  }
  return rows.join('\n');
}

// --- running ---

class Runner {
  readonly #endpoint: Endpoint;
  readonly #lines: readonly Line[];
  /** Everything that happened, for the right-hand column. */
  readonly #actual: string[] = [];
  #seen = 0;
  readonly #segments: { time: number; text: string }[] = [];
  readonly #upcalls: { time: number; text: string }[] = [];

  constructor(endpoint: Endpoint, lines: readonly Line[]) {
    this.#endpoint = endpoint;
    this.#lines = lines;
  }

  run(): void {
    let line: Line | undefined;
    try {
      for (line of this.#lines) this.#runLine(line);
      line = undefined;
      this.#nothingMore('at the end');
    } catch (cause) {
      this.#collect();
      const expected = this.#lines.map(each => (each === line ? `* ${each.text}` : `  ${each.text}`));
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${why}\n${sideBySide(expected, this.#actual)}\n`, { cause });
    }
  }

  #runLine(line: Line): void {
    const endpoint = this.#endpoint;
    if (line.time < endpoint.time) throw new Mismatch('time runs backwards');
    if (line.time > endpoint.time) {
      // Up to just before, so that what a timer sends too early is told from what it sends in time.
      endpoint.advanceTo((endpoint.startTick + line.time - 1) | 0);
      endpoint.checkInvariants();
      this.#collect();
      this.#nothingMore(`before ${line.time}ms`);
      endpoint.advanceTo((endpoint.startTick + line.time) | 0);
    }
    this.#collect();
    if (line.actor === 'host') this.#expectSegment(line);
    else if (line.actor === 'tcb') this.#expectFields(line);
    else if (line.actor === 'app' && isUpcall(line.event)) this.#expectUpcall(line);
    else {
      this.#nothingMore(`when "${line.text}" is due`);
      this.#actual.push(`${line.time}ms ${line.actor} ${line.event}`);
      this.inject(line.actor, line.event);
      this.#collect();
    }
    endpoint.checkInvariants();
  }

  #collect(): void {
    const { events } = this.#endpoint;
    for (; this.#seen < events.length; this.#seen++) {
      const event = events[this.#seen]!;
      const text = event.kind === 'segment' ? formatEmitted(this.#endpoint, event) : event.text;
      (event.kind === 'segment' ? this.#segments : this.#upcalls).push({ time: event.time, text });
      this.#actual.push(`${event.time}ms ${event.kind === 'segment' ? 'host' : 'app'} ${text}`);
    }
  }

  #nothingMore(when: string): void {
    const first = this.#segments[0];
    if (first !== undefined) throw new Mismatch(`unexpected ${when}: ${first.time}ms host ${first.text}`);
  }

  #expectSegment(line: Line): void {
    const actual = this.#segments.shift();
    if (actual === undefined) throw new Mismatch(`nothing was sent, expected ${line.text}`);
    if (actual.time !== line.time) throw new Mismatch(`sent at ${actual.time}ms, expected ${line.text}`);
    if (!matches(parseSegment(line.event), parseSegment(actual.text))) {
      throw new Mismatch(`sent ${actual.text}\nexpected ${line.text}`);
    }
  }

  #expectUpcall(line: Line): void {
    const wanted = line.event;
    const at = this.#upcalls.findIndex(upcall => upcall.text === wanted && upcall.time === line.time);
    if (at < 0) throw new Mismatch(`no upcall "${wanted}" at ${line.time}ms`);
    this.#upcalls.splice(0, at + 1);
  }

  #expectFields(line: Line): void {
    const endpoint = this.#endpoint;
    const { tcb } = endpoint;
    for (const pair of line.event.split(/\s+/)) {
      const [field, value] = pair.split('=') as [string, string];
      let actual: string;
      if (field === 'state') actual = TCP_STATE_NAMES[tcb.state]!;
      else if (/^(?:snd(?:Una|Nxt|Max)|recover)$/.test(field)) actual = String((read(tcb, field) - endpoint.iss) | 0);
      else if (field === 'rcvNxt') actual = String((tcb.rcvNxt - endpoint.irs) | 0);
      else actual = String(read(tcb, field));
      if (actual !== value) throw new Mismatch(`${field} is ${actual}, expected ${value}`);
    }
  }

  inject(actor: string, event: string): void {
    if (actor === 'peer') this.#injectSegment(parseSegment(event));
    else if (actor === 'link') this.#setLink(event);
    else this.#call(event);
  }

  #injectSegment(segment: SegmentText): void {
    const endpoint = this.#endpoint;
    const header = new TcpHeader();
    header.flags = segment.flags;
    header.congestionExperienced = segment.ecn === ECN_OF.ce;
    header.segSeq = (endpoint.irs + segment.first) | 0;
    header.segAck = (segment.flags & TcpFlag.Ack) !== 0 ? (endpoint.iss + segment.ack) | 0 : 0;
    header.window = segment.window < 0 ? 65535 : segment.window;
    for (const option of segment.options ?? []) {
      const words = option.split(/\s+/);
      if (words[0] === 'mss') header.mss = Number(words[1]);
      else if (words[0] === 'wscale') header.windowScale = Number(words[1]);
      else if (words[0] === 'sackOK') header.sackPermitted = true;
      else if (words[0] === 'sack') this.#setSack(header, words.slice(1));
      else if (words[0] === 'TS') {
        header.hasTimestamp = true;
        header.tsVal = Number(words[2]);
        // Relative to our timestamp clock, as they are printed; `ecr -` for none.
        if (words[4] !== '-') header.tsEcr = (Number(words[4]) + endpoint.tcb.tsOffset + endpoint.startTick) | 0;
      } else throw new Mismatch(`unknown option ${option}`);
    }
    const syn = (segment.flags & TcpFlag.Syn) !== 0 ? 1 : 0;
    endpoint.inject(header, segment.length, segment.first + syn - 1);
  }

  #setSack(header: TcpHeader, blocks: readonly string[]): void {
    for (const block of blocks) {
      const [left, right] = block.split(':').map(Number) as [number, number];
      header.sackLeft[header.sackCount] = (this.#endpoint.iss + left) | 0;
      header.sackRight[header.sackCount++] = (this.#endpoint.iss + right) | 0;
    }
  }

  #setLink(event: string): void {
    const [what, count] = event.split(' ');
    const limit = count === undefined ? Infinity : Number(count);
    if (what === 'room') this.#endpoint.unblock(limit);
    else if (what === 'pool') this.#endpoint.takes = limit;
    else throw new Mismatch(`link has room and pool, not ${event}`);
  }

  #call(event: string): void {
    const words = event.split(/\s+/);
    const refused = words[0] === 'refused';
    if (refused) words.shift();
    const numbers = words.slice(1).map(Number);
    const accepted = this.#userCall(words[0]!, numbers, words[1] ?? '');
    if (accepted === refused) throw new Mismatch(`${words[0]} was ${accepted ? 'accepted' : 'refused'}`);
  }

  #userCall(name: string, numbers: number[], argument: string): boolean {
    const endpoint = this.#endpoint;
    switch (name) {
      case 'connect':
        endpoint.connect();
        return true;
      case 'listen':
        endpoint.listen();
        return true;
      case 'send':
        return endpoint.send(...numbers);
      case 'send+more':
        return endpoint.sendMore(...numbers);
      case 'send+eor':
      case 'send+more+eor':
        return endpoint.sendRecord(name !== 'send+eor', ...numbers);
      case 'set':
      case 'clear':
        endpoint.setFlag(TcpCachedFlag[argument as keyof typeof TcpCachedFlag], name === 'set');
        return true;
      case 'push':
        endpoint.push();
        return true;
      case 'send+close':
        return endpoint.sendAndClose(...numbers);
      case 'close':
        return endpoint.close();
      case 'abort':
        endpoint.abort();
        return true;
      case 'consume':
        endpoint.consume(numbers[0]!);
        return true;
      default:
        throw new Mismatch(`unknown call ${name}`);
    }
  }
}

function isUpcall(event: string): boolean {
  return /^(?:established|received|sent|peer closed|FIN acknowledged|TIME-WAIT|closed)\b/.test(event);
}

function read(tcb: Endpoint['tcb'], field: string): number {
  const value: unknown = Reflect.get(tcb, field);
  if (typeof value !== 'number') throw new Mismatch(`the TCB has no field ${field}`);
  return value;
}
