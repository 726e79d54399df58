/**
 * poll and epoll: which events a socket shows, and when a watcher is told. Level-triggered watchers are told as long as there
 * is something; edge-triggered ones once after each wake-up of the socket.
 */
import { TcpState } from '../tcp/tcb.ts';
import { hasReports } from './error-queue.ts';
import { type TcpSocket, TcpStage } from './tcp-socket.ts';

const IN = 1;
const PRI = 2;
const OUT = 4;
const ERR = 8;
const HUP = 0x10;
const RDNORM = 0x40;
const WRNORM = 0x100;
const RDHUP = 0x2000;
const ET = 0x8000_0000;
const ONESHOT = 0x4000_0000;
const ALWAYS = ERR | HUP;

/** All events of a socket at the moment. */
export function eventsOf(socket: TcpSocket): number {
  if (socket.stage === TcpStage.Listening) return socket.queue.length > 0 ? IN | RDNORM : 0;
  let events = socket.error === '' && !hasReports(socket) ? 0 : ERR;
  const isOver = socket.stage === TcpStage.Closed || socket.stage === TcpStage.Over;
  const readDone = socket.readShut || socket.peerEnded || socket.stage === TcpStage.Over;
  const writeDone = socket.writeShut || socket.stage === TcpStage.Over;
  if ((readDone && writeDone) || isOver) events |= HUP;
  if (readDone) events |= IN | RDNORM | RDHUP;
  if (socket.isDeferred) return events | OUT | WRNORM;
  if (socket.stage === TcpStage.Connecting) return events;
  if (socket.urgentMark.isThere(socket.consumed, socket.received_)) events |= PRI;
  if (socket.unread > 0) events |= IN | RDNORM;
  if (isWritable(socket, writeDone)) events |= OUT | WRNORM;
  return events;
}

function isWritable(socket: TcpSocket, writeDone: boolean): boolean {
  const state = socket.sending;
  if (writeDone || state === null || socket.tcpState === TcpState.Closed) return true;
  if (socket.sendBuffer.isWritable(state)) return true;
  socket.sendBuffer.wantsRoom = true;
  return false;
}

/** What poll() reports for a file. */
export function pollEvents(socket: TcpSocket, wanted: number): number {
  return eventsOf(socket) & (wanted | ALWAYS);
}

interface Watch {
  readonly socket: TcpSocket;
  events: number;
  fd: number;
  /** Wake-ups of the socket when it was told last; -1: it was never told. */
  seen: number;
  /** One shot, and it is over. */
  spent: boolean;
}

export class Epoll {
  readonly #watches = new Map<TcpSocket, Watch>();

  /** False: it is watched already. */
  add(socket: TcpSocket, events: number, fd: number): boolean {
    if (this.#watches.has(socket)) return false;
    this.#watches.set(socket, { socket, events, fd, seen: -1, spent: false });
    return true;
  }

  /** False: it is not watched. */
  modify(socket: TcpSocket, events: number, fd: number): boolean {
    const watch = this.#watches.get(socket);
    if (watch === undefined) return false;
    watch.events = events;
    watch.fd = fd;
    watch.seen = -1;
    watch.spent = false;
    return true;
  }

  remove(socket: TcpSocket): boolean {
    return this.#watches.delete(socket);
  }

  /** Who is to be told now, at most so many. */
  wait(most: number): { events: number; data: number }[] {
    const told: { events: number; data: number }[] = [];
    for (const watch of this.#watches.values()) {
      if (told.length === most) break;
      const { socket, events, fd } = watch;
      const isEdge = events >= ET;
      if (watch.spent || (isEdge && watch.seen === socket.wakeups)) continue;
      const shown = pollEvents(socket, events & ~(ET | ONESHOT));
      if (shown === 0) continue;
      watch.seen = socket.wakeups;
      if ((events & ONESHOT) !== 0) watch.spent = true;
      told.push({ events: shown, data: fd });
    }
    return told;
  }
}
