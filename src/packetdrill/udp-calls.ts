/**
 * The system calls of scripts on UDP sockets, and their options. As in system-calls.ts, each line becomes an attempt; what
 * is not known here is unsupported.
 */
import { PathMtuDiscovery } from '../host/udp-socket.ts';
import type { CallArguments } from './call-arguments.ts';
import { type Attempt, type CallResult, failed, ok } from './call-result.ts';
import { errnoNumber, numberOf } from './constants.ts';
import { Unsupported } from './script-error.ts';
import type { UdpSocket } from './udp-socket.ts';

const AF_UNSPEC = 0;
const O_RDWR = 2;
const O_NONBLOCK = 0x800;
const MSG = { Peek: 2, Trunc: 0x20, DontWait: 0x40, ErrQueue: 0x2000, NoSignal: 0x4000 } as const;
const SO_ERROR = '1:4';
const MTU = new Set(['0:14', '41:24']);

export function udpCall(socket: UdpSocket, args: CallArguments): Attempt {
  switch (args.call.name) {
    case 'bind':
      return () => socket.bind();
    case 'connect':
      return () => (!args.isEllipsis(1) && args.number(1) === AF_UNSPEC ? socket.disconnect() : socket.connect());
    case 'fcntl':
      return () => fcntl(socket, args);
    case 'setsockopt':
      return () => setOption(socket, args);
    case 'getsockopt':
      return () => getOption(socket, args);
    case 'read':
      return receiving(socket, args, 0);
    case 'recv':
    case 'recvfrom':
      return receiving(socket, args, args.number(3));
    case 'writev':
      return () => socket.write(args.vectorLength(args.at(1)), false);
    case 'sendmsg':
      return sendingMessage(socket, args);
    case 'recvmsg':
      return receivingMessage(socket, args);
    case 'write':
      return () => socket.write(args.number(2), false);
    case 'send':
      return sending(socket, args, false);
    case 'sendto':
      return sending(socket, args, true);
    default:
      throw new Unsupported(args.line, `${args.call.name} of a UDP socket`);
  }
}

function checkFlags(args: CallArguments, flags: number): void {
  const unknown = flags & ~(MSG.Peek | MSG.DontWait | MSG.NoSignal);
  if (unknown !== 0) throw new Unsupported(args.line, `flags ${unknown} of a UDP socket`);
}

function receiving(socket: UdpSocket, args: CallArguments, flags: number): Attempt {
  checkFlags(args, flags);
  return () => {
    const result = socket.read(args.number(2), (flags & MSG.Peek) !== 0);
    const waits = !socket.nonBlocking && (flags & MSG.DontWait) === 0;
    return result === null && !waits ? failed('EAGAIN') : result;
  };
}

/** With MSG_ERRQUEUE the oldest error; else a datagram, of which MSG_TRUNC says that it is longer. */
function receivingMessage(socket: UdpSocket, args: CallArguments): Attempt {
  const flags = args.number(2);
  const message = args.at(1);
  const count = args.messageLength();
  if ((flags & MSG.ErrQueue) !== 0) return socket.errors.receive(args);
  checkFlags(args, flags);
  return () => {
    let shown = 0;
    const result = socket.read(count, (flags & MSG.Peek) !== 0, length => (shown = length > count ? MSG.Trunc : 0));
    if (result === null) return socket.nonBlocking || (flags & MSG.DontWait) !== 0 ? failed('EAGAIN') : null;
    const expected = args.field(message, 'msg_flags', 0);
    if (result.value < 0 || expected === shown) return result;
    return { ...result, difference: `msg_flags: expected ${expected}, got ${shown}` };
  };
}

/** Where it is to go, `msg_name` says if the socket is not connected. */
function sendingMessage(socket: UdpSocket, args: CallArguments): Attempt {
  checkFlags(args, args.number(2));
  const count = args.messageLength();
  return () => socket.write(count, !socket.socket.isConnected);
}

function sending(socket: UdpSocket, args: CallArguments, isTo: boolean): Attempt {
  checkFlags(args, args.number(3));
  return () => socket.write(args.number(2), isTo);
}

function fcntl(socket: UdpSocket, args: CallArguments): CallResult {
  const command = args.number(1);
  if (command === numberOf('F_GETFL', args.line)) return ok(O_RDWR | (socket.nonBlocking ? O_NONBLOCK : 0));
  if (command !== numberOf('F_SETFL', args.line)) throw new Unsupported(args.line, `fcntl ${command}`);
  socket.nonBlocking = (args.number(2) & O_NONBLOCK) !== 0;
  return ok();
}

/** By `level:name`: what there is to set and to read. */
const OPTIONS: Readonly<Record<string, { set(s: UdpSocket, value: number): void; get(s: UdpSocket): number }>> = {
  // SO_REUSEADDR, SO_BROADCAST, SO_RCVBUF (doubled, as the kernel does)
  '1:2': { set: ({ socket }, value) => (socket.reuse = value !== 0), get: ({ socket }) => Number(socket.reuse) },
  '1:6': {
    set: ({ socket }, value) => (socket.broadcast = value !== 0),
    get: ({ socket }) => Number(socket.broadcast),
  },
  '1:8': { set: ({ socket }, value) => (socket.receiveBuffer = value * 2), get: ({ socket }) => socket.receiveBuffer },
  // IP_TOS, IP_TTL, IPV6_TCLASS, IPV6_UNICAST_HOPS
  '0:1': { set: setTos, get: ({ socket }) => socket.tos },
  '0:2': { set: setTtl, get: ({ socket }) => socket.ttl },
  '41:67': { set: setTos, get: ({ socket }) => socket.tos },
  '41:16': { set: setTtl, get: ({ socket }) => socket.ttl },
  // IP_MTU_DISCOVER, IP_RECVERR, IPV6_MTU_DISCOVER, IPV6_RECVERR
  '0:10': { set: setDiscovery, get: ({ socket }) => socket.pathMtuDiscovery },
  '0:11': { set: setReports, get: ({ socket }) => Number(socket.reportsAllErrors) },
  '41:23': { set: setDiscovery, get: ({ socket }) => socket.pathMtuDiscovery },
  '41:25': { set: setReports, get: ({ socket }) => Number(socket.reportsAllErrors) },
};

function setTos({ socket }: UdpSocket, value: number): void {
  socket.tos = value & 0xff;
}

function setTtl({ socket }: UdpSocket, value: number): void {
  socket.ttl = value;
  socket.hasTtl = true;
}

function setDiscovery({ socket }: UdpSocket, value: number): void {
  socket.pathMtuDiscovery = value as PathMtuDiscovery;
}

function setReports({ socket, errors }: UdpSocket, value: number): void {
  socket.reportsAllErrors = value !== 0;
  if (value === 0) errors.forget();
}

function setOption(socket: UdpSocket, args: CallArguments): CallResult {
  const key = `${args.number(1)}:${args.number(2)}`;
  const value = args.boxed(3);
  const option = OPTIONS[key];
  const isDiscovery = key === '0:10' || key === '41:23';
  if (option === undefined || (isDiscovery && (value < PathMtuDiscovery.Dont || value > PathMtuDiscovery.Do))) {
    throw new Unsupported(args.line, `setsockopt ${key} of a UDP socket`);
  }
  option.set(socket, value);
  return ok();
}

function getOption(socket: UdpSocket, args: CallArguments): CallResult {
  const key = `${args.number(1)}:${args.number(2)}`;
  const expected = args.boxed(3);
  const actual = valueOf(socket, key, args.line);
  if (actual === undefined) return failed('ENOTCONN');
  return ok(0, actual === expected ? '' : `value: expected ${expected}, got ${actual}`);
}

/** Undefined: only a connected socket has one. */
function valueOf(socket: UdpSocket, key: string, line: number): number | undefined {
  if (key === SO_ERROR) {
    const error = socket.takeError();
    return error === '' ? 0 : errnoNumber(error, line);
  }
  if (MTU.has(key)) return socket.socket.isConnected ? socket.pathMtu : undefined;
  const option = OPTIONS[key];
  if (option === undefined) throw new Unsupported(line, `getsockopt ${key} of a UDP socket`);
  return option.get(socket);
}
