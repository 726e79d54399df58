/**
 * Offload and upload in the middle of a script. Time stands still meanwhile, so that the script sees nothing of it: the parts
 * of the machine work until the connection is where it should be. An ACK that was delayed leaves now (digest 3.6, D08); the
 * script's lines are none the wiser (packet-lines.ts).
 */
import type { TliConnection } from '../host/connection.ts';
import { mayOffload } from '../tcp/tcb.ts';
import type { DrillMachine } from './machine.ts';
import { Mismatch } from './mismatch.ts';

export class HandOvers {
  readonly #machine: DrillMachine;
  readonly #connections: TliConnection[] = [];
  /** How often a connection changed hands. */
  count = 0;
  /** One does just now: its variables are nowhere. */
  isMoving = false;

  constructor(machine: DrillMachine) {
    this.#machine = machine;
  }

  add(connection: TliConnection): void {
    this.#connections.push(connection);
  }

  /** Every connection that may be on the device goes there. */
  offload(line: number): void {
    const { host } = this.#machine;
    for (const connection of this.#live()) {
      if (connection.isOffloaded) continue;
      this.#move(() => this.#machine.allowOffload(() => this.#machine.call(() => host.chimney.candidate(connection))));
      if (this.#isLive(connection) && !connection.isOffloaded)
        throw new Mismatch(line, 'the device did not take the connection');
      this.count++;
    }
  }

  /** Every connection that is on the device comes back. */
  upload(line: number): void {
    const { host } = this.#machine;
    for (const connection of this.#live()) {
      if (!connection.isOffloaded) continue;
      this.#move(() => this.#machine.call(() => host.chimney.takeBack(connection)));
      if (this.#isLive(connection) && connection.isOffloaded)
        throw new Mismatch(line, 'the device did not give the connection back');
      this.count++;
    }
  }

  #move(begin: () => void): void {
    const { port } = this.#machine;
    this.isMoving = true;
    port.atHandOver = true;
    begin();
    this.#machine.settle();
    this.isMoving = false;
    port.atHandOver = false;
  }

  #live(): TliConnection[] {
    return this.#connections.filter(connection => this.#isLive(connection));
  }

  #isLive(connection: TliConnection): boolean {
    const { tli, transport } = this.#machine.host;
    if (connection.handler === null || !tli.connections.isCurrent(connection)) return false;
    return connection.isOffloaded || mayOffload(transport.at(connection.slot).state);
  }
}
