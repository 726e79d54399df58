/**
 * What recvmsg says besides the bytes: flags of the message, and control messages. Of these there is TCP_CM_INQ, which tells
 * how many bytes are left to read.
 */
import type { Expression } from './ast.ts';
import { type CallArguments, memberOf } from './call-arguments.ts';
import type { Attempt } from './call-result.ts';
import { numberOf } from './constants.ts';
import { Unsupported } from './script-error.ts';
import type { TcpSocket } from './tcp-socket.ts';

const SOL_TCP = 6;
const TCP_INQ = 36;

export function receivedMessage(args: CallArguments, socket: TcpSocket, receive: Attempt): Attempt {
  const message = args.at(1);
  return () => {
    const result = receive();
    if (result === null || result.value < 0) return result;
    return { ...result, difference: result.difference || messageDifference(args, socket, message) };
  };
}

function messageDifference(args: CallArguments, socket: TcpSocket, message: Expression): string {
  const flags = args.field(message, 'msg_flags', 0);
  if (flags !== 0) return `msg_flags: expected ${flags}, got 0`;
  const control = memberOf(message, 'msg_control');
  const expected = control?.t === 'list' ? control.items : [];
  const hasInq = socket.options.get(SOL_TCP, TCP_INQ) === 1;
  if (expected.length !== (hasInq ? 1 : 0)) {
    return `control messages: expected ${expected.length}, got ${hasInq ? 1 : 0}`;
  }
  if (!hasInq) return '';
  const [first] = expected;
  const isInq =
    args.field(first!, 'cmsg_level', -1) === SOL_TCP &&
    args.field(first!, 'cmsg_type', -1) === numberOf('TCP_CM_INQ', args.line);
  if (!isInq) throw new Unsupported(args.line, 'control messages other than TCP_CM_INQ');
  const wanted = args.field(first!, 'cmsg_data', -1);
  // Behind the last byte the end is still to be read.
  const left = socket.unread === 0 && socket.peerEnded ? 1 : socket.unread;
  return wanted === left ? '' : `TCP_CM_INQ: expected ${wanted}, got ${left}`;
}
