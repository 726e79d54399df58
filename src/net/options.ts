/**
 * The forms in which node:net takes its arguments, brought to one; ports and addresses checked as it checks them.
 * Called by socket.ts and server.ts before anything happens.
 */
import { argumentError, badPort, received } from './errors.ts';

export interface SocketOptions {
  readonly allowHalfOpen?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly readableHighWaterMark?: number | undefined;
  readonly writableHighWaterMark?: number | undefined;
  readonly highWaterMark?: number | undefined;
}

/** Of the connection, set before there is one. */
export interface TransportOptions {
  readonly noDelay?: boolean | undefined;
  readonly keepAlive?: boolean | undefined;
  /** ms until the first probe. */
  readonly keepAliveInitialDelay?: number | undefined;
  /** ms between probes, and how many go unanswered at most. Not in Node. */
  readonly keepAliveInterval?: number | undefined;
  readonly keepAliveProbes?: number | undefined;
  /** RFC 5482: ms that the peer may leave something unanswered before the connection is given up. Not in Node. */
  readonly userTimeout?: number | undefined;
}

export interface ConnectOptions extends SocketOptions, TransportOptions {
  readonly port: number | string;
  /** An IPv4 or IPv6 address. */
  readonly host?: string | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  /** ms; applied before connecting. */
  readonly timeout?: number | undefined;
  /**
   * TCP Fast Open (RFC 7413): if the peer has given us a cookie, what is written in the same turn of the event loop leaves with
   * the SYN. Only for what may arrive twice. Not in Node.
   */
  readonly fastOpen?: boolean | undefined;
}

export interface ListenOptions {
  readonly port?: number | string | undefined;
  /** One of the host's addresses, or 0.0.0.0 for all of IPv4, or :: for all. */
  readonly host?: string | undefined;
  /** With `::`, not those of IPv4. */
  readonly ipv6Only?: boolean | undefined;
  /** Handshakes that may be under way at once; beyond that SYNs are answered with cookies. 511 when absent. */
  readonly backlog?: number | undefined;
  /** TCP Fast Open: connections that may be open before their handshake is complete; 0, none, when absent. Not in Node. */
  readonly fastOpen?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ServerOptions extends TransportOptions {
  readonly allowHalfOpen?: boolean | undefined;
  readonly pauseOnConnect?: boolean | undefined;
  readonly highWaterMark?: number | undefined;
}

export type Callback = () => void;

const NO_PATHS = 'a machine has TCP only: give a port instead of a path';

/** (options, cb?) or (port, host?, cb?) */
export function connectArguments(args: readonly unknown[]): {
  options: ConnectOptions;
  callback: Callback | undefined;
} {
  const [first, second] = args;
  const last = args.at(-1);
  const callback = typeof last === 'function' ? (last as Callback) : undefined;
  if (typeof first === 'object' && first !== null) return { options: first as ConnectOptions, callback };
  const host = typeof second === 'string' ? second : undefined;
  return { options: { port: first as number | string, host }, callback };
}

/** (options, cb?), (port?, host?, backlog?, cb?) */
export function listenArguments(args: readonly unknown[]): { options: ListenOptions; callback: Callback | undefined } {
  const last = args.at(-1);
  const callback = typeof last === 'function' ? (last as Callback) : undefined;
  const plain = args.filter(arg => typeof arg !== 'function');
  const [first, ...others] = plain;
  if (typeof first === 'object' && first !== null) return { options: first as ListenOptions, callback };
  const host = others.find(arg => typeof arg === 'string');
  const backlog = others.find(arg => typeof arg === 'number');
  return { options: { port: (first ?? 0) as number | string, host, backlog }, callback };
}

function isPort(value: unknown): value is number | string {
  if (typeof value !== 'number' && (typeof value !== 'string' || value.trim() === '')) return false;
  const port = Number(value);
  return Number.isInteger(port) && port >= 0 && port <= 0xffff;
}

export function connectPort(options: ConnectOptions): number {
  const { port } = options as { port?: unknown };
  if ('path' in options) throw argumentError('ERR_INVALID_ARG_VALUE', NO_PATHS);
  if (port === undefined) {
    const message = 'The "options" or "port" or "path" argument must be specified';
    throw argumentError('ERR_MISSING_ARGS', message);
  }
  if (typeof port !== 'number' && typeof port !== 'string') {
    const message = `The "options.port" property must be one of type number or string. Received ${received(port)}`;
    throw argumentError('ERR_INVALID_ARG_TYPE', message);
  }
  if (!isPort(port)) throw badPort('Port', port);
  return Number(port);
}

export function localPortOf(options: ConnectOptions): number {
  const { localPort } = options as { localPort?: unknown };
  if (localPort === undefined) return 0;
  if (typeof localPort !== 'number') {
    const message = `The "options.localPort" property must be of type number. Received ${received(localPort)}`;
    throw argumentError('ERR_INVALID_ARG_TYPE', message);
  }
  if (!isPort(localPort)) throw badPort('options.localPort', localPort);
  return localPort;
}

export function listenPort(options: ListenOptions): number {
  if ('path' in options) throw argumentError('ERR_INVALID_ARG_VALUE', NO_PATHS);
  const { port } = options;
  if (port === undefined || port === null) {
    const message = 'The argument \'options\' must have the property "port" or "path".';
    throw argumentError('ERR_INVALID_ARG_VALUE', message);
  }
  if (!isPort(port)) throw badPort('options.port', port);
  return Number(port);
}
