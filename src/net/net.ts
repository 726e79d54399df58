/**
 * `machine.net`: node:net for one host of a machine. Server and Socket are classes of that host, so that programs which
 * take `net` as a parameter run on it unchanged, node:http among them:
 *
 *   http.createServer(…) on  net.createServer(socket => server.emit('connection', socket))
 *   http.request({ createConnection: options => net.connect(options) })
 */
import { isIP, isIPv4, isIPv6 } from 'node:net';
import { NetCore } from './core.ts';
import type { NetHost } from './net-host.ts';
import {
  type Callback,
  connectArguments,
  type ConnectOptions,
  type ServerOptions,
  type SocketOptions,
} from './options.ts';
import { Server } from './server.ts';
import { Socket } from './socket.ts';

interface Connect {
  (options: ConnectOptions, connected?: Callback): Socket;
  (port: number | string, connected?: Callback): Socket;
  (port: number | string, host: string, connected?: Callback): Socket;
}

type ConnectionListener = (socket: Socket) => void;

export interface Net {
  readonly Socket: new (options?: SocketOptions) => Socket;
  readonly Server: new (options?: ServerOptions, listener?: ConnectionListener) => Server;
  createServer(listener?: ConnectionListener): Server;
  createServer(options?: ServerOptions, listener?: ConnectionListener): Server;
  readonly connect: Connect;
  readonly createConnection: Connect;
  readonly isIP: typeof isIP;
  readonly isIPv4: typeof isIPv4;
  readonly isIPv6: typeof isIPv6;
}

export function createNet(host: NetHost): Net {
  const core = new NetCore(host);
  class HostSocket extends Socket {
    constructor(options?: SocketOptions) {
      super(core, options);
    }
  }
  const newSocket = (options: SocketOptions): Socket => new HostSocket(options);
  class HostServer extends Server {
    constructor(options?: ServerOptions | ConnectionListener, listener?: ConnectionListener) {
      if (typeof options === 'function') super(core, newSocket, {}, options);
      else super(core, newSocket, options ?? {}, listener);
    }
  }
  const connect = (...args: unknown[]): Socket => {
    const { options, callback } = connectArguments(args);
    const socket = new HostSocket(options);
    if (options.timeout !== undefined) socket.setTimeout(options.timeout);
    return socket.connect(options, callback);
  };
  return {
    Socket: HostSocket,
    Server: HostServer,
    createServer: (options?: ServerOptions | ConnectionListener, listener?: ConnectionListener) =>
      new HostServer(options, listener),
    connect,
    createConnection: connect,
    isIP,
    isIPv4,
    isIPv6,
  };
}
