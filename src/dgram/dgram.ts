/**
 * `machine.udp`: node:dgram for one host of a machine. Programs which take `dgram` as a parameter run on it unchanged, as long
 * as they join no groups:
 *
 *   const socket = machine.udp.createSocket('udp4', (message, { address, port }) => socket.send(message, port, address));
 *   socket.bind(7);
 */
import { UdpCore } from './core.ts';
import { type SocketOptions, socketOptions, type SocketType } from './options.ts';
import { type RemoteInfo, Socket } from './socket.ts';
import type { UdpHost } from './udp-host.ts';

type MessageListener = (message: Buffer, from: RemoteInfo) => void;

export interface Dgram {
  readonly Socket: new (options: SocketType | SocketOptions, listener?: MessageListener) => Socket;
  createSocket(options: SocketType | SocketOptions, listener?: MessageListener): Socket;
}

export function createDgram(host: UdpHost): Dgram {
  const core = new UdpCore(host);
  class HostSocket extends Socket {
    constructor(options: SocketType | SocketOptions, listener?: MessageListener) {
      super(core, socketOptions(options));
      if (listener !== undefined) this.on('message', listener);
    }
  }
  return {
    Socket: HostSocket,
    createSocket: (options, listener) => new HostSocket(options, listener),
  };
}
