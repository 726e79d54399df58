/**
 * Errors of a UDP socket as Linux keeps them: the last one pends, and is what any call says first; with IP_RECVERR each waits
 * in a queue besides, with what the network has said, until recvmsg() with MSG_ERRQUEUE takes it.
 */
import type { HostUdp } from '../host/udp.ts';
import { networkErrorName } from '../host/network-error.ts';
import type { UdpSocket as HostSocket } from '../host/udp-socket.ts';
import { type CallArguments, memberOf } from './call-arguments.ts';
import { type Attempt, type CallResult, failed, ok } from './call-result.ts';
import { errnoNumber } from './constants.ts';
import { errorDifference } from './extended-error.ts';

interface QueuedError {
  readonly errno: string;
  readonly origin: number;
  readonly type: number;
  readonly code: number;
  readonly info: number;
}

const ORIGIN = { Local: 1, Icmp: 2, Icmp6: 3 } as const;
const MSG_ERRQUEUE = 0x2000;

export class UdpErrorQueue {
  readonly #socket: HostSocket;
  readonly #udp: HostUdp;
  readonly #version: 4 | 6;
  readonly #queue: QueuedError[] = [];
  #pending = '';

  constructor(socket: HostSocket, udp: HostUdp, version: 4 | 6) {
    this.#socket = socket;
    this.#udp = udp;
    this.#version = version;
  }

  /** What the host has heard of meanwhile. */
  #collect(): void {
    for (let next = this.#socket.takeError(); next !== undefined; next = this.#socket.takeError()) {
      this.#udp.addresses.release(next.address);
      const errno = networkErrorName(next.error);
      const origin = this.#version === 4 ? ORIGIN.Icmp : ORIGIN.Icmp6;
      this.#pending = errno;
      if (!this.#socket.reportsAllErrors) continue;
      this.#queue.push({ errno, origin, type: next.type, code: next.code, info: next.mtu });
    }
  }

  /** A datagram was refused here for its size: the path's MTU is what the queue says of it. */
  tooLarge(mtu: number): void {
    if (!this.#socket.reportsAllErrors) return;
    this.#queue.push({ errno: 'EMSGSIZE', origin: ORIGIN.Local, type: 0, code: 0, info: mtu });
  }

  /** IP_RECVERR is off again. */
  forget(): void {
    this.#collect();
    this.#queue.length = 0;
  }

  /** SO_ERROR, and what any call says first; '' for none. */
  takePending(): string {
    this.#collect();
    const error = this.#pending;
    this.#pending = '';
    return error;
  }

  /** recvmsg() with MSG_ERRQUEUE never waits. Of the datagram an ICMP error quotes no more than its header here. */
  receive(args: CallArguments): Attempt {
    return () => {
      this.#collect();
      const error = this.#queue.shift();
      if (error === undefined) return failed('EAGAIN');
      // The next one pends now, or none.
      const next = this.#queue[0];
      this.#pending = next === undefined || next.origin === ORIGIN.Local ? '' : next.errno;
      return this.#compare(args, error);
    };
  }

  #compare(args: CallArguments, error: QueuedError): CallResult {
    const message = args.at(1);
    const flags = args.field(message, 'msg_flags', 0);
    if (flags !== MSG_ERRQUEUE) return ok(0, `msg_flags: expected ${flags}, got MSG_ERRQUEUE`);
    const control = memberOf(message, 'msg_control');
    const [first, ...more] = control?.t === 'list' ? control.items : [];
    if (first === undefined || more.length > 0) return ok(0, 'control messages: there is one, about the error');
    const errno = errnoNumber(error.errno, args.line);
    return ok(0, errorDifference(args, first, { ...error, errno, data: 0 }, this.#version));
  }
}
