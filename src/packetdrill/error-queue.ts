/**
 * recvmsg with MSG_ERRQUEUE on a TCP socket, which has nothing in it that is an error: of a transmit time stamp two control
 * messages — SCM_TIMESTAMPING with the time since the script began, and IP_RECVERR or IPV6_RECVERR, which says of what and
 * for which byte; of calls with MSG_ZEROCOPY that are over the latter alone.
 */
import type { Expression } from './ast.ts';
import { type CallArguments, memberOf } from './call-arguments.ts';
import { type CallResult, failed, ok } from './call-result.ts';
import { errnoNumber } from './constants.ts';
import { errorDifference, headerDifference } from './extended-error.ts';
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
  const what = { errno: 0, origin: SO_EE_ORIGIN_ZEROCOPY, type: 0, code: SO_EE_CODE_ZEROCOPY_COPIED };
  const error = { ...what, info: first, data: last };
  return compared(args, MSG.ErrQueue, [message => errorDifference(args, message, error, settings.ends.version)]);
}

/** '' when the control message is as the script has it. */
type Comparison = (message: Expression) => string;

/** recvmsg gives these flags, and so many control messages. */
function compared(args: CallArguments, flags: number, controls: readonly Comparison[]): CallResult {
  const message = args.at(1);
  const wanted = args.field(message, 'msg_flags', flags);
  if (wanted !== flags) return ok(0, `msg_flags: expected ${wanted}, got ${flags}`);
  const written = memberOf(message, 'msg_control');
  if (written?.t !== 'list') return ok(0);
  const { items } = written;
  if (items.length !== controls.length) {
    return ok(0, `control messages: expected ${items.length}, got ${controls.length}`);
  }
  return ok(0, controls.map((compare, i) => compare(items[i]!)).find(difference => difference !== '') ?? '');
}

function receiveStamp(args: CallArguments, stamps: TransmitStamps, length: number, settings: Settings): CallResult {
  if (stamps.isRepeated) throw new Unsupported(args.line, 'time stamps of what was sent again');
  if (length > 0 && (stamps.flags & StampFlag.OptTsOnly) === 0) {
    throw new Unsupported(args.line, 'the packet that a time stamp is of');
  }
  const stamp = stamps.queue.shift();
  if (stamp === undefined) return failed('EAGAIN');
  // The packet would come along, and there is no room for it.
  const flags = MSG.ErrQueue | ((stamps.flags & StampFlag.OptTsOnly) === 0 ? MSG.Trunc : 0);
  const { version } = settings.ends;
  const { kind: info, key: data } = stamp;
  const errno = errnoNumber('ENOMSG', args.line);
  const error = { errno, origin: SO_EE_ORIGIN_TIMESTAMPING, type: 0, code: 0, info, data };
  return compared(args, flags, [
    message =>
      headerDifference(args, message, SOL_SOCKET, SCM_TIMESTAMPING, version) ||
      timeDifference(args, message, stamp, settings.toleranceUs),
    message => errorDifference(args, message, error, version),
  ]);
}

function timeDifference(args: CallArguments, message: Expression, { us }: Stamp, toleranceUs: number): string {
  const data = memberOf(message, 'cmsg_data');
  if (data === undefined) return '';
  const nanoseconds = args.field(data, 'scm_nsec', 0);
  const wantedUs = args.field(data, 'scm_sec', 0) * US_PER_S + nanoseconds / NS_PER_US;
  if (Math.abs(us - wantedUs) <= toleranceUs) return '';
  return `time stamp: expected ${timeText(wantedUs)}, got ${timeText(us)}`;
}
