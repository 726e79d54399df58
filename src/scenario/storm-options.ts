/**
 * What a storm is asked to do: the main job's options, checked once (zod), with one clear line for what is wrong.
 *
 * Names are those of the command line in camel case; percentages are of frames, times milliseconds.
 */
import { z } from 'zod';
import { ChimneyError } from '../base/errors.ts';
import { isPolicy, POLICY_TAKES } from '../host/policy/policy-text.ts';
import { BLOCK_LIST_MAX } from '../offload/block-list.ts';
import { IPV6_MINIMUM_MTU } from '../wire/ipv6.ts';
import { FAMILIES } from './network.ts';

export const PATHS = ['auto', 'host', 'chimney'] as const;
export type StormPath = (typeof PATHS)[number];

const percent = z.number().min(0).max(50);

export const StormOptions = z.object({
  connections: z.number().int().min(1).max(10_000_000),
  concurrency: z.number().int().min(1).max(200_000),
  blockList: z.number().int().min(1).max(BLOCK_LIST_MAX),
  /** How long a young connection may wait for its list to fill, ms. */
  batchMs: z.number().min(0).max(1000),
  path: z.enum(PATHS),
  /** What path `auto` offloads. */
  policy: z.string().refine(isPolicy, POLICY_TAKES),
  /** Folder to serve, or null for the project's own documents. */
  www: z.string().min(1).nullable(),
  nics: z.number().int().min(1).max(16),
  /** Failures, each at a fraction of the connections. */
  failures: z.array(z.object({ nic: z.string(), at: z.number().min(0).max(1) })),
  /** IP versions of the clients. */
  family: z.enum(FAMILIES),
  vlans: z.array(z.number().int().min(1).max(4094)),
  loss: percent,
  reorder: percent,
  duplicate: percent,
  corrupt: percent,
  delayMs: z.number().min(0).max(1000),
  stations: z.number().int().min(8).max(60_000),
  mtu: z.number().int().min(576).max(9216),
  seed: z.number().int().min(0).max(0x7fffffff),
  pcap: z.string().min(1).nullable(),
});
export type StormOptions = z.infer<typeof StormOptions>;

export const STORM_DEFAULTS: StormOptions = {
  connections: 20_000,
  concurrency: 1024,
  blockList: 256,
  batchMs: 5,
  path: 'auto',
  policy: 'young-in-batches',
  www: null,
  nics: 2,
  failures: [{ nic: 'nic0', at: 0.5 }],
  family: 'ipv4',
  vlans: [],
  loss: 0,
  reorder: 0,
  duplicate: 0,
  corrupt: 0,
  delayMs: 0,
  stations: 4096,
  mtu: 1500,
  seed: 1,
  pcap: null,
};

/** `nic0@50%`, several with commas, or `none`. */
export function parseFailures(text: string): StormOptions['failures'] {
  if (text === 'none') return [];
  return text.split(',').map(part => {
    const match = /^([A-Za-z][\w-]*)@(\d+(?:\.\d+)?)%$/.exec(part.trim());
    if (match === null || Number(match[2]) > 100) {
      throw new ChimneyError('ERR_CHIMNEY_OPTION', `--fail: '${part}' is not NIC@PERCENT%, such as nic0@50%, or none`);
    }
    return { nic: match[1]!, at: Number(match[2]) / 100 };
  });
}

/** Options that are called otherwise on the command line. */
const FLAGS: Readonly<Record<string, string>> = { failures: 'fail', vlans: 'vlan' };

/** Completes and checks options; the message names the option and what it takes. */
export function stormOptions(given: Partial<StormOptions>): StormOptions {
  const merged = { ...STORM_DEFAULTS, ...given };
  // The failure that comes by default needs somebody to take over.
  if (given.failures === undefined && merged.nics === 1) merged.failures = [];
  const parsed = StormOptions.safeParse(merged);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const key = String(issue.path[0]);
    const option = FLAGS[key] ?? key.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
    throw new ChimneyError('ERR_CHIMNEY_OPTION', `--${option}: ${issue.message}`);
  }
  const options = parsed.data;
  if (options.nics === 1 && options.failures.length > 0) {
    throw new ChimneyError(
      'ERR_CHIMNEY_OPTION',
      '--fail: no other NIC can take over; add --nics 2, or take --fail none',
    );
  }
  for (const { nic } of options.failures) {
    const index = /^nic(\d+)$/.exec(nic);
    if (index === null || Number(index[1]) >= options.nics) {
      const names = Array.from({ length: options.nics }, (_, i) => `nic${i}`).join(', ');
      throw new ChimneyError('ERR_CHIMNEY_OPTION', `--fail: no NIC '${nic}'; there are ${names}`);
    }
  }
  if (options.family !== 'ipv4' && options.mtu < IPV6_MINIMUM_MTU) {
    throw new ChimneyError('ERR_CHIMNEY_OPTION', `--mtu: ${IPV6_MINIMUM_MTU} at least, for IPv6 (RFC 8200 5)`);
  }
  checkVlans(options);
  return options;
}

/** Each has a network of its own in 10.0.0.0/8 (network.ts), and at least one client. */
const VLANS_MAX = 16;

function checkVlans({ vlans, connections, concurrency }: StormOptions): void {
  let problem = '';
  if (new Set(vlans).size !== vlans.length) problem = '--vlan: each VID once';
  else if (vlans.length > VLANS_MAX) problem = `--vlan: ${VLANS_MAX} VLANs at most`;
  else if (connections < vlans.length) problem = '--connections: at least one for each VLAN';
  else if (concurrency < vlans.length) problem = '--concurrency: at least one for each VLAN';
  if (problem !== '') throw new ChimneyError('ERR_CHIMNEY_OPTION', problem);
}
