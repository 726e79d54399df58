/**
 * Options of `createMachine`, checked once; every complaint is one line that names the option and what it takes.
 *
 * The schema is the documentation: addresses are text with a prefix, times milliseconds unless the name says otherwise.
 */
import { z } from 'zod';
import { ChimneyError } from './base/errors.ts';
import { TcpOptions } from './machine-tcp.ts';
import { isPolicy, POLICY_TAKES } from './host/policy/policy-text.ts';
import { isMandatory, TcpUploadReason } from './offload/events.ts';
import { BLOCK_LIST_MAX } from './offload/block-list.ts';
import { OWN_ADDRESSES_MAX } from './host/ipv6-interface.ts';
import { parseCidr, parseIpv4Address } from './wire/ipv4-text.ts';
import { parseIpv6Address, parseIpv6Cidr } from './wire/ipv6-text.ts';

const TAKES_CIDR = 'takes an address with prefix, such as 10.0.0.1/24 or fd00::1/64';
const cidr = z.string().refine(text => (parseCidr(text) ?? parseIpv6Cidr(text)) !== undefined, TAKES_CIDR);
const addresses = z.union([cidr, z.array(cidr).min(1).max(OWN_ADDRESSES_MAX)], {
  error: `${TAKES_CIDR}, or a list of them`,
});
const address = z
  .string()
  .refine(
    text => (parseIpv4Address(text) ?? parseIpv6Address(text)) !== undefined,
    'takes an address, such as 10.0.0.254 or fd00::254',
  );
const name = z.string().regex(/^[A-Za-z][\w-]*$/, 'takes a name of letters, digits, - and _');

const ONE_VERSION = 'takes a destination and a gateway of the same IP version';

function isOneVersion({ to, via }: { to: string; via: string }): boolean {
  return (parseCidr(to) === undefined) === (parseIpv4Address(via) === undefined);
}

type ReasonName = keyof typeof TcpUploadReason;
const REASON_NAMES = Object.keys(TcpUploadReason) as ReasonName[];
const OPTIONAL_REASONS = REASON_NAMES.filter(reason => !isMandatory(TcpUploadReason[reason]));

const Nic = z.strictObject({
  name,
  /** Connections it can take over; 0 makes a plain NIC. */
  tcpEntries: z
    .number()
    .int()
    .min(1)
    .max(1 << 20)
    .optional(),
});

const Peer = z.strictObject({ name, address: addresses });

const Route = z.strictObject({
  to: cidr,
  via: address,
  /** Of datagrams that go this way, if the link carries more. */
  mtu: z.number().int().min(68).max(0xffff).optional(),
  /** The network cannot make it smaller (RFC 1191); datagrams may be cut on the way. */
  lockMtu: z.boolean().optional(),
  /** What peers that are reached this way may send in a segment. */
  advertisedMss: z.number().int().min(1).max(0xffff).optional(),
  /** In segments, of connections that begin this way (RFC 6928). */
  initialWindow: z.number().int().min(1).max(1000).optional(),
});

export const MachineOptions = z.strictObject({
  /**
   * Address and prefix of the machine, or several, of both IP versions: `['10.0.0.1/24', '10.1.0.1/16', 'fd00::1/64']`. With
   * `vlans`, of the untagged network: then optional.
   */
  address: addresses.optional(),
  nics: z.array(Nic).min(1).max(16),
  team: z.strictObject({ mode: z.literal('active-backup') }).optional(),
  vlans: z.array(z.strictObject({ id: z.number().int().min(1).max(4094), address: addresses })).optional(),
  routes: z.array(Route.refine(isOneVersion, ONE_VERSION)).optional(),
  ipv4: z
    .strictObject({
      /** The link is asked whether addresses are taken before they are used (RFC 5227): for four to seven seconds. */
      probe: z.boolean().optional(),
      /** Datagrams leave in LLC/SNAP frames (RFC 1042), of 1492 bytes at most. Both kinds are understood. */
      snap: z.boolean().optional(),
    })
    .optional(),
  /** Of interfaces with an IPv6 address, and of all if they are to get theirs from routers. */
  ipv6: z
    .strictObject({
      /** Routers give addresses and routes (RFC 4862 5.5). */
      autoconfigure: z.boolean().optional(),
      /** How often the link is asked whether an address is taken, a second each, before it is used; 1 by default. */
      duplicateProbes: z.number().int().min(0).max(10).optional(),
    })
    .optional(),
  mtu: z.number().int().min(576).max(9216).optional(),
  /** Of connections, the peers' as well. */
  tcp: TcpOptions.optional(),
  /** Connections at once, TIME-WAIT included. */
  connections: z
    .number()
    .int()
    .min(16)
    .max(1 << 20)
    .optional(),
  offload: z
    .strictObject({
      /** Which connections, `young-in-batches` by default (host/policy/policy-text.ts). */
      policy: z.string().refine(isPolicy, POLICY_TAKES).optional(),
      /** A NIC that is full changes its least active connections for busier ones. */
      evict: z
        .strictObject({
          /** By how much busier. */
          marginPercent: z.number().min(0).max(1000).optional(),
          /** How long whatever moved stays at least. */
          residenceMs: z.number().min(0).max(3_600_000).optional(),
        })
        .optional(),
      /** Optional reasons for which a NIC may not give a connection back. */
      ignoreReasons: z.array(z.enum(OPTIONAL_REASONS)).optional(),
      blockList: z.number().int().min(1).max(BLOCK_LIST_MAX).optional(),
      batchMs: z.number().min(0).max(1000).optional(),
    })
    .optional(),
  /** Other hosts on the same fabric, each with a stack and a NIC of its own. */
  peers: z.array(Peer).max(8).optional(),
  /** Of every cable. */
  faults: z
    .strictObject({
      lossPercent: z.number().min(0).max(100).optional(),
      duplicatePercent: z.number().min(0).max(100).optional(),
      reorderPercent: z.number().min(0).max(100).optional(),
      corruptPercent: z.number().min(0).max(100).optional(),
      markPercent: z.number().min(0).max(100).optional(),
      delayUs: z.number().min(0).optional(),
      jitterUs: z.number().min(0).optional(),
    })
    .optional(),
  /**
   * For finding defects, not for speed. `checker`: every call between the stack, its drivers and the NICs is held against
   * the rules of the interface (R5); a broken one throws where it was broken.
   */
  diagnostics: z.strictObject({ checker: z.boolean().optional() }).optional(),
  /** File for a pcapng capture of every cable. */
  capture: z.string().min(1).optional(),
});
export type MachineOptions = z.input<typeof MachineOptions>;

export function checkMachineOptions(given: MachineOptions): z.output<typeof MachineOptions> {
  const parsed = MachineOptions.safeParse(given);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const where = issue.path.length === 0 ? 'options' : issue.path.join('.');
    throw new ChimneyError('ERR_CHIMNEY_OPTION', `createMachine: ${where}: ${issue.message}`);
  }
  const options = parsed.data;
  const isAutomatic = options.ipv6?.autoconfigure === true;
  if (options.address === undefined && (options.vlans ?? []).length === 0 && !isAutomatic) {
    throw new ChimneyError(
      'ERR_CHIMNEY_OPTION',
      'createMachine: address: is needed, such as 10.0.0.1/24 or fd00::1/64',
    );
  }
  if (options.nics.length > 1 && options.team === undefined) {
    throw new ChimneyError(
      'ERR_CHIMNEY_OPTION',
      "createMachine: team: several NICs need one: { mode: 'active-backup' }",
    );
  }
  const names = [...options.nics, ...(options.peers ?? [])].map(item => item.name);
  const twice = names.find((item, index) => names.indexOf(item) !== index);
  if (twice !== undefined) {
    throw new ChimneyError('ERR_CHIMNEY_OPTION', `createMachine: '${twice}': every NIC and peer has a name of its own`);
  }
  return options;
}
