/**
 * What a script says about the machine it wants: its `--option=value` lines, and what its shell commands set. Defaults are
 * packetdrill's: remote 192.0.2.1, ports 8080, MTU 1500, a tolerance of 4 ms or an eighth of the time since the event before.
 */
import type { TcpParams } from '../tcp/params.ts';
import { parseIpv4Address } from '../wire/ipv4-text.ts';
import { parseIpv6Address } from '../wire/ipv6-text.ts';
import type { ScriptOption } from './ast.ts';
import { Ipv4Ends } from './ipv4-ends.ts';
import { Ipv6Ends } from './ipv6-ends.ts';
import type { RouteCommand } from './route-commands.ts';
import { ScriptError, Unsupported } from './script-error.ts';

export interface Settings {
  ends: Ipv4Ends | Ipv6Ends;
  /** Sockets are of IPv6, with addresses of IPv4 in them: the wire has IPv4 then. */
  mapsIpv4: boolean;
  bindPort: number;
  connectPort: number;
  mtu: number;
  toleranceUs: number;
  tolerancePercent: number;
  /** What one step of an outbound TS val is, 0: it is not checked. */
  tsTickUs: number;
  /** An inbound TS ecr that was never sent is interpolated. */
  tsEcrScaled: boolean;
  /** One outbound line is one segment. */
  strictSegments: boolean;
  /** SO_SNDBUF of a new socket, and TCP_NOTSENT_LOWAT. */
  sendBuffer: number;
  sendBufferMax: number;
  notsentLowat: number;
  /** What backs of full listeners are limited to (net.core.somaxconn). */
  somaxconn: number;
  /** A command has said so: what is known of peers is forgotten. */
  forgetsPeers: boolean;
  /** Sizes of the files that commands have made. */
  readonly files: Map<string, number>;
  /** Changes of routes that are to be done. */
  routes: RouteCommand[];
  tcp: { -readonly [key in keyof TcpParams]?: TcpParams[key] };
}

/** What runners of public collections of scripts give packetdrill, whose own choice would be random. */
const IPV4_TEXTS = { local: '192.168.0.1', remote: '192.0.2.1', gateway: '192.168.0.2', prefixLength: 16 };
const IPV6_TEXTS = {
  local: 'fd3d:a0b:17d6::1',
  remote: 'fd3d:fa7b:d17d::1',
  gateway: 'fd3d:a0b:17d6:8888::1',
  prefixLength: 48,
};

export function defaultSettings(): Settings {
  return {
    ends: ipv4Ends(IPV4_TEXTS)!,
    mapsIpv4: false,
    bindPort: 8080,
    connectPort: 8080,
    mtu: 1500,
    toleranceUs: 4000,
    tolerancePercent: 12.5,
    tsTickUs: 0,
    tsEcrScaled: false,
    strictSegments: false,
    sendBuffer: 16_384,
    sendBufferMax: 4_194_304,
    notsentLowat: 0xffffffff,
    somaxconn: 4096,
    forgetsPeers: false,
    files: new Map(),
    routes: [],
    tcp: {
      // tcp_rmem of a Linux host, 4096 131072 6291456: half of the buffer is for payload.
      rcvBuffer: 65_536,
      rcvBufferMax: 6_291_456,
      // tcp_mtu_probing is off.
      mtuProbing: 'off',
    },
  };
}

/** Options that say how packetdrill itself works, and change nothing here. */
const WITHOUT_MEANING = new Set(
  'init_scripts code_command code_format code_sockopt speed dry_run debug verbose define send_omit_free non_fatal mss'.split(
    ' ',
  ),
);

export function applyOptions(options: readonly ScriptOption[], settings: Settings): void {
  const version = options.findLast(({ name }) => name === 'ip_version');
  const isIpv6 = version?.value === 'ipv6';
  const given: Partial<AddressTexts> = {};
  for (const option of options) {
    const { name, value, line } = option;
    const end = ADDRESS_OPTIONS[name];
    if (end !== undefined) given[end] = value.replace(/\/.*$/, '');
    else if (name === 'netmask_ip') given.prefixLength = prefixLengthOf(parseIpv4Address(value) ?? -1);
    else if (name !== 'ip_version') applyOption(option, settings);
    else if (!['ipv4', 'ipv4-mapped-ipv6', 'ipv6'].includes(value)) {
      throw new ScriptError(line, `--ip_version: no such version: ${value}`);
    }
  }
  const ends = isIpv6 ? ipv6Ends({ ...IPV6_TEXTS, ...given }) : ipv4Ends({ ...IPV4_TEXTS, ...given });
  if (ends === undefined) {
    const isOther = (isIpv6 ? ipv4Ends : ipv6Ends)({ ...(isIpv6 ? IPV4_TEXTS : IPV6_TEXTS), ...given }) !== undefined;
    if (isOther) throw new Unsupported(version?.line ?? 1, 'addresses of another family than --ip_version');
    throw new ScriptError(version?.line ?? 1, 'an address of the options is none');
  }
  settings.ends = ends;
  settings.mapsIpv4 = version?.value === 'ipv4-mapped-ipv6';
}

interface AddressTexts {
  local: string;
  remote: string;
  gateway: string;
  prefixLength: number;
}

const ADDRESS_OPTIONS: Readonly<Record<string, 'local' | 'remote' | 'gateway'>> = {
  local_ip: 'local',
  remote_ip: 'remote',
  gateway_ip: 'gateway',
};

function ipv4Ends({ local, remote, gateway, prefixLength }: AddressTexts): Ipv4Ends | undefined {
  const [own, peer, hop] = [local, remote, gateway].map(parseIpv4Address);
  if (own === undefined || peer === undefined || hop === undefined) return undefined;
  return new Ipv4Ends(own, peer, hop, prefixLength);
}

function ipv6Ends({ local, remote, gateway, prefixLength }: AddressTexts): Ipv6Ends | undefined {
  const [own, peer, hop] = [local, remote, gateway].map(parseIpv6Address);
  if (own === undefined || peer === undefined || hop === undefined) return undefined;
  return new Ipv6Ends(own, peer, hop, prefixLength);
}

function applyOption({ name, value, line }: ScriptOption, settings: Settings): void {
  const number = (): number => {
    const parsed = Number(value);
    if (value === '' || !Number.isFinite(parsed)) throw new ScriptError(line, `--${name}: not a number: ${value}`);
    return parsed;
  };
  switch (name) {
    case 'bind_port':
      settings.bindPort = number();
      return;
    case 'connect_port':
      settings.connectPort = number();
      return;
    case 'mtu':
      settings.mtu = number();
      return;
    case 'tolerance_usecs':
      settings.toleranceUs = number();
      return;
    case 'tolerance_percent':
      settings.tolerancePercent = number();
      return;
    case 'tcp_ts_tick_usecs':
      settings.tsTickUs = number();
      return;
    case 'tcp_ts_ecr_scaled':
      settings.tsEcrScaled = true;
      return;
    case 'strict_segments':
      settings.strictSegments = true;
      return;
    default:
      if (WITHOUT_MEANING.has(name)) return;
      throw new Unsupported(line, `--${name}`);
  }
}

function prefixLengthOf(mask: number): number {
  return Math.clz32(~mask);
}
