/**
 * The calls open, pipe, read and write of what is no socket, and sendfile and splice, which move bytes between those and
 * sockets without the application (Linux). As in system-calls.ts, each becomes an attempt.
 */
import type { CallArguments } from './call-arguments.ts';
import { type Attempt, type CallResult, failed, ok } from './call-result.ts';
import { numberOf } from './constants.ts';
import { PipeEnd, PlainFile } from './plain-files.ts';
import { Unsupported } from './script-error.ts';
import { TcpSocket } from './tcp-socket.ts';

type FileAt = (fd: number) => object | undefined;
/** A call that sends so many bytes over a socket. */
export type Sender = (socket: TcpSocket, count: number, flags: number) => Attempt;

const O_ACCMODE = 3;
const MSG = { DontWait: 0x40, More: 0x8000 } as const;
const SPLICE = { Move: 1, NonBlock: 2, More: 4, Gift: 8 } as const;
/** What there is without a script having made it. */
const DEVICES: Readonly<Record<string, number>> = { '/dev/zero': Number.POSITIVE_INFINITY, '/dev/null': 0 };

/** null: there is none. `made`: sizes of the files that the script's commands have made. */
export function openFile(args: CallArguments, made: ReadonlyMap<string, number>): PlainFile | null {
  const path = args.at(0);
  if (path.t !== 'string') throw args.wrong('open wants a path');
  if ((args.number(1) & O_ACCMODE) !== numberOf('O_RDONLY', args.line)) {
    throw new Unsupported(args.line, 'files to write to');
  }
  const size = made.get(path.value) ?? DEVICES[path.value];
  if (size !== undefined) return new PlainFile(size);
  // Of others, what is in them is not known here.
  if (!path.value.startsWith('/tmp/')) throw new Unsupported(args.line, `the file ${path.value}`);
  return null;
}

/** read and write of a file or a pipe. */
export function fileCall(file: PlainFile | PipeEnd, args: CallArguments): Attempt {
  const { name } = args.call;
  const count = args.number(2);
  if (name !== 'read' && name !== 'write') throw new Unsupported(args.line, `${name} of a file or a pipe`);
  if (file instanceof PipeEnd) {
    if (file.isReader !== (name === 'read')) return () => failed('EBADF');
    return name === 'read' ? () => takeFromPipe(file, count) : writing(file, count);
  }
  if (name === 'write') return () => failed('EBADF');
  return () => {
    const taken = file.readable(file.position, count);
    file.position += taken;
    return ok(taken);
  };
}

/** null: it is empty, and may not stay so. */
function takeFromPipe({ pipe }: PipeEnd, count: number): CallResult | null {
  if (pipe.bytes === 0 && count > 0 && !pipe.writerClosed) return null;
  const taken = Math.min(count, pipe.bytes);
  pipe.bytes -= taken;
  return ok(taken);
}

function writing({ pipe }: PipeEnd, count: number): Attempt {
  let left = count;
  return () => {
    if (pipe.readerClosed) return failed('EPIPE');
    const part = Math.min(left, pipe.room);
    pipe.bytes += part;
    left -= part;
    return left === 0 ? ok(count) : null;
  };
}

/** sendfile(out, in, offset, count): an offset of its own leaves the position of the file as it is. */
export function sendfile(args: CallArguments, fileAt: FileAt, send: Sender): Attempt {
  const socket = fileAt(args.number(0));
  const file = fileAt(args.number(1));
  if (socket === undefined || file === undefined) return () => failed('EBADF');
  if (!(socket instanceof TcpSocket)) throw new Unsupported(args.line, 'sendfile to other than TCP');
  if (!(file instanceof PlainFile)) return () => failed('EINVAL');
  const isOwn = args.at(2).t === 'list';
  const offset = isOwn ? args.boxed(2) : file.position;
  const count = file.readable(offset, args.number(3));
  if (count === 0) return () => ok(0);
  const attempt = send(socket, count, 0);
  return () => {
    const result = attempt();
    if (!isOwn && result !== null && result.value > 0) file.position += result.value;
    return result;
  };
}

/** splice(in, offset, out, offset, count, flags): one of both is a pipe. */
export function splice(args: CallArguments, fileAt: FileAt, send: Sender): Attempt {
  const [from, to] = [fileAt(args.number(0)), fileAt(args.number(2))];
  if (from === undefined || to === undefined) return () => failed('EBADF');
  const count = args.number(4);
  const flags = args.number(5);
  const isPipe = from instanceof PipeEnd || to instanceof PipeEnd;
  if (!isPipe) return () => failed('EINVAL');
  if (from instanceof PipeEnd && to instanceof PipeEnd) throw new Unsupported(args.line, 'splice between pipes');
  const isMoved = (index: number): boolean => args.at(index).t === 'list';
  if ((from instanceof PlainFile ? false : isMoved(1)) || isMoved(3)) return () => failed('ESPIPE');
  if (to instanceof PipeEnd) {
    if (to.isReader) return () => failed('EBADF');
    return from instanceof TcpSocket
      ? fromSocket(from, to, count, flags)
      : fromFile(args, from, to, isMoved(1) ? args.boxed(1) : -1, count);
  }
  if (!(from instanceof PipeEnd) || !from.isReader) return () => failed('EBADF');
  if (!(to instanceof TcpSocket)) throw new Unsupported(args.line, 'splice to other than TCP');
  return toSocket(from, to, count, flags, send);
}

/** As a read: what is there, as much as the pipe holds. */
function fromSocket(socket: TcpSocket, { pipe }: PipeEnd, count: number, flags: number): Attempt {
  const mayWait = (flags & SPLICE.NonBlock) === 0 && !socket.nonBlocking;
  return () => {
    if (pipe.readerClosed) return failed('EPIPE');
    // Not beyond what is urgent (tcp_read_sock), in line or not; there it says that nothing was to be had.
    const before = socket.urgentMark.before(socket.consumed);
    if (before === 0 && socket.unread > 0) return ok(0);
    const room = Math.min(count, pipe.room, before);
    const result = room === 0 && count > 0 ? null : socket.read(room, false);
    if (result === null) return mayWait ? null : failed('EAGAIN');
    if (result.value > 0) pipe.bytes += result.value;
    return result;
  };
}

function fromFile(args: CallArguments, from: object, to: PipeEnd, offset: number, count: number): Attempt {
  if (!(from instanceof PlainFile)) throw new Unsupported(args.line, 'splice from other than TCP and files');
  return () => {
    const taken = from.readable(offset < 0 ? from.position : offset, Math.min(count, to.pipe.room));
    to.pipe.bytes += taken;
    if (offset < 0) from.position += taken;
    return ok(taken);
  };
}

function toSocket({ pipe }: PipeEnd, socket: TcpSocket, count: number, flags: number, send: Sender): Attempt {
  const sendFlags = ((flags & SPLICE.NonBlock) === 0 ? 0 : MSG.DontWait) | ((flags & SPLICE.More) === 0 ? 0 : MSG.More);
  let attempt: Attempt | null = null;
  return () => {
    if (attempt === null) {
      if (pipe.bytes === 0 && !pipe.writerClosed) return (flags & SPLICE.NonBlock) === 0 ? null : failed('EAGAIN');
      attempt = send(socket, Math.min(count, pipe.bytes), sendFlags);
    }
    const result = attempt();
    if (result !== null && result.value > 0) pipe.bytes -= result.value;
    return result;
  };
}
