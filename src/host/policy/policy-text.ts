/**
 * Policies by name, for options and the command line:
 *
 *   young-in-batches | everything | nothing | by-port:80,443 | by-prefix:10.1.0.0/16,fd00::/8
 *   by-traffic (or by-traffic:BYTES,RTT-MS) | host-load:ON,OFF (percent)
 *
 * `!` negates one, `&` takes what all take, `|` what any takes and binds less.
 */
import { parseIpPrefix } from '../../wire/ip-prefix.ts';
import { byPort } from './by-port.ts';
import { byPrefix } from './by-prefix.ts';
import { AUTOMATIC, byTraffic } from './by-traffic.ts';
import { allOf, anyOf, not } from './combinators.ts';
import { everything } from './everything.ts';
import { hostLoad } from './host-load.ts';
import { NOTHING } from './nothing.ts';
import type { OffloadPolicy } from './offload-policy.ts';
import { youngInBatches } from './young-in-batches.ts';

export const POLICY_TAKES =
  'takes young-in-batches, everything, nothing, by-port:80,443, by-prefix:10.1.0.0/16, by-traffic:130000,20 (bytes, ms) ' +
  'or host-load:60,30 (percent on, off), combined with !, & and |';

/** Undefined for text that is no policy. */
export function parsePolicy(text: string, batchUs: number): OffloadPolicy | undefined {
  return several(text, '|', anyOf, all => several(all, '&', allOf, term => parseTerm(term.trim(), batchUs)));
}

export function isPolicy(text: string): boolean {
  return parsePolicy(text, 0) !== undefined;
}

function several(
  text: string,
  operator: string,
  combine: (parts: readonly OffloadPolicy[]) => OffloadPolicy,
  parse: (part: string) => OffloadPolicy | undefined,
): OffloadPolicy | undefined {
  const parts = text.split(operator).map(parse);
  const found = parts.filter(part => part !== undefined);
  if (found.length < parts.length) return undefined;
  return found.length === 1 ? found[0] : combine(found);
}

function parseTerm(text: string, batchUs: number): OffloadPolicy | undefined {
  if (text.startsWith('!')) {
    const inner = parseTerm(text.slice(1).trim(), batchUs);
    return inner && not(inner);
  }
  const colon = text.indexOf(':');
  const [name, given] = colon < 0 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1)];
  const values = given?.split(',').map(value => value.trim());
  return values === undefined ? named(name, batchUs) : parametrized(name, values, batchUs);
}

function named(name: string, batchUs: number): OffloadPolicy | undefined {
  switch (name) {
    case 'young-in-batches':
      return youngInBatches(batchUs);
    case 'everything':
      return everything(batchUs);
    case 'nothing':
      return NOTHING;
    case 'by-traffic':
      return byTraffic(AUTOMATIC.bytes, AUTOMATIC.rttMs, batchUs);
    default:
      return undefined;
  }
}

function parametrized(name: string, values: readonly string[], batchUs: number): OffloadPolicy | undefined {
  if (name === 'by-prefix') {
    const prefixes = values.map(parseIpPrefix).filter(prefix => prefix !== undefined);
    return prefixes.length === values.length ? byPrefix(prefixes, batchUs) : undefined;
  }
  if (!values.every(value => /^\d+(\.\d+)?$/.test(value))) return undefined;
  const numbers = values.map(Number);
  const [first, second] = numbers as [number, number];
  switch (name) {
    case 'by-port':
      return numbers.every(port => Number.isInteger(port) && port <= 0xffff) ? byPort(numbers, batchUs) : undefined;
    case 'by-traffic':
      return numbers.length === 2 ? byTraffic(first, second, batchUs) : undefined;
    case 'host-load':
      return numbers.length === 2 && first <= 100 && second <= first ? hostLoad(first, second, batchUs) : undefined;
    default:
      return undefined;
  }
}
