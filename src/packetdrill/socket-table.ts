/**
 * `ss`: the TCP sockets of the host under test, one a line, with state, queues and both addresses. Which are shown its words
 * say: a state, ports, addresses; without any those that are connected.
 */
import { TCP_STATE_NAMES, TcpState } from '../tcp/tcb.ts';
import { prefixMask } from '../wire/ipv4.ts';
import { parseIpv4Address } from '../wire/ipv4-text.ts';
import { commonPrefixLength } from '../wire/ipv6-address.ts';
import { formatIpv6, parseIpv6Address } from '../wire/ipv6-text.ts';
import { ScriptError, Unsupported } from './script-error.ts';
import type { SocketWorld } from './socket-world.ts';

interface Entry {
  readonly state: string;
  readonly receiveQueue: number;
  readonly sendQueue: number;
  readonly local: string;
  readonly localPort: number;
  readonly remote: string;
  readonly remotePort: number;
}

type Test = (entry: Entry) => boolean;

/** By the names of RFC 9293; `ss` writes some of them in its own way. */
const OWN_NAMES: Readonly<Record<string, string>> = { ESTABLISHED: 'ESTAB', 'SYN-RECEIVED': 'SYN-RECV' };
const STATES: Readonly<Record<string, readonly string[]>> = {
  established: ['ESTAB'],
  'syn-sent': ['SYN-SENT'],
  'syn-recv': ['SYN-RECV'],
  'fin-wait-1': ['FIN-WAIT-1'],
  'fin-wait-2': ['FIN-WAIT-2'],
  'time-wait': ['TIME-WAIT'],
  'close-wait': ['CLOSE-WAIT'],
  'last-ack': ['LAST-ACK'],
  listening: ['LISTEN'],
  listen: ['LISTEN'],
  closing: ['CLOSING'],
  bucket: ['SYN-RECV', 'TIME-WAIT'],
};
/** Those of no group: they are shown when nothing is said. */
const NOT_SHOWN = new Set(['LISTEN', 'SYN-RECV', 'TIME-WAIT']);
const NOT_CONNECTED = new Set(['LISTEN']);

/** They ask for more columns, or say what is so anyway: addresses are numbers, and TCP's. */
const WITHOUT_MEANING = /^(?:-[nteoimHOs]+|--(?:numeric|tcp|extended|options|info|memory|no-header|oneline))$/;

export function socketLines(args: readonly string[], world: SocketWorld, line: number): readonly string[] {
  const isIpv6 = world.settings.ends.version === 6 || world.settings.mapsIpv4;
  const tests = testsOf(args, isIpv6, line);
  const entries = entriesOf(world).filter(entry => tests.every(test => test(entry)));
  const header = 'State      Recv-Q Send-Q Local Address:Port Peer Address:Port';
  return [header, ...entries.map(textOf)];
}

function textOf({ state, receiveQueue, sendQueue, local, localPort, remote, remotePort }: Entry): string {
  const queues = `${String(receiveQueue).padEnd(6)} ${String(sendQueue).padEnd(6)}`;
  return `${state.padEnd(10)} ${queues} ${local}:${localPort} ${remote}:${remotePort === 0 ? '*' : remotePort}`;
}

function entriesOf({ machine, tcbs, settings }: SocketWorld): Entry[] {
  const { transport, addresses } = machine.host;
  const { ends, mapsIpv4 } = settings;
  const format = (address: number): string => (mapsIpv4 ? '::ffff:' : '') + addresses.format(address);
  const own = ends.version === 4 ? format(ends.local) : formatIpv6(ends.local);
  const entries: Entry[] = [];
  for (const { port, unaccepted, backlog } of transport.listeners) {
    // What scripts bind to is the host's address.
    const queues = { receiveQueue: unaccepted, sendQueue: backlog };
    entries.push({ state: 'LISTEN', ...queues, local: own, localPort: port, remote: '*', remotePort: 0 });
  }
  for (let slot = 0; slot < transport.table.capacity; slot++) {
    if (!transport.table.isLive(slot)) continue;
    const tcb = tcbs.ofSlot(slot);
    if (tcb.state === TcpState.Closed) continue;
    const name = TCP_STATE_NAMES[tcb.state]!;
    // The addresses are the host's, wherever the state is: a device numbers them in its own way.
    const { localPort, remotePort, rcvPending, sendDataBytes } = tcb;
    const { localAddress, remoteAddress } = transport.at(slot);
    entries.push({
      state: OWN_NAMES[name] ?? name,
      receiveQueue: rcvPending,
      sendQueue: sendDataBytes,
      local: format(localAddress),
      localPort,
      remote: format(remoteAddress),
      remotePort,
    });
  }
  return entries;
}

function testsOf(args: readonly string[], isIpv6: boolean, line: number): Test[] {
  // A filter in quotes is one word of the shell, and several of the filter.
  const words = args.flatMap(word => word.trim().split(/\s+/));
  const tests: Test[] = [];
  let shown: Test = ({ state }) => !NOT_SHOWN.has(state);
  while (words.length > 0) {
    const word = words.shift()!;
    if (word === '-4' || word === '--ipv4') tests.push(() => !isIpv6);
    else if (word === '-6' || word === '--ipv6') tests.push(() => isIpv6);
    else if (/^-[a-z]*a[a-z]*$/.test(word) || word === '--all') shown = () => true;
    else if (/^-[a-z]*l[a-z]*$/.test(word) || word === '--listening') shown = ({ state }) => state === 'LISTEN';
    else if (word === 'state') shown = stateTest(words.shift() ?? '', line);
    else if (word === 'src' || word === 'dst') tests.push(addressTest(word, words.shift() ?? '', line));
    else if (word === 'sport' || word === 'dport') tests.push(portTest(word, words, line));
    else if (!WITHOUT_MEANING.test(word) && !/^(?:\(|\)|and|&|&&)$/.test(word)) {
      throw new Unsupported(line, `ss ${word}`);
    }
  }
  return [shown, ...tests];
}

function stateTest(name: string, line: number): Test {
  const lower = name.toLowerCase();
  if (lower === 'all') return () => true;
  if (lower === 'connected') return ({ state }) => !NOT_CONNECTED.has(state);
  if (lower === 'synchronized') return ({ state }) => !NOT_CONNECTED.has(state) && state !== 'SYN-SENT';
  const states = Object.hasOwn(STATES, lower) ? STATES[lower] : undefined;
  if (states === undefined) throw new ScriptError(line, `ss: no such state: ${name}`);
  return ({ state }) => states.includes(state);
}

/** `= :8080`; also `eq`, and `!=`. */
function portTest(which: 'sport' | 'dport', words: string[], line: number): Test {
  const operator = words.shift() ?? '';
  const isEqual = ['=', '==', 'eq'].includes(operator);
  if (!isEqual && !['!=', 'neq', 'ne'].includes(operator)) throw new Unsupported(line, `ss ${which} ${operator}`);
  const port = Number(/^:(\d+)$/.exec(words.shift() ?? '')?.[1] ?? Number.NaN);
  if (Number.isNaN(port)) throw new Unsupported(line, `ss ${which}: what is no number`);
  return ({ localPort, remotePort }) => ((which === 'sport' ? localPort : remotePort) === port) === isEqual;
}

/** `ADDRESS/LENGTH`, of either family. */
function addressTest(which: 'src' | 'dst', text: string, line: number): Test {
  const [address = '', length] = text.replace(/[[\]]/g, '').split('/');
  const ipv4 = parseIpv4Address(withoutMapping(address));
  const ipv6 = parseIpv6Address(address);
  if (ipv4 === undefined && ipv6 === undefined) throw new Unsupported(line, `ss ${which} ${text}`);
  // Of a mapped address the last 32 bits are that of IPv4 (RFC 4291 2.5.5.2).
  const isMapped = address !== withoutMapping(address);
  const bits = length === undefined ? 128 : Number(length);
  const bits4 = Math.min(32, isMapped ? Math.max(0, bits - 96) : bits);
  return entry => {
    const own = which === 'src' ? entry.local : entry.remote;
    const number = parseIpv4Address(withoutMapping(own));
    if (number !== undefined) return ipv4 !== undefined && ((number ^ ipv4) & prefixMask(bits4)) === 0;
    const words = parseIpv6Address(own);
    return words !== undefined && ipv6 !== undefined && commonPrefixLength(words, 0, ipv6, 0) >= bits;
  };
}

function withoutMapping(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, '');
}
