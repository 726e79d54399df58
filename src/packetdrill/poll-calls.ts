/**
 * The calls poll, epoll_ctl and epoll_wait: time-outs count in virtual time, and what they report is compared.
 * What a socket shows and when a watcher is told is in epoll.ts.
 */
import type { CallArguments } from './call-arguments.ts';
import { type Attempt, type CallResult, failed, ok } from './call-result.ts';
import { eventNames, numberOf } from './constants.ts';
import { Epoll, pollEvents } from './epoll.ts';
import { ScriptError, Unsupported } from './script-error.ts';
import type { SocketWorld } from './socket-world.ts';
import type { TcpSocket } from './tcp-socket.ts';
import { UdpSocket } from './udp-socket.ts';

type FileAt = (fd: number) => TcpSocket | UdpSocket | Epoll | undefined;

const US_PER_MS = 1000;
const ET = 0x8000_0000;

/** A wait of `ms`, -1 for ever: null until something is there or the time is over. */
function waiting(world: SocketWorld, ms: number, look: (isLast: boolean) => CallResult | null): Attempt {
  let untilUs = -1;
  return () => {
    const { nowUs } = world.machine;
    if (untilUs < 0) untilUs = ms < 0 ? Number.MAX_SAFE_INTEGER : nowUs + ms * US_PER_MS;
    return look(nowUs >= untilUs);
  };
}

export function poll(args: CallArguments, world: SocketWorld, fileAt: FileAt): Attempt {
  const files = args.at(0);
  if (files.t !== 'list') throw args.wrong('expected an array of pollfd');
  const wanted = files.items.map(item => ({
    socket: socketAt(args, fileAt, args.field(item, 'fd', -1)),
    events: args.field(item, 'events', 0),
    expected: args.field(item, 'revents', 0),
  }));
  return waiting(world, args.number(2), isLast => {
    const shown = wanted.map(({ socket, events }) => pollEvents(socket, events));
    const count = shown.filter(events => events !== 0).length;
    if (count === 0 && !isLast) return null;
    const off = wanted.findIndex(({ expected }, i) => expected !== shown[i]);
    const text = (events: number): string => eventNames(events).replaceAll('EPOLL', 'POLL');
    const difference =
      off < 0 ? '' : `revents: expected ${text(wanted[off]!.expected)}, got ${text(shown[off]!)} for pollfd ${off}`;
    return ok(count, difference);
  });
}

function socketAt(args: CallArguments, fileAt: FileAt, fd: number): TcpSocket {
  const file = fileAt(fd);
  if (file === undefined) throw new ScriptError(args.line, `unable to find fd with script fd ${fd}`);
  if (file instanceof Epoll) throw new Unsupported(args.line, 'an epoll file watched by another');
  if (file instanceof UdpSocket) throw new Unsupported(args.line, `${args.call.name} of a UDP socket`);
  return file;
}

function epollAt(args: CallArguments, fileAt: FileAt): Epoll {
  const fd = args.number(0);
  const file = fileAt(fd);
  if (!(file instanceof Epoll)) throw new ScriptError(args.line, `${fd} is no epoll file`);
  return file;
}

export function epollCtl(args: CallArguments, fileAt: FileAt): CallResult {
  const epoll = epollAt(args, fileAt);
  const operation = args.number(1);
  const fd = args.number(2);
  const socket = socketAt(args, fileAt, fd);
  if (operation === numberOf('EPOLL_CTL_DEL', args.line)) return epoll.remove(socket) ? ok() : failed('ENOENT');
  const event = args.at(3);
  const events = args.field(event, 'events', 0) >>> 0;
  const data = dataOf(args, 3);
  if (operation === numberOf('EPOLL_CTL_ADD', args.line)) {
    return epoll.add(socket, events, data) ? ok() : failed('EEXIST');
  }
  return epoll.modify(socket, events, data) ? ok() : failed('ENOENT');
}

function dataOf(args: CallArguments, index: number): number {
  const event = args.at(index);
  for (const name of ['fd', 'ptr', 'u32', 'u64']) {
    const value = args.field(event, name, -1);
    if (value >= 0) return value;
  }
  return 0;
}

export function epollWait(args: CallArguments, world: SocketWorld, fileAt: FileAt): Attempt {
  const epoll = epollAt(args, fileAt);
  const most = args.number(2);
  const expected = { events: args.field(args.at(1), 'events', 0) & ~ET, data: dataOf(args, 1) };
  return waiting(world, args.number(3), isLast => {
    const told = epoll.wait(most);
    if (told.length === 0 && !isLast) return null;
    const { events, data } = told[0] ?? { events: 0, data: 0 };
    let difference = '';
    if (events !== expected.events) {
      difference = `events: expected ${eventNames(expected.events)}, got ${eventNames(events)}`;
    } else if (data !== expected.data) {
      difference = `event data: expected ${expected.data}, got ${data}`;
    }
    return ok(told.length, difference);
  });
}
