/**
 * recvmsg with MSG_ERRQUEUE on a TCP socket: one report of a transmit time stamp, as two control messages — SCM_TIMESTAMPING
 * with the time since the script began, and IP_RECVERR or IPV6_RECVERR, which says of what and for which byte.
 */
import type { Expression } from './ast.ts';
import type { CallArguments } from './call-arguments.ts';
import { type CallResult, failed, ok } from './call-result.ts';
import { errnoNumber } from './constants.ts';
import { timeText } from './packet-text.ts';
import { Unsupported } from './script-error.ts';
import type { Settings } from './settings.ts';
import type { TcpSocket } from './tcp-socket.ts';
import { type Stamp, StampFlag } from './transmit-stamps.ts';

const MSG = { Trunc: 0x20, ErrQueue: 0x2000 } as const;
const SOL_SOCKET = 1;
const SCM_TIMESTAMPING = 37;
const SO_EE_ORIGIN_TIMESTAMPING = 4;
/** Level and type of the second message, by family. */
const RECVERR = { 4: { level: 0, type: 11 }, 6: { level: 41, type: 25 } } as const;
const US_PER_S = 1_000_000;
const NS_PER_US = 1000;

export function receiveStamp(args: CallArguments, socket: TcpSocket, length: number, settings: Settings): CallResult {
  const { stamps } = socket;
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
  return (
    headerDifference(args, time, { level: SOL_SOCKET, type: SCM_TIMESTAMPING }, version) ||
    timeDifference(args, dataOf(args, time), stamp, settings.toleranceUs) ||
    headerDifference(args, error, RECVERR[version], version) ||
    errorDifference(args, dataOf(args, error), stamp)
  );
}

function dataOf(args: CallArguments, message: Expression): Expression {
  const data = message.t === 'struct' ? message.fields.get('cmsg_data') : undefined;
  if (data === undefined) throw args.wrong('expected cmsg_data');
  return data;
}

function headerDifference(
  args: CallArguments,
  message: Expression,
  { level, type }: { readonly level: number; readonly type: number },
  version: 4 | 6,
): string {
  const wantedLevel = familyField(args, message, 'cmsg_level', version);
  const wantedType = familyField(args, message, 'cmsg_type', version);
  if (wantedLevel === level && wantedType === type) return '';
  return `control message: expected ${wantedLevel}:${wantedType}, got ${level}:${type}`;
}

/** Scripts for both families have names for what differs. */
function familyField(args: CallArguments, message: Expression, name: string, version: 4 | 6): number {
  const value = message.t === 'struct' ? message.fields.get(name) : undefined;
  if (value?.t === 'word' && value.name === 'CMSG_LEVEL_IP') return RECVERR[version].level;
  if (value?.t === 'word' && value.name === 'CMSG_TYPE_RECVERR') return RECVERR[version].type;
  return args.field(message, name, -1);
}

function timeDifference(args: CallArguments, data: Expression, { us }: Stamp, toleranceUs: number): string {
  const nanoseconds = args.field(data, 'scm_nsec', 0);
  const wantedUs = args.field(data, 'scm_sec', 0) * US_PER_S + nanoseconds / NS_PER_US;
  if (Math.abs(us - wantedUs) <= toleranceUs) return '';
  return `time stamp: expected ${timeText(wantedUs)}, got ${timeText(us)}`;
}

/** struct sock_extended_err. */
function errorDifference(args: CallArguments, data: Expression, { kind, key }: Stamp): string {
  const fields = {
    ee_errno: errnoNumber('ENOMSG', args.line),
    ee_origin: SO_EE_ORIGIN_TIMESTAMPING,
    ee_type: 0,
    ee_code: 0,
    ee_info: kind,
    ee_data: key,
  };
  for (const [name, value] of Object.entries(fields)) {
    const wanted = args.field(data, name, value);
    if (wanted !== value) return `${name}: expected ${wanted}, got ${value}`;
  }
  return '';
}
