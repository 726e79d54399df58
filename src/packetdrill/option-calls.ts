/**
 * The calls setsockopt and getsockopt: which options there are, what their values may be, and what they answer.
 * An option that is not known here is unsupported: to pass over it could let a script pass that should not.
 */
import { SipHash } from '../base/siphash.ts';
import type { CallArguments } from './call-arguments.ts';
import { type CallResult, failed, ok } from './call-result.ts';
import { errnoNumber } from './constants.ts';
import { Unsupported } from './script-error.ts';
import { mayOpenFast } from './send-calls.ts';
import type { SocketWorld } from './socket-world.ts';
import { applyCongestionControl } from './socket-options.ts';
import { type TcpSocket, TcpStage } from './tcp-socket.ts';
import { StampFlag } from './transmit-stamps.ts';

const SOL_SOCKET = 1;
const SOL_TCP = 6;
const SOL_IP = 0;
const SO = {
  Type: 3,
  Error: 4,
  SndBuf: 7,
  RcvBuf: 8,
  Linger: 13,
  AcceptConn: 30,
  TimeStamping: 37,
  Protocol: 38,
  Domain: 39,
} as const;
const TCP = {
  MaxSeg: 2,
  Congestion: 13,
  FastOpen: 23,
  NotsentLowat: 25,
  FastOpenConnect: 30,
  FastOpenKey: 33,
} as const;
const KEY_BYTES = 16;
const SOL_IPV6 = 41;
const IP_MTU = 14;
const IPV6_MTU = 24;
const BUFFER_MIN = { send: 4608, receive: 2304 } as const;

interface Known {
  readonly initial: number;
  readonly least?: number;
  readonly most?: number;
}

/** By `level:name`; what is not here is unsupported. */
const KNOWN: Readonly<Record<string, Known>> = {
  // SO_REUSEADDR, SO_DONTROUTE, SO_BROADCAST, SO_KEEPALIVE, SO_OOBINLINE, SO_PRIORITY, SO_REUSEPORT, SO_MARK, SO_BUSY_POLL,
  // SO_ZEROCOPY
  '1:2': { initial: 0 },
  '1:5': { initial: 0 },
  '1:6': { initial: 0 },
  '1:9': { initial: 0 },
  '1:10': { initial: 0 },
  '1:12': { initial: 0 },
  '1:15': { initial: 0 },
  '1:36': { initial: 0 },
  '1:46': { initial: 0 },
  '1:60': { initial: 0, least: 0, most: 1 },
  // TCP_NODELAY, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_QUICKACK
  '6:1': { initial: 0 },
  '6:4': { initial: 7200, least: 1, most: 32_767 },
  '6:5': { initial: 75, least: 1, most: 32_767 },
  '6:6': { initial: 9, least: 1, most: 127 },
  // TCP_MAXSEG, TCP_SYNCNT
  '6:2': { initial: 536, least: 88, most: 32_767 },
  '6:7': { initial: 6, least: 1, most: 127 },
  // TCP_CORK
  '6:3': { initial: 0 },
  // IPV6_UNICAST_HOPS, IPV6_RECVERR, IPV6_V6ONLY, IPV6_TCLASS
  '41:16': { initial: 64, least: 1, most: 255 },
  '41:25': { initial: 0 },
  '41:26': { initial: 0 },
  '41:67': { initial: 0, least: 0, most: 255 },
  // TCP_USER_TIMEOUT
  '6:18': { initial: 0, least: 0 },
  '6:12': { initial: 1 },
  // TCP_INQ
  '6:36': { initial: 0, least: 0, most: 1 },
  // IP_TOS, IP_TTL, IP_MTU_DISCOVER (want), IP_RECVERR, IP_FREEBIND
  '0:1': { initial: 0, most: 255 },
  '0:2': { initial: 64, least: 1, most: 255 },
  '0:10': { initial: 1, least: 0, most: 2 },
  '0:11': { initial: 0 },
  '0:15': { initial: 0 },
};

export function setsockopt(socket: TcpSocket, args: CallArguments): CallResult {
  const level = args.number(1);
  const name = args.number(2);
  const value = args.at(3);
  if (level === SOL_SOCKET && name === SO.Linger) return setLinger(socket, args);
  if (level === SOL_TCP && name === TCP.Congestion) return setCongestion(socket, args);
  if (level === SOL_TCP && name === TCP.FastOpenKey) return setFastOpenKey(socket, args);
  if (value.t !== 'list') throw new Unsupported(args.line, `setsockopt ${level}:${name} with such a value`);
  const number = args.boxed(3);
  if (level === SOL_TCP && (name === TCP.FastOpen || name === TCP.FastOpenConnect)) {
    return setFastOpen(socket, name, number);
  }
  if (level === SOL_SOCKET && (name === SO.SndBuf || name === SO.RcvBuf)) return setBuffer(socket, name, number);
  if (level === SOL_TCP && name === TCP.NotsentLowat) {
    socket.sendBuffer.notsentLowat = number >>> 0;
    socket.options.set(level, name, number);
    return ok();
  }
  if (level === SOL_SOCKET && name === SO.TimeStamping) return setTimeStamping(socket, number, args.line);
  const known = KNOWN[`${level}:${name}`];
  if (known === undefined) throw new Unsupported(args.line, `setsockopt ${level}:${name}`);
  if (number < (known.least ?? -Infinity) || number > (known.most ?? Infinity)) {
    if (level === SOL_IP && name === 10)
      throw new Unsupported(args.line, 'IP_MTU_DISCOVER other than DONT, WANT and DO');
    return failed('EINVAL');
  }
  socket.options.set(level, name, number);
  const { connection, listener } = socket;
  if (connection !== null) socket.options.apply(level, name, connection);
  if (listener !== null && level === SOL_TCP && name === TCP.MaxSeg)
    listener.options = { ...listener.options, mss: number };
  return ok();
}

/** Transmit time stamps in software; others, and what would say more of a packet, are not there. */
function setTimeStamping(socket: TcpSocket, flags: number, line: number): CallResult {
  const known = Object.values(StampFlag).reduce<number>((all, flag) => all | flag, 0);
  const { sending } = socket;
  if (socket.stage !== TcpStage.Connected || sending === null) {
    throw new Unsupported(line, 'SO_TIMESTAMPING without a connection');
  }
  const isSeen = flags === 0 || (flags & StampFlag.Software) !== 0;
  if ((flags & ~known) !== 0 || !isSeen)
    throw new Unsupported(line, 'SO_TIMESTAMPING other than of transmits in software');
  socket.stamps.set(flags, sending.written - sending.queued);
  socket.options.set(SOL_SOCKET, SO.TimeStamping, flags);
  return ok();
}

function setLinger(socket: TcpSocket, args: CallArguments): CallResult {
  const value = args.at(3);
  const fields = value.t === 'list' ? value.items : [];
  const [on, seconds] =
    fields.length === 2
      ? fields.map(each => args.value(each))
      : [args.field(value, 'onoff', 0), args.field(value, 'linger', 0)];
  socket.options.lingerOn = on !== 0;
  socket.options.lingerSeconds = seconds!;
  return ok();
}

function setCongestion(socket: TcpSocket, args: CallArguments): CallResult {
  const value = args.at(3);
  if (value.t !== 'string') throw args.wrong('TCP_CONGESTION wants a name');
  const name = value.value.replace(/\0.*$/s, '');
  if (name !== 'cubic' && name !== 'reno') throw new Unsupported(args.line, `congestion control ${name}`);
  socket.options.congestionControl = name;
  if (socket.connection === null) return ok();
  if (!applyCongestionControl(socket.connection, name)) {
    throw new Unsupported(args.line, 'another congestion control on a device');
  }
  return ok();
}

/** How many may be open early at a listener, or whether connect() opens early (RFC 7413). */
function setFastOpen(socket: TcpSocket, name: number, value: number): CallResult {
  const { stage, world } = socket;
  if (name === TCP.FastOpenConnect) {
    if (value < 0 || value > 1) return failed('EINVAL');
    if (!mayOpenFast(world)) return failed('EOPNOTSUPP');
    if (stage !== TcpStage.Closed) return failed('EINVAL');
  } else {
    if (value < 0 || (stage !== TcpStage.Closed && stage !== TcpStage.Listening)) return failed('EINVAL');
    const listener = socket.listener;
    if (listener !== null) listener.fastOpenMax = value;
  }
  socket.options.set(SOL_TCP, name, value);
  return ok();
}

function setFastOpenKey(socket: TcpSocket, args: CallArguments): CallResult {
  const value = args.at(3);
  if (value.t !== 'string') throw args.wrong('TCP_FASTOPEN_KEY wants bytes');
  if (args.number(4) !== KEY_BYTES) return failed('EINVAL');
  const word = (at: number): number => [3, 2, 1, 0].reduce((sum, i) => (sum << 8) | value.value.charCodeAt(at + i), 0);
  socket.options.fastOpenKey = [0, 4, 8, 12].map(word);
  const { listener } = socket;
  if (listener !== null) listener.fastOpenHash = SipHash.keyed(socket.options.fastOpenKey);
  return ok();
}

/** The kernel doubles what it is given, for its own descriptors. */
function setBuffer(socket: TcpSocket, name: number, bytes: number): CallResult {
  const least = name === SO.SndBuf ? BUFFER_MIN.send : BUFFER_MIN.receive;
  const doubled = Math.max(least, bytes * 2);
  if (name === SO.SndBuf) {
    socket.sendBuffer.limit = doubled;
    socket.sendBuffer.isLocked = true;
    return ok();
  }
  socket.options.set(SOL_SOCKET, name, doubled);
  if (socket.connection !== null) socket.options.apply(SOL_SOCKET, name, socket.connection);
  return ok();
}

export function getsockopt(world: SocketWorld, socket: TcpSocket, args: CallArguments): CallResult {
  const level = args.number(1);
  const name = args.number(2);
  const expected = args.at(3);
  if (level === SOL_TCP && name === TCP.Congestion && expected.t === 'string') {
    const { congestionControl } = socket.options;
    const own = world.settings.tcp.congestionControl === 'newreno' ? 'reno' : 'cubic';
    const actual = congestionControl === '' ? own : congestionControl;
    const wanted = expected.value.replace(/\0.*$/s, '');
    return ok(0, actual === wanted ? '' : `value: expected "${wanted}", got "${actual}"`);
  }
  const actual = valueOf(world, socket, level, name, args.line);
  const wanted = args.boxed(3);
  return ok(0, actual >>> 0 === wanted >>> 0 ? '' : `value: expected ${wanted}, got ${actual}`);
}

function valueOf(world: SocketWorld, socket: TcpSocket, level: number, name: number, line: number): number {
  const set = socket.options.get(level, name);
  if (level === SOL_SOCKET) {
    if (name === SO.Error) {
      const error = socket.takeError();
      return error === '' ? 0 : errnoNumber(error, line);
    }
    if (name === SO.SndBuf) return socket.sendBuffer.limit;
    if (name === SO.RcvBuf) return set ?? (world.settings.tcp.rcvBuffer ?? 0) * 2;
    if (name === SO.AcceptConn) return socket.stage === TcpStage.Listening ? 1 : 0;
    if (name === SO.Type) return 1;
    if (name === SO.Protocol) return SOL_TCP;
    if (name === SO.Domain) return 2;
  }
  if (level === SOL_TCP && name === TCP.MaxSeg) return socket.sending?.mss ?? set ?? 536;
  if (level === SOL_TCP && name === TCP.NotsentLowat) return set ?? 0;
  const isMtu = (level === SOL_IP && name === IP_MTU) || (level === SOL_IPV6 && name === IPV6_MTU);
  if (isMtu) return socket.connection?.pathMtu ?? world.settings.mtu;
  const known = KNOWN[`${level}:${name}`];
  if (known === undefined) throw new Unsupported(line, `getsockopt ${level}:${name}`);
  return set ?? known.initial;
}
