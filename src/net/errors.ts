/**
 * Errors as node:net raises them: same codes, properties and messages, so that programs written for it find what they
 * look for. They are no ChimneyErrors for that reason.
 */
import { constants } from 'node:os';

export interface NetError extends NodeJS.ErrnoException {
  address?: string;
  port?: number;
  hostname?: string;
}

/** What libuv says of them. */
const DESCRIPTION: Readonly<Record<string, string>> = {
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'address not available',
};

function systemError(message: string, code: string, syscall: string): NetError {
  const error: NetError = new Error(message);
  const numbers: Readonly<Record<string, number>> = constants.errno;
  error.errno = -(numbers[code] ?? 0);
  error.code = code;
  error.syscall = syscall;
  return error;
}

/** `connect ECONNREFUSED 10.0.0.1:80`. `hint` follows the address. */
export function connectError(code: string, address: string, port: number, hint = ''): NetError {
  return endError('connect', code, address, port, hint);
}

/** `send EMSGSIZE 10.0.0.1:80`, of a call that names an end. */
export function endError(syscall: string, code: string, address: string, port: number, hint = ''): NetError {
  const error = systemError(`${syscall} ${code} ${address}:${port}${hint}`, code, syscall);
  error.address = address;
  error.port = port;
  return error;
}

/** `listen EADDRINUSE: address already in use 0.0.0.0:80` */
export function listenError(code: string, address: string, port: number): NetError {
  const error = systemError(`listen ${code}: ${DESCRIPTION[code] ?? code} ${address}:${port}`, code, 'listen');
  error.address = address;
  error.port = port;
  return error;
}

/** `read ECONNRESET`, `write EPIPE` */
export function transferError(syscall: string, code: string): NetError {
  return systemError(`${syscall} ${code}`, code, syscall);
}

/** There is no resolver: says which names there are instead. */
export function nameError(hostname: string, hint: string): NetError {
  const error: NetError = new Error(`getaddrinfo ENOTFOUND ${hostname}: ${hint}`);
  error.code = 'ENOTFOUND';
  error.syscall = 'getaddrinfo';
  error.hostname = hostname;
  return error;
}

export function codedError(code: string, message: string): NodeJS.ErrnoException {
  const error: NodeJS.ErrnoException = new Error(message);
  error.code = code;
  return error;
}

export function argumentError(code: string, message: string): NodeJS.ErrnoException {
  const error: NodeJS.ErrnoException = new TypeError(message);
  error.code = code;
  return error;
}

export function badPort(name: string, value: unknown): NodeJS.ErrnoException {
  const range = `${name} should be >= 0 and < 65536. Received ${received(value)}.`;
  const error: NodeJS.ErrnoException = new RangeError(range);
  error.code = 'ERR_SOCKET_BAD_PORT';
  return error;
}

/** As Node describes a wrong argument. */
export function received(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'object') return 'an instance of Object';
  if (typeof value === 'string') return `type string ('${value}')`;
  if (typeof value === 'number' || typeof value === 'boolean') return `type ${typeof value} (${String(value)})`;
  return `type ${typeof value}`;
}
