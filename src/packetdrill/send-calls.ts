/**
 * The calls that send: write, send and their relatives. Some open the connection too (RFC 7413): with MSG_FASTOPEN, or the
 * first after a connect with TCP_FASTOPEN_CONNECT, whose SYN carries what it can of the bytes.
 */
import { TcpFastOpen } from '../tcp/fast-open.ts';
import { type CallArguments, memberOf } from './call-arguments.ts';
import { type Attempt, type CallResult, failed, ok } from './call-result.ts';
import { Unsupported } from './script-error.ts';
import type { SocketWorld } from './socket-world.ts';
import { type TcpSocket, TcpStage } from './tcp-socket.ts';
import { ZERO_COPY_BUFFERS_MAX } from './zero-copy.ts';

const MSG = { Oob: 1, DontWait: 0x40, Eor: 0x80, More: 0x8000, ZeroCopy: 0x400_0000, FastOpen: 0x2000_0000 } as const;
const SOL_SOCKET = 1;
const SO_ZEROCOPY = 60;
const AF_UNSPEC = 0;
const ADDRESS = 4;

/** Their second argument says where the bytes are. */
const HAS_BUFFER = new Set(['write', 'send', 'sendto']);

/** connect() with Fast Open. */
export type Opener = (socket: TcpSocket) => CallResult | null;

export function sendCall(args: CallArguments, socket: TcpSocket, count: number, flags: number, open: Opener): Attempt {
  const send = sending(args, socket, count, flags, open);
  const isZeroCopy = (flags & MSG.ZeroCopy) !== 0 && socket.options.get(SOL_SOCKET, SO_ZEROCOPY) === 1;
  if (isZeroCopy && buffersOf(args) > ZERO_COPY_BUFFERS_MAX) {
    throw new Unsupported(args.line, `MSG_ZEROCOPY of more than ${ZERO_COPY_BUFFERS_MAX} buffers`);
  }
  return () => {
    const result = send();
    if (result === null || result.value <= 0) return result;
    socket.stamps.wrote(socket.sendBuffer);
    if (isZeroCopy) socket.zeroCopy.wrote(socket.sendBuffer.written);
    return result;
  };
}

function buffersOf(args: CallArguments): number {
  const buffers = args.call.name === 'sendmsg' ? memberOf(args.at(1), 'msg_iov') : undefined;
  return buffers?.t === 'list' ? buffers.items.length : 1;
}

function sending(args: CallArguments, socket: TcpSocket, count: number, flags: number, open: Opener): Attempt {
  if ((flags & MSG.Oob) !== 0) throw new Unsupported(args.line, 'urgent data (MSG_OOB)');
  const { name } = args.call;
  const isNull = HAS_BUFFER.has(name) && !args.isEllipsis(1);
  const wantsOpen = (flags & MSG.FastOpen) !== 0;
  const endsRecord = (flags & MSG.Eor) !== 0;
  const mayWait = (): boolean => (flags & MSG.DontWait) === 0 && !socket.nonBlocking;
  let done = 0;
  let isWaiting = false;
  let isFirst = true;
  let isOpening = false;
  return () => {
    if (isNull && count > 0) return failed('EFAULT');
    if (isFirst) {
      isFirst = false;
      isOpening = wantsOpen ? socket.stage !== TcpStage.Connected : socket.isDeferred;
      const refused = wantsOpen ? openFast(args, socket, open) : null;
      if (refused !== null) return refused;
      if (isOpening) done = socket.sendEarly(count, mayWait(), endsRecord);
      if (isOpening && !mayWait()) return done > 0 ? ok(done) : failed('EINPROGRESS');
    }
    if (isOpening) {
      const opened = socket.connectDone();
      if (opened === null || opened.value < 0) return opened;
      isOpening = false;
    }
    const result = socket.write(count - done, isWaiting, (flags & MSG.More) !== 0, endsRecord);
    isWaiting = true;
    if (result !== null && result.value < 0) return done > 0 ? ok(done) : result;
    done += result?.value ?? 0;
    if (done === count) return ok(done);
    // A blocking write goes on until everything is in the buffer.
    if (mayWait()) return null;
    return done > 0 ? ok(done) : failed('EAGAIN');
  };
}

/** Null: it is open, or about to be. */
function openFast(args: CallArguments, socket: TcpSocket, open: Opener): CallResult | null {
  const hasAddress = args.call.name === 'sendto' && !args.isEllipsis(ADDRESS);
  const isNowhere = hasAddress && args.number(ADDRESS) === AF_UNSPEC;
  if (isNowhere || !mayOpenFast(socket.world)) return failed('EOPNOTSUPP');
  if (socket.stage === TcpStage.Connecting) return socket.isDeferred ? null : failed('EALREADY');
  if (socket.stage === TcpStage.Connected) return null;
  return open(socket);
}

export function mayOpenFast({ settings }: SocketWorld): boolean {
  return ((settings.tcp.fastOpen ?? TcpFastOpen.Client) & TcpFastOpen.Client) !== 0;
}
