/**
 * What runs on a station: an application above TCP, called by station-tcp.ts.
 *
 * One object serves any number of connections; a connection is a number that is valid until `ended` returns. The calls
 * come after the engine has returned, so an application may call the population from within them.
 */
import type { CloseReason } from '../../tcp/effects.ts';

export interface StationApp {
  /** True: received bytes use up the receive window until `Population.consumed` is called for them. */
  readonly holdsReceived: boolean;
  /** The handshake is complete, of an active or a passive open. */
  established(connection: number): void;
  /** In-order bytes in [at, at + length) of the memory; they may be gone when the call returns. */
  received(connection: number, at: number, length: number): void;
  /** Every byte of the NET_BUFFER is acknowledged; the application has it back, unless it is the population's own. */
  sendCompleted(connection: number, buffer: number): void;
  /** The peer has closed its direction; every byte before has been indicated. */
  peerClosed(connection: number): void;
  /**
   * The connection is in TIME-WAIT (reason Normal) or CLOSED. Called once; NET_BUFFERs that were not completed are the
   * application's again.
   */
  ended(connection: number, reason: CloseReason): void;
}
