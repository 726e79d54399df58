/**
 * IPv6 addresses as text: RFC 4291 2.2 (what is read), RFC 5952 4-5 (what is written), prefixes `address/length`
 * (RFC 4291 2.3).
 *
 * For options, scenarios and traces, never for the data path: everything here allocates. Text that is not an address
 * yields undefined. Zones (`fe80::1%nic0`, RFC 4007 11) are cut off by whoever knows the interfaces.
 */
import { IPV6_ADDRESS_WORDS, isMappedIpv4 } from './ipv6-address.ts';
import { formatIpv4, parseIpv4Address } from './ipv4-text.ts';

const GROUPS = 8;
const HEX = /^[0-9a-f]{1,4}$/i;
const PREFIX_LENGTH = /^(?:12[0-8]|1[01][0-9]|[1-9]?[0-9])$/;

/** RFC 5952 4: lower case, no leading zeros, `::` for the longest run of two groups or more, the first of equals. */
export function formatIpv6(words: Readonly<Int32Array>, at = 0): string {
  // RFC 5952 5: the well-known prefix that embeds an IPv4 address.
  if (isMappedIpv4(words, at)) return `::ffff:${formatIpv4(words[at + 3]!)}`;
  const groups: number[] = [];
  for (let i = 0; i < IPV6_ADDRESS_WORDS; i += 1) groups.push(words[at + i]! >>> 16, words[at + i]! & 0xffff);
  const { start, length } = longestZeros(groups);
  const text = (part: readonly number[]): string => part.map(group => group.toString(16)).join(':');
  if (length < 2) return text(groups);
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < GROUPS; start += 1) {
    let end = start;
    while (end < GROUPS && groups[end] === 0) end += 1;
    if (end - start > best.length) best = { start, length: end - start };
  }
  return best;
}

/** The four words of an address, or undefined. */
export function parseIpv6Address(text: string): Int32Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0]!, halves.length === 1);
  if (halves.length === 1) return head?.length === GROUPS ? wordsOf(head) : undefined;
  const tail = groupsOf(halves[1]!, true);
  // RFC 4291 2.2: "::" stands for one or more groups.
  if (head === undefined || tail === undefined || head.length + tail.length >= GROUPS) return undefined;
  return wordsOf([...head, ...Array<number>(GROUPS - head.length - tail.length).fill(0), ...tail]);
}

/** The groups between colons; dotted decimal may stand for the last two of an address. */
function groupsOf(text: string, mayBeDotted: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    if (HEX.test(part)) {
      groups.push(parseInt(part, 16));
      continue;
    }
    const dotted = mayBeDotted && i === parts.length - 1 ? parseIpv4Address(part) : undefined;
    if (dotted === undefined) return undefined;
    groups.push(dotted >>> 16, dotted & 0xffff);
  }
  return groups;
}

function wordsOf(groups: readonly number[]): Int32Array {
  return Int32Array.from({ length: IPV6_ADDRESS_WORDS }, (_, i) => (groups[2 * i]! << 16) | groups[2 * i + 1]!);
}

export interface Ipv6Prefix {
  /** The address as written, host bits included. */
  readonly address: Int32Array;
  readonly prefixLength: number;
}

export function parseIpv6Cidr(text: string): Ipv6Prefix | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const address = parseIpv6Address(text.slice(0, slash));
  const lengthText = text.slice(slash + 1);
  if (address === undefined || !PREFIX_LENGTH.test(lengthText)) return undefined;
  return { address, prefixLength: Number(lengthText) };
}
