/**
 * Applications of a machine that is fed forged frames: they send, read late or not at all, change options, close and
 * abort, without a plan. What they receive may be anything, so that nothing is compared; they only keep every part of the
 * machine in use.
 */
import type { Prng } from '../../base/prng.ts';
import type { TliConnection, TliHandler } from '../../host/connection.ts';
import type { TliSwitch } from '../../host/tli.ts';
import { oneOf } from './draw.ts';

/** Memory of the application: what is sent in place, then room for posted receives. */
export const SEND_BYTES = 16_384;
export const APPLICATION_BYTES = SEND_BYTES + 16_384;
const SEND_LENGTHS = [1, 10, 100, 536, 1460, 1461, 4000, 12_000];
const WRITE_BYTES = new Uint8Array(700);

export class FuzzApplication implements TliHandler {
  readonly #prng: Prng;
  readonly #tli: TliSwitch;
  readonly #memoryAt: number;
  readonly #live: TliConnection[] = [];
  /** Connections begun here that are not established yet. */
  #opening = 0;
  closedCount = 0;

  constructor(prng: Prng, tli: TliSwitch, memoryAt: number) {
    this.#prng = prng;
    this.#tli = tli;
    this.#memoryAt = memoryAt;
  }

  get live(): readonly TliConnection[] {
    return this.#live;
  }

  /** Connections that there are or soon will be. */
  get count(): number {
    return this.#live.length + this.#opening;
  }

  connect(address: number, port: number): void {
    const fastOpen = this.#prng.chance(0.3);
    const connection = this.#tli.connect(address, port, this, 0, 0, null, { fastOpen });
    if (connection === null) return;
    // With a cookie the SYN waits for it, and carries it.
    if (fastOpen) connection.write(WRITE_BYTES, 1);
    connection.tag = 1;
    this.#opening++;
  }

  connected(connection: TliConnection): void {
    if (connection.tag === 1) this.#opening--;
    connection.tag = 2;
    connection.creditsLater = this.#prng.chance(0.2);
    this.#live.push(connection);
    this.act(connection);
  }

  received(connection: TliConnection, _address: number, length: number): number {
    const kind = this.#prng.float();
    if (kind < 0.2) this.act(connection);
    return kind < 0.8 ? length : this.#prng.below(length + 1);
  }

  receiveComplete(): void {}
  sent(): void {}

  ended(connection: TliConnection): void {
    if (this.#prng.chance(0.7)) connection.disconnect();
  }

  closed(connection: TliConnection): void {
    this.closedCount++;
    const index = this.#live.indexOf(connection);
    if (index >= 0) this.#live.splice(index, 1);
    else this.#opening--;
  }

  /** Something that an application may do at any time. */
  act(connection: TliConnection): void {
    const prng = this.#prng;
    switch (prng.below(16)) {
      case 0:
        connection.disconnect();
        return;
      case 1:
        if (prng.chance(0.2)) connection.abort();
        return;
      case 2:
        connection.sendAndDisconnect(this.#memoryAt, oneOf(prng, SEND_LENGTHS), 1);
        return;
      case 3:
      case 4:
        connection.write(WRITE_BYTES.subarray(0, prng.between(1, WRITE_BYTES.length)), 1);
        return;
      case 5:
        connection.setNoDelay(prng.chance(0.5));
        return;
      case 6:
        connection.setKeepAlive(prng.chance(0.5), oneOf(prng, [0, 100, 1000]));
        return;
      case 7:
        connection.setReceiveBuffer(oneOf(prng, [1000, 4096, 16_384, 65_535]));
        return;
      case 8:
        this.#post(connection);
        return;
      case 9:
        connection.setMaxRetransmissionTime(oneOf(prng, [0, 0, 500, 3000]));
        return;
      case 10:
      case 11:
        this.read(connection);
        return;
      default:
        connection.send(this.#memoryAt + prng.below(1000), oneOf(prng, SEND_LENGTHS), 1);
    }
  }

  #post(connection: TliConnection): void {
    const length = oneOf(this.#prng, [1, 100, 1460, 4000]);
    const at = this.#memoryAt + SEND_BYTES + this.#prng.below(8000);
    connection.postReceive(at, length, 1, this.#prng.chance(0.3));
  }

  /** What was left is shown again, and what was owed is paid. */
  read(connection: TliConnection): void {
    connection.resume();
    if (connection.owedBytes > 0) connection.consumed(connection.owedBytes);
  }

  /** The end of the run: everything is closed, one way or the other. */
  endAll(): void {
    for (const connection of this.#live) {
      this.read(connection);
      if (this.#prng.chance(0.5)) connection.disconnect();
      else connection.abort();
    }
  }

  /** Who still has not ended is not asked again. */
  abortAll(): void {
    for (const connection of this.#live) {
      this.read(connection);
      connection.abort();
    }
  }
}
