/**
 * What sockets have around them: the machine, and whoever wants to hear of their connections.
 * The runner implements it; sockets know no more of a script.
 */
import type { TliConnection } from '../host/connection.ts';
import type { ConnectionWatch } from './connection-watch.ts';
import type { DrillMachine } from './machine.ts';
import type { Settings } from './settings.ts';
import type { TcbView } from './tcb-view.ts';

export interface SocketWorld {
  readonly machine: DrillMachine;
  readonly settings: Settings;
  readonly tcbs: TcbView;
  /** A socket has a connection from now on. */
  began(watch: ConnectionWatch): void;
  /** A handshake is complete. */
  established(connection: TliConnection): void;
}
