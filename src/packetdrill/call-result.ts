/**
 * What a system call comes to: a value, an errno, and whatever else the script says of it.
 *
 * A call that would block answers null, and is tried again whenever something has happened.
 */
export interface CallResult {
  readonly value: number;
  /** '' for none. */
  readonly errno: string;
  /** Besides the value: what differs from what the script says, or ''. */
  readonly difference: string;
}

export type Attempt = () => CallResult | null;

export function ok(value = 0, difference = ''): CallResult {
  return { value, errno: '', difference };
}

export function failed(errno: string): CallResult {
  return { value: -1, errno, difference: '' };
}
