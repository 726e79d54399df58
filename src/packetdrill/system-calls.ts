/**
 * The system calls of scripts, over a table of open files. Each line becomes an attempt: it answers what the call returns, or
 * null while it would block.
 */
import { type Attempt, type CallResult, failed, ok } from './call-result.ts';
import { CallArguments } from './call-arguments.ts';
import type { CallAction } from './ast.ts';
import { numberOf } from './constants.ts';
import { Epoll } from './epoll.ts';
import { hasReports, receiveReport } from './error-queue.ts';
import { fileCall, openFile, type Sender, sendfile, splice } from './file-calls.ts';
import { epollCtl, epollWait, poll } from './poll-calls.ts';
import { receivedMessage } from './message-calls.ts';
import { getsockopt, setsockopt } from './option-calls.ts';
import { Pipe, PipeEnd, PlainFile } from './plain-files.ts';
import { ScriptError, Unsupported } from './script-error.ts';
import { type Opener, sendCall } from './send-calls.ts';
import type { SocketWorld } from './socket-world.ts';
import { TcpSocket } from './tcp-socket.ts';
import { udpCall } from './udp-calls.ts';
import { UdpSocket } from './udp-socket.ts';

export type OpenFile = TcpSocket | UdpSocket | Epoll | PlainFile | PipeEnd;

const MSG = { Oob: 1, Peek: 2, DontWait: 0x40, ErrQueue: 0x2000 } as const;
const O_NONBLOCK = 0x800;
const O_RDWR = 2;
const AF_UNSPEC = 0;

/** Their first argument is no socket. */
const NOT_OF_A_SOCKET = new Set(['socket', 'poll', 'open', 'pipe']);

/** Who hears of sockets: the runner maps packets to them. */
export interface CallObserver {
  socketMade(socket: TcpSocket, fd: number): void;
  udpSocketMade(socket: UdpSocket, fd: number): void;
  listening(socket: TcpSocket): void;
  connecting(socket: TcpSocket): void;
  /** It may connect again. */
  renewed(socket: TcpSocket): void;
  accepted(socket: TcpSocket, fd: number): void;
}

export class SystemCalls {
  readonly #world: SocketWorld;
  readonly #observer: CallObserver;
  readonly #files = new Map<number, OpenFile>();

  constructor(world: SocketWorld, observer: CallObserver) {
    this.#world = world;
    this.#observer = observer;
  }

  /** Something has happened: there may be room to write, and time stamps to read. */
  look(): void {
    for (const file of this.#files.values()) {
      if (!(file instanceof TcpSocket)) continue;
      file.lookForRoom();
      if (file.stamps.areAwaited) file.stamps.look(file.sending, this.#world.machine.nowUs);
      if (file.zeroCopy.areAwaited) file.zeroCopy.look(file.sending);
    }
  }

  /** How a call line is done. */
  attempt(call: CallAction, line: number): Attempt {
    const args = new CallArguments(call, line);
    const udp = this.#udp(args);
    if (udp !== null && call.name !== 'close') return udpCall(udp, args);
    const plain = this.#plain(args);
    if (plain !== null) return fileCall(plain, args);
    switch (call.name) {
      case 'socket':
        return () => this.#socket(args);
      case 'bind':
        return () => this.#bind(this.#tcp(args, 0));
      case 'listen':
        return () => this.#listen(this.#tcp(args, 0), args.number(1));
      case 'accept':
      case 'accept4':
        return this.#blocking(this.#tcp(args, 0), false, socket => this.#accept(socket, args));
      case 'connect':
        return this.#connect(args);
      case 'close':
        return this.#close(args);
      case 'shutdown':
        return () => this.#tcp(args, 0).shutdown(args.number(1));
      case 'fcntl':
        return () => this.#fcntl(args);
      case 'ioctl':
        return () => this.#ioctl(args);
      case 'setsockopt':
        return () => setsockopt(this.#tcp(args, 0), args);
      case 'getsockopt':
        return () => getsockopt(this.#world, this.#tcp(args, 0), args);
      case 'poll':
        return poll(args, this.#world, fd => this.#socketOrEpoll(fd));
      case 'epoll_create':
      case 'epoll_create1':
        return () => this.#open(args, new Epoll());
      case 'epoll_ctl':
        return () => epollCtl(args, fd => this.#socketOrEpoll(fd));
      case 'epoll_wait':
        return epollWait(args, this.#world, fd => this.#socketOrEpoll(fd));
      default:
        return this.#dataCall(args);
    }
  }

  #dataCall(args: CallArguments): Attempt {
    const { name } = args.call;
    const vector = (): number => args.vectorLength(args.at(1));
    switch (name) {
      case 'read':
        return this.#receive(args, args.number(2), 0);
      case 'readv':
        return this.#receive(args, vector(), 0);
      case 'recv':
      case 'recvfrom':
        return this.#receive(args, args.number(2), args.number(3));
      case 'recvmsg':
        if ((args.number(2) & MSG.ErrQueue) !== 0) return this.#errorQueue(args, args.messageLength());
        return receivedMessage(args, this.#tcp(args, 0), this.#receive(args, args.messageLength(), args.number(2)));
      case 'write':
        return this.#send(args, args.number(2), 0);
      case 'writev':
        return this.#send(args, vector(), 0);
      case 'send':
        return this.#send(args, args.number(2), args.number(3));
      case 'sendto':
        return this.#send(args, args.number(2), args.number(3));
      case 'sendmsg':
        return this.#send(args, args.messageLength(), args.number(2));
      case 'open':
        return () => this.#openPath(args);
      case 'pipe':
        return () => this.#pipe(args);
      case 'sendfile':
        return sendfile(args, fd => this.#files.get(fd), this.#sender(args));
      case 'splice':
        return splice(args, fd => this.#files.get(fd), this.#sender(args));
      default:
        throw new Unsupported(args.line, `system call ${name}`);
    }
  }

  #tcp(args: CallArguments, index: number): TcpSocket {
    const fd = args.number(index);
    const file = this.#files.get(fd);
    if (file === undefined) throw new ScriptError(args.line, `unable to find fd with script fd ${fd}`);
    if (!(file instanceof TcpSocket)) throw new Unsupported(args.line, `${args.call.name} of what is no socket`);
    return file;
  }

  /** The UDP socket that the call is for, if it is for one. */
  #udp(args: CallArguments): UdpSocket | null {
    const { name } = args.call;
    if (args.count === 0 || NOT_OF_A_SOCKET.has(name) || name.startsWith('epoll')) return null;
    const file = this.#files.get(args.number(0));
    return file instanceof UdpSocket ? file : null;
  }

  /** The file or the pipe that the call is for; not of those that move bytes between two. */
  #plain(args: CallArguments): PlainFile | PipeEnd | null {
    const { name } = args.call;
    if (name !== 'read' && name !== 'write') return null;
    const file = this.#files.get(args.number(0));
    return file instanceof PlainFile || file instanceof PipeEnd ? file : null;
  }

  #socketOrEpoll(fd: number): TcpSocket | UdpSocket | Epoll | undefined {
    const file = this.#files.get(fd);
    return file instanceof PlainFile || file instanceof PipeEnd ? undefined : file;
  }

  #openPath(args: CallArguments): CallResult {
    const file = openFile(args, this.#world.settings.files);
    return file === null ? failed('ENOENT') : this.#open(args, file);
  }

  /** pipe([reader, writer]). */
  #pipe(args: CallArguments): CallResult {
    const ends = args.at(0);
    if (ends.t !== 'list' || ends.items.length !== 2) throw args.wrong('expected [reader, writer]');
    const pipe = new Pipe();
    for (const [i, item] of ends.items.entries()) {
      const fd = args.value(item);
      if (this.#files.has(fd)) throw new ScriptError(args.line, `duplicate fd ${fd} in script`);
      this.#files.set(fd, new PipeEnd(pipe, i === 0));
    }
    return ok();
  }

  /** A call that waits on a blocking socket, and says EAGAIN on another. */
  #blocking(socket: TcpSocket, dontWait: boolean, once: (socket: TcpSocket) => CallResult | null): Attempt {
    return () => {
      const result = once(socket);
      return result === null && (dontWait || socket.nonBlocking) ? failed('EAGAIN') : result;
    };
  }

  #open(args: CallArguments, file: OpenFile): CallResult {
    const fd = args.value(args.call.result);
    // A result below 0 is what the script expects: it will not be the one it gets.
    if (fd < 0) return ok(0);
    if (this.#files.has(fd)) throw new ScriptError(args.line, `duplicate fd ${fd} in script`);
    this.#files.set(fd, file);
    return ok(fd);
  }

  #socket(args: CallArguments): CallResult {
    const type = args.number(1);
    const protocol = args.number(2);
    const isIpv6 = this.#world.settings.ends.version === 6;
    const own = numberOf(isIpv6 ? 'AF_INET6' : 'AF_INET', args.line);
    // A socket of IPv6 takes addresses of IPv4 too.
    const domain = args.isEllipsis(0) || args.number(0) === numberOf('AF_INET6', args.line) ? own : args.number(0);
    if (domain !== own) throw new Unsupported(args.line, 'sockets of another family than the script');
    if (protocol === numberOf('IPPROTO_MPTCP', args.line)) throw new Unsupported(args.line, 'MPTCP');
    const kind = type & 0xf;
    if (kind === 1 && protocol === 17) return failed('EPROTONOSUPPORT');
    if (kind === 2 && (protocol === 0 || protocol === 17)) return this.#udpSocket(args, type);
    if (kind !== 1) throw new Unsupported(args.line, 'sockets other than TCP and UDP');
    const socket = new TcpSocket(this.#world);
    socket.nonBlocking = (type & O_NONBLOCK) !== 0;
    const result = this.#open(args, socket);
    if (result.value >= 0) this.#observer.socketMade(socket, result.value);
    return result;
  }

  #udpSocket(args: CallArguments, type: number): CallResult {
    const socket = new UdpSocket(this.#world);
    socket.nonBlocking = (type & O_NONBLOCK) !== 0;
    const result = this.#open(args, socket);
    if (result.value >= 0) this.#observer.udpSocketMade(socket, result.value);
    return result;
  }

  #bind(socket: TcpSocket): CallResult {
    if (socket.localPort !== 0) return failed('EINVAL');
    socket.localPort = this.#world.settings.bindPort;
    return ok();
  }

  #listen(socket: TcpSocket, backlog: number): CallResult {
    const result = socket.listen(backlog);
    if (result.value === 0) this.#observer.listening(socket);
    return result;
  }

  #accept(socket: TcpSocket, args: CallArguments): CallResult | null {
    const child = socket.accept();
    if (child === 'none') return null;
    if (child === 'not listening') return failed('EINVAL');
    if (args.count > 3) child.nonBlocking = (args.number(3) & O_NONBLOCK) !== 0;
    // Scripts may accept anew under a number that they have not closed.
    this.#files.delete(args.value(args.call.result));
    const result = this.#open(args, child);
    this.#observer.accepted(child, result.value);
    return result;
  }

  #connect(args: CallArguments): Attempt {
    const socket = this.#tcp(args, 0);
    if (!args.isEllipsis(1) && args.number(1) === AF_UNSPEC) return () => this.#reset(socket);
    const { machine, settings } = this.#world;
    let begun = false;
    return () => {
      if (begun) return socket.connectDone();
      begun = true;
      if (!socket.isBusy) this.#observer.connecting(socket);
      return socket.connect(machine.remoteAddress, settings.connectPort);
    };
  }

  /** connect() to AF_UNSPEC: whatever there is ends, and the socket is as good as new. */
  #reset(socket: TcpSocket): CallResult {
    socket.reset();
    this.#observer.renewed(socket);
    return ok();
  }

  #close(args: CallArguments): Attempt {
    const fd = args.number(0);
    const file = this.#files.get(fd);
    if (file === undefined) return () => failed('EBADF');
    let begun = false;
    const deadlineUs = (): number => this.#world.machine.nowUs;
    let untilUs = 0;
    return () => {
      if (!begun) {
        begun = true;
        this.#files.delete(fd);
        if (file instanceof Epoll || file instanceof PlainFile) return ok();
        if (file instanceof UdpSocket || file instanceof PipeEnd) {
          file.close();
          return ok();
        }
        for (const other of this.#files.values()) if (other instanceof Epoll) other.remove(file);
        file.close();
        const { lingerOn, lingerSeconds } = file.options;
        untilUs = lingerOn && !file.nonBlocking ? deadlineUs() + lingerSeconds * 1e6 : 0;
      }
      if (!(file instanceof TcpSocket) || untilUs === 0) return ok();
      return file.isDrained || this.#world.machine.nowUs >= untilUs ? ok() : null;
    };
  }

  #fcntl(args: CallArguments): CallResult {
    const socket = this.#tcp(args, 0);
    const command = args.number(1);
    if (command === numberOf('F_GETFL', args.line)) return ok(O_RDWR | (socket.nonBlocking ? O_NONBLOCK : 0));
    if (command === numberOf('F_SETFL', args.line)) socket.nonBlocking = (args.number(2) & O_NONBLOCK) !== 0;
    else if (command !== numberOf('F_SETFD', args.line)) throw new Unsupported(args.line, `fcntl ${command}`);
    return ok();
  }

  #ioctl(args: CallArguments): CallResult {
    const socket = this.#tcp(args, 0);
    const command = args.number(1);
    const state = socket.sending;
    let value: number;
    // In front of what is urgent, if there is something.
    if (command === numberOf('SIOCINQ', args.line))
      value = socket.readsUrgentInline ? socket.unread : beforeUrgent(socket);
    else if (command === numberOf('SIOCOUTQ', args.line)) value = state?.queued ?? 0;
    else if (command === numberOf('SIOCOUTQNSD', args.line)) value = state?.unsent ?? 0;
    else throw new Unsupported(args.line, `ioctl ${command}`);
    const expected = args.boxed(2);
    return ok(0, value === expected ? '' : `ioctl value: expected ${expected}, got ${value}`);
  }

  #receive(args: CallArguments, count: number, flags: number): Attempt {
    const socket = this.#tcp(args, 0);
    if ((flags & MSG.ErrQueue) !== 0) return this.#noErrors(socket, args.line);
    if ((flags & MSG.Oob) !== 0) return this.#receiveUrgent(socket, (flags & MSG.Peek) !== 0);
    const isNull = !args.isEllipsis(1) && args.call.name !== 'readv' && args.call.name !== 'recvmsg';
    return this.#blocking(socket, (flags & MSG.DontWait) !== 0, () => {
      if (isNull && socket.unread > 0 && count > 0) return failed('EFAULT');
      return socket.read(count, (flags & MSG.Peek) !== 0);
    });
  }

  #errorQueue(args: CallArguments, length: number): Attempt {
    const socket = this.#tcp(args, 0);
    return () => receiveReport(args, socket, length, this.#world.settings);
  }

  #noErrors(socket: TcpSocket, line: number): Attempt {
    return () => {
      if (hasReports(socket)) throw new Unsupported(line, 'the error queue read without recvmsg');
      return failed('EAGAIN');
    };
  }

  #receiveUrgent(socket: TcpSocket, peek: boolean): Attempt {
    return () => {
      const isOver = socket.peerEnded || socket.readShut || socket.connection === null;
      const { consumed, received_, readsUrgentInline } = socket;
      return socket.urgentMark.take(consumed, received_, readsUrgentInline, isOver, peek);
    };
  }

  #send(args: CallArguments, count: number, flags: number): Attempt {
    return this.#sender(args)(this.#tcp(args, 0), count, flags);
  }

  #sender(args: CallArguments): Sender {
    return (socket, count, flags) => sendCall(args, socket, count, flags, this.#opener);
  }

  get #opener(): Opener {
    const { machine, settings } = this.#world;
    return socket => {
      if (!socket.isBusy) this.#observer.connecting(socket);
      return socket.open(machine.remoteAddress, settings.connectPort, true);
    };
  }
}

function beforeUrgent({ urgentMark, consumed, unread }: TcpSocket): number {
  return Math.min(unread, urgentMark.before(consumed));
}
