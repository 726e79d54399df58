/**
 * The forms in which node:dgram takes its arguments, brought to one; types, ports and buffers checked as it checks them.
 * Called by socket.ts before anything happens.
 */
import { argumentError, badPort, codedError, received } from '../net/errors.ts';

export type SocketType = 'udp4' | 'udp6';

export interface SocketOptions {
  readonly type: SocketType;
  /** Other sockets that say so too may have the same port. */
  readonly reuseAddr?: boolean | undefined;
  /** Of udp6: not the addresses of IPv4 as well. */
  readonly ipv6Only?: boolean | undefined;
  readonly recvBufferSize?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /**
   * Beyond node:dgram, as IP_RECVERR of Linux: `error` is emitted for everything that the network says of datagrams of this
   * socket, though it may pass and whether it is connected or not. The error's `address` and `port` say where they were sent to.
   */
  readonly reportAllErrors?: boolean | undefined;
}

export interface BindOptions {
  readonly port?: number | undefined;
  readonly address?: string | undefined;
}

export type Callback = () => void;
export type SendCallback = (error: Error | null, bytes?: number) => void;
export type Message = string | NodeJS.ArrayBufferView;

export function socketOptions(given: SocketType | SocketOptions): SocketOptions {
  const options = typeof given === 'string' ? { type: given } : given;
  const { type } = (options ?? {}) as { type?: unknown };
  if (type !== 'udp4' && type !== 'udp6') {
    const message = 'Bad socket type specified. Valid types are: udp4, udp6';
    throw argumentError('ERR_SOCKET_BAD_TYPE', message);
  }
  return options;
}

/** (port?, address?, cb?), (options, cb?), (cb) */
export function bindArguments(args: readonly unknown[]): { options: BindOptions; callback: Callback | undefined } {
  const last = args.at(-1);
  const callback = typeof last === 'function' ? (last as Callback) : undefined;
  const [first, second] = args;
  if (typeof first === 'object' && first !== null) return { options: first as BindOptions, callback };
  const port = typeof first === 'function' ? undefined : (first as number | undefined);
  return { options: { port, address: typeof second === 'string' ? second : undefined }, callback };
}

/** A port; `isAny`: 0 is one, which asks for any. */
export function portOf(value: unknown, isAny: boolean): number {
  const port = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  const least = isAny ? 0 : 1;
  if (typeof port === 'number' && Number.isInteger(port) && port >= least && port <= 0xffff) return port;
  if (isAny) throw badPort('Port', value);
  const message = `Port should be > 0 and < 65536. Received ${received(value)}.`;
  const error: NodeJS.ErrnoException = new RangeError(message);
  error.code = 'ERR_SOCKET_BAD_PORT';
  throw error;
}

export interface SendArguments {
  readonly bytes: Uint8Array;
  /** Undefined: to where the socket is connected. */
  readonly port: number | undefined;
  readonly address: string | undefined;
  readonly callback: SendCallback | undefined;
}

/** (message, [offset, length,] [port, [address,]] [callback]) */
export function sendArguments(args: readonly unknown[], isConnected: boolean): SendArguments {
  const [message, ...others] = args;
  const last = others.at(-1);
  const callback = typeof last === 'function' ? (last as SendCallback) : undefined;
  const rest = callback === undefined ? others : others.slice(0, -1);
  while (rest.length > 0 && (rest.at(-1) === undefined || rest.at(-1) === null)) rest.pop();
  const isSliced = isConnected ? rest.length === 2 : rest.length > 2;
  if (isConnected && rest.length > 0 && !isSliced) {
    throw codedError('ERR_SOCKET_DGRAM_IS_CONNECTED', 'Already connected');
  }
  const whole = bytesOf(message);
  const bytes = isSliced ? slice(whole, rest[0], rest[1]) : whole;
  if (isConnected) return { bytes, port: undefined, address: undefined, callback };
  const [port, address] = isSliced ? rest.slice(2) : rest;
  const checked = portOf(port, false);
  if (address !== undefined && address !== null && typeof address !== 'string') {
    const text = `The "address" argument must be of type string. Received ${received(address)}`;
    throw argumentError('ERR_INVALID_ARG_TYPE', text);
  }
  return { bytes, port: checked, address: address ?? undefined, callback };
}

/** One message, or the parts of one. */
function bytesOf(message: unknown): Uint8Array {
  if (typeof message === 'string') return Buffer.from(message);
  if (ArrayBuffer.isView(message)) return new Uint8Array(message.buffer, message.byteOffset, message.byteLength);
  if (Array.isArray(message)) return Buffer.concat(message.map(bytesOf));
  const text = `The "buffer" argument must be of type string or an instance of Buffer, TypedArray, or DataView. Received ${received(message)}`;
  throw argumentError('ERR_INVALID_ARG_TYPE', text);
}

function slice(bytes: Uint8Array, offset: unknown, length: unknown): Uint8Array {
  const from = Number(offset) >>> 0;
  const count = Number(length) >>> 0;
  if (from > bytes.length) throw outOfBounds('offset');
  if (from + count > bytes.length) throw outOfBounds('length');
  return bytes.subarray(from, from + count);
}

function outOfBounds(name: string): NodeJS.ErrnoException {
  const error: NodeJS.ErrnoException = new RangeError(`"${name}" is outside of buffer bounds`);
  error.code = 'ERR_BUFFER_OUT_OF_BOUNDS';
  return error;
}
