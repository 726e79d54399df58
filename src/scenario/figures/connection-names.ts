/**
 * Connections of a ladder by name, c1, c2 …: found by the remote end that frames and blocks carry, with the sequence
 * numbers that each side started from, so that a ladder counts from 1.
 */
import type { TliConnection } from '../../host/connection.ts';
import { formatIpv4 } from '../../wire/ipv4-text.ts';

export interface SequenceStarts {
  /** ISS of the machine that the ladder is about, and of the other end. */
  local: number;
  remote: number;
}

export class ConnectionNames {
  readonly #names = new Map<string, string>();
  readonly #starts = new Map<string, SequenceStarts>();

  /** The next free name. */
  add(connection: TliConnection): string {
    const name = `c${this.#names.size + 1}`;
    this.#names.set(keyOf(formatIpv4(connection.remoteAddress), connection.remotePort), name);
    return name;
  }

  of(connection: TliConnection): string {
    return this.find(formatIpv4(connection.remoteAddress), connection.remotePort);
  }

  find(address: string, port: number): string {
    const key = keyOf(address, port);
    return this.#names.get(key) ?? key;
  }

  /** A SYN of one side was seen. */
  started(address: string, port: number, side: keyof SequenceStarts, sequence: number): void {
    const key = keyOf(address, port);
    const known = this.#starts.get(key) ?? { local: 0, remote: 0 };
    known[side] = sequence;
    this.#starts.set(key, known);
  }

  starts(name: string): SequenceStarts {
    for (const [key, known] of this.#names) if (known === name) return this.#starts.get(key) ?? NOWHERE;
    return this.#starts.get(name) ?? NOWHERE;
  }
}

const NOWHERE: SequenceStarts = { local: 0, remote: 0 };

function keyOf(address: string, port: number): string {
  return `${address}:${port}`;
}
