/**
 * `ip route change DEST via GATEWAY dev tun0 mtu lock 640 advmss 600 initcwnd 11`: what scripts say of the routes of the host
 * under test. Here the words are read; the machine changes its routes (machine.ts).
 */
import { NO_METRICS, type RouteMetrics } from '../host/route-metrics.ts';
import { parseCidr, parseIpv4Address } from '../wire/ipv4-text.ts';
import { parseIpv6Address, parseIpv6Cidr } from '../wire/ipv6-text.ts';
import { ScriptError, Unsupported } from './script-error.ts';

export interface RouteCommand {
  /** `replace` does whichever of both can be done. */
  readonly verb: 'add' | 'change' | 'replace';
  readonly version: 4 | 6;
  /** A number, or the words of an IPv6 address. */
  readonly prefix: number | Int32Array;
  readonly prefixLength: number;
  /** null: the destination is on the link. */
  readonly gateway: number | Int32Array | null;
  readonly metrics: RouteMetrics;
  /** For reports. */
  readonly text: string;
  readonly line: number;
}

const VERBS = new Set(['add', 'change', 'replace']);
/** Words that say nothing which could be otherwise here; each has a value. */
const WITHOUT_MEANING = new Set(['dev', 'proto', 'scope', 'table']);

/** Words of `ip` behind `route`; `version`: as `-4` or `-6` has said, 0 for the one that the address has. */
export function parseRouteCommand(words: readonly string[], version: 0 | 4 | 6, line: number): RouteCommand {
  const text = `ip route ${words.join(' ')}`;
  const unknown = new Unsupported(line, `shell command: ${text.slice(0, 60)}`);
  const [verb, destination = '', ...rest] = words;
  if (verb === undefined || !VERBS.has(verb)) throw unknown;
  const reader = new WordReader(rest, line);
  let metrics: { -readonly [key in keyof RouteMetrics]: RouteMetrics[key] } = { ...NO_METRICS };
  let via = '';
  for (let word = reader.next(); word !== undefined; word = reader.next()) {
    if (word === 'via') via = reader.text(word);
    else if (word === 'mtu') metrics = { ...metrics, isMtuLocked: reader.accept('lock'), mtu: reader.number(word) };
    else if (word === 'advmss') metrics.advertisedMss = reader.number(word);
    else if (word === 'initcwnd') metrics.initialWindow = reader.number(word);
    else if (WITHOUT_MEANING.has(word)) reader.text(word);
    else throw new Unsupported(line, `${word} of a route`);
  }
  const isIpv6 = version === 6 || (version === 0 && destination.includes(':'));
  const to = isIpv6 ? ipv6Prefix(destination) : ipv4Prefix(destination);
  const gateway = via === '' ? null : isIpv6 ? parseIpv6Address(via) : parseIpv4Address(via);
  if (to === undefined || gateway === undefined) throw new ScriptError(line, `no such address: ${text}`);
  return { verb: verb as RouteCommand['verb'], version: isIpv6 ? 6 : 4, ...to, gateway, metrics, text, line };
}

interface Prefix {
  readonly prefix: number | Int32Array;
  readonly prefixLength: number;
}

function ipv4Prefix(text: string): Prefix | undefined {
  if (text === 'default') return { prefix: 0, prefixLength: 0 };
  const cidr = parseCidr(text.includes('/') ? text : `${text}/32`);
  return cidr === undefined ? undefined : { prefix: cidr.address, prefixLength: cidr.prefixLength };
}

function ipv6Prefix(text: string): Prefix | undefined {
  if (text === 'default') return { prefix: new Int32Array(4), prefixLength: 0 };
  const cidr = parseIpv6Cidr(text.includes('/') ? text : `${text}/128`);
  return cidr === undefined ? undefined : { prefix: Int32Array.from(cidr.address), prefixLength: cidr.prefixLength };
}

class WordReader {
  readonly #words: readonly string[];
  readonly #line: number;
  #at = 0;

  constructor(words: readonly string[], line: number) {
    this.#words = words;
    this.#line = line;
  }

  next(): string | undefined {
    return this.#words[this.#at++];
  }

  accept(word: string): boolean {
    if (this.#words[this.#at] !== word) return false;
    this.#at++;
    return true;
  }

  text(of: string): string {
    const word = this.next();
    if (word === undefined) throw new ScriptError(this.#line, `ip route: ${of} has no value`);
    return word;
  }

  number(of: string): number {
    const value = Number(this.text(of));
    if (!Number.isInteger(value) || value < 0) throw new ScriptError(this.#line, `ip route: ${of} wants a number`);
    return value;
  }
}
