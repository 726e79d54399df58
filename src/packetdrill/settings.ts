/**
 * What a script says about the machine it wants: its `--option=value` lines, and what its shell commands set. Defaults are
 * packetdrill's: remote 192.0.2.1, ports 8080, MTU 1500, a tolerance of 4 ms or an eighth of the time since the event before.
 */
import type { TcpParams } from '../tcp/params.ts';
import { parseCidr, parseIpv4Address } from '../wire/ipv4-text.ts';
import type { ScriptOption } from './ast.ts';
import { ScriptError, Unsupported } from './script-error.ts';

export interface Settings {
  localAddress: number;
  remoteAddress: number;
  gateway: number;
  prefixLength: number;
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
  tcp: { -readonly [key in keyof TcpParams]?: TcpParams[key] };
}

const LOCAL = '192.168.0.1';
const REMOTE = '192.0.2.1';

export function defaultSettings(): Settings {
  return {
    localAddress: parseIpv4Address(LOCAL)!,
    remoteAddress: parseIpv4Address(REMOTE)!,
    gateway: 0,
    prefixLength: 16,
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
    tcp: {
      // tcp_rmem of a Linux host, 4096 131072 6291456: half of the buffer is for payload.
      rcvBuffer: 65_536,
      rcvBufferMax: 6_291_456,
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
  for (const option of options) applyOption(option, settings);
  const { localAddress, gateway } = settings;
  // On a tun device the gateway may be the host itself; on Ethernet somebody else has to answer ARP.
  if (gateway === 0 || gateway === localAddress) settings.gateway = localAddress ^ 3;
}

function applyOption({ name, value, line }: ScriptOption, settings: Settings): void {
  const number = (): number => {
    const parsed = Number(value);
    if (value === '' || !Number.isFinite(parsed)) throw new ScriptError(line, `--${name}: not a number: ${value}`);
    return parsed;
  };
  switch (name) {
    case 'ip_version':
      // The wire has IPv4 then, and sockets take addresses of either kind.
      if (value !== 'ipv4' && value !== 'ipv4-mapped-ipv6') throw new Unsupported(line, `--ip_version=${value}`);
      return;
    case 'local_ip':
      settings.localAddress = address(name, value, line);
      return;
    case 'remote_ip':
      settings.remoteAddress = address(name, value, line);
      return;
    case 'gateway_ip':
      settings.gateway = address(name, value, line);
      return;
    case 'netmask_ip':
      settings.prefixLength = prefixLengthOf(address(name, value, line));
      return;
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

function address(name: string, text: string, line: number): number {
  if (text.includes(':')) throw new Unsupported(line, `--${name}=${text}: IPv6`);
  const parsed = parseIpv4Address(text) ?? parseCidr(text)?.address;
  if (parsed === undefined) throw new ScriptError(line, `--${name}: not an address: ${text}`);
  return parsed;
}

function prefixLengthOf(mask: number): number {
  return Math.clz32(~mask);
}
