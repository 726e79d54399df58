/**
 * recvmsg with MSG_ERRQUEUE on a TCP socket, which has nothing in it that is an error: of a transmit time stamp two control
 * messages — SCM_TIMESTAMPING with the time since the script began, and IP_RECVERR or IPV6_RECVERR, which says of what and
 * for which byte; of calls with MSG_ZEROCOPY that are over the latter alone.
 */
import type { Expression } from './ast.ts';
import type { CallArguments } from './call-arguments.ts';
import { type CallResult, failed, ok } from './call-result.ts';
import { errnoNumber } from './constants.ts';
import { controlData, errorDifference, headerDifference } from './extended-error.ts';
import { timeText } from './packet-text.ts';
import { Unsupported } from './script-error.ts';
import type { Settings } from './settings.ts';
import type { TcpSocket } from './tcp-socket.ts';
import { type Stamp, StampFlag, type TransmitStamps } from './transmit-stamps.ts';
import type { ZeroCopyReport } from './zero-copy.ts';

const MSG = { Trunc: 0x20, ErrQueue: 0x2000 } as const;
const SOL_SOCKET = 1;
const SCM_TIMESTAMPING = 37;
const SO_EE_ORIGIN_TIMESTAMPING = 4;
const SO_EE_ORIGIN_ZEROCOPY = 5;
const SO_EE_CODE_ZEROCOPY_COPIED = 1;
const US_PER_S = 1_000_000;
const NS_PER_US = 1000;

/** There is something to read. */
export function hasReports({ stamps, zeroCopy }: TcpSocket): boolean {
  return stamps.queue.length > 0 || zeroCopy.queue.length > 0;
}

export function receiveReport(args: CallArguments, socket: TcpSocket, length: number, settings: Settings): CallResult {
  const { stamps, zeroCopy } = socket;
  if (zeroCopy.queue.length === 0) return receiveStamp(args, stamps, length, settings);
  // In which order they stand is not known.
  if (stamps.queue.length > 0) throw new Unsupported(args.line, 'time stamps and MSG_ZEROCOPY on one socket');
  return receiveCompletion(args, zeroCopy.queue.shift()!, settings);
}

function receiveCompletion(args: CallArguments, { first, last }: ZeroCopyReport, settings: Settings): CallResult {
  const message = args.at(1);
  const flags = args.field(message, 'msg_flags', MSG.ErrQueue);
  if (flags !== MSG.ErrQueue) return ok(0, `msg_flags: expected ${flags}, got MSG_ERRQUEUE`);
  const control = message.t === 'struct' ? message.fields.get('msg_control') : undefined;
  if (control?.t !== 'list') return ok(0);
  const [error, more] = control.items;
  if (error === undefined || more !== undefined)
    return ok(0, `control messages: expected ${control.items.length}, got 1`);
  const what = { errno: 0, origin: SO_EE_ORIGIN_ZEROCOPY, type: 0, code: SO_EE_CODE_ZEROCOPY_COPIED };
  return ok(0, errorDifference(args, error, { ...what, info: first, data: last }, settings.ends.version));
}

function receiveStamp(args: CallArguments, stamps: TransmitStamps, length: number, settings: Settings): CallResult {
  const message = args.at(1);
  if (stamps.isRepeated) throw new Unsupported(args.line, 'time stamps of what was sent again');
  if (length > 0 && (stamps.flags & StampFlag.OptTsOnly) === 0) {
    throw new Unsupported(args.line, 'the packet that a time stamp is of');
  }
  const stamp = stamps.queue.shift();
  if (stamp === undefined) return failed('EAGAIN');
  // The packet would come along, and there is no room for it.
  const flags = MSG.ErrQueue | ((stamps.flags & StampFlag.OptTsOnly) === 0 ? MSG.Trunc : 0);
  const expected = args.field(message, 'msg_flags', flags);
  if (expected !== flags) return ok(0, `msg_flags: expected ${expected}, got ${flags}`);
  return ok(0, controlDifference(args, message, stamp, settings));
}

function controlDifference(args: CallArguments, message: Expression, stamp: Stamp, settings: Settings): string {
  const control = message.t === 'struct' ? message.fields.get('msg_control') : undefined;
  if (control?.t !== 'list') return '';
  const [time, error, more] = control.items;
  if (time === undefined || error === undefined || more !== undefined) {
    return `control messages: expected ${control.items.length}, got 2`;
  }
  const { version } = settings.ends;
  const { kind: info, key: data } = stamp;
  const errno = errnoNumber('ENOMSG', args.line);
  return (
    headerDifference(args, time, SOL_SOCKET, SCM_TIMESTAMPING, version) ||
    timeDifference(args, time, stamp, settings.toleranceUs) ||
    errorDifference(args, error, { errno, origin: SO_EE_ORIGIN_TIMESTAMPING, type: 0, code: 0, info, data }, version)
  );
}

function timeDifference(args: CallArguments, message: Expression, { us }: Stamp, toleranceUs: number): string {
  const data = controlData(message);
  if (data === undefined) return '';
  const nanoseconds = args.field(data, 'scm_nsec', 0);
  const wantedUs = args.field(data, 'scm_sec', 0) * US_PER_S + nanoseconds / NS_PER_US;
  if (Math.abs(us - wantedUs) <= toleranceUs) return '';
  return `time stamp: expected ${timeText(wantedUs)}, got ${timeText(us)}`;
}
