/**
 * The control message in which an error queue tells of an entry, IP_RECVERR or IPV6_RECVERR: a struct sock_extended_err, which
 * is compared with what a script has written out. What is left out there is not compared.
 */
import type { Expression } from './ast.ts';
import { type CallArguments, memberOf } from './call-arguments.ts';

export interface ExtendedError {
  /** 0: it is no error. */
  readonly errno: number;
  readonly origin: number;
  readonly type: number;
  readonly code: number;
  readonly info: number;
  readonly data: number;
}

/** `bytes`: header, error, and the address of who has reported it (sockaddr_in, sockaddr_in6). */
const RECVERR = { 4: { level: 0, type: 11, bytes: 48 }, 6: { level: 41, type: 25, bytes: 60 } } as const;

/** '' when the message is about this. */
export function errorDifference(
  args: CallArguments,
  message: Expression,
  error: ExtendedError,
  version: 4 | 6,
): string {
  const { level, type, bytes } = RECVERR[version];
  return (
    headerDifference(args, message, level, type, version) ||
    fieldDifference(args, message, { cmsg_len: bytes }) ||
    fieldDifference(args, memberOf(message, 'cmsg_data'), {
      ee_errno: error.errno,
      ee_origin: error.origin,
      ee_type: error.type,
      ee_code: error.code,
      ee_info: error.info,
      ee_data: error.data,
    })
  );
}

export function headerDifference(
  args: CallArguments,
  message: Expression,
  level: number,
  type: number,
  version: 4 | 6,
): string {
  const wantedLevel = familyField(args, message, 'cmsg_level', version) ?? level;
  const wantedType = familyField(args, message, 'cmsg_type', version) ?? type;
  if (wantedLevel === level && wantedType === type) return '';
  return `control message: expected ${wantedLevel}:${wantedType}, got ${level}:${type}`;
}

/** Scripts for both families have names for what differs. */
function familyField(args: CallArguments, message: Expression, name: string, version: 4 | 6): number | undefined {
  const value = memberOf(message, name);
  if (value === undefined) return undefined;
  if (value.t === 'word' && value.name === 'CMSG_LEVEL_IP') return RECVERR[version].level;
  if (value.t === 'word' && value.name === 'CMSG_TYPE_RECVERR') return RECVERR[version].type;
  return args.value(value);
}

function fieldDifference(
  args: CallArguments,
  struct: Expression | undefined,
  actual: Readonly<Record<string, number>>,
): string {
  if (struct === undefined) return '';
  for (const [name, value] of Object.entries(actual)) {
    const wanted = args.field(struct, name, value);
    if (wanted !== value) return `${name}: expected ${wanted}, got ${value}`;
  }
  return '';
}
