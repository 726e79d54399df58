/**
 * TLI applications that take their time: what they have not taken yet survives an orderly end of the connection, as the
 * receive queue of a kernel's socket does.
 */
import { describe, expect, it } from 'vitest';
import type { TliConnection, TliHandler } from '../../src/host/connection.ts';
import { pattern, POLICIES, SERVER, withMachine } from './harness.ts';

class SlowReader implements TliHandler {
  readonly memory: Uint8Array;
  readonly got: Buffer[] = [];
  readonly events: string[] = [];
  connection: TliConnection | null = null;
  limit = 0;

  constructor(memory: Uint8Array) {
    this.memory = memory;
  }

  connected(connection: TliConnection): void {
    this.connection = connection;
    // This end closes at once, so that the peer's FIN ends the connection.
    connection.disconnect();
  }

  received(_connection: TliConnection, address: number, length: number): number {
    const count = Math.min(this.limit, length);
    this.limit -= count;
    this.got.push(Buffer.from(this.memory.subarray(address, address + count)));
    return count;
  }

  ended(): void {
    this.events.push('ended');
  }

  sent(): void {}

  closed(_connection: TliConnection, reason: number): void {
    this.events.push(`closed ${reason}`);
  }
}

describe.each(POLICIES)('an application that closed and reads slowly $name', ({ policy }) => {
  it('gets all bytes, then the end, then the close', () =>
    withMachine({ policy: policy() }, async machine => {
      const { host } = machine.sim.hosts[0]!;
      const reader = new SlowReader(host.tli.memory.u8);
      host.tli.listen(80, reader);
      const bytes = pattern(9000);
      const socket = machine.client.connect({ port: 80, host: SERVER });
      socket.resume();
      socket.end(bytes);
      await machine.sleep(3000);
      expect(reader.events).toEqual([]);
      for (let i = 0; i < 10; i++) {
        reader.limit = 1000;
        reader.connection!.resume();
        await machine.sleep(10);
      }
      expect(Buffer.concat(reader.got).equals(bytes)).toBe(true);
      expect(reader.events).toEqual(['ended', 'closed 0']);
      host.tli.unlisten(80);
    }));

  it('may abort what is left', () =>
    withMachine({ policy: policy() }, async machine => {
      const { host } = machine.sim.hosts[0]!;
      const reader = new SlowReader(host.tli.memory.u8);
      host.tli.listen(80, reader);
      const socket = machine.client.connect({ port: 80, host: SERVER });
      socket.on('error', () => {});
      socket.resume();
      socket.end(pattern(9000));
      await machine.sleep(3000);
      reader.connection!.abort();
      await machine.until('closed', () => reader.events.length > 0);
      expect(reader.events.at(-1)).toMatch(/closed/);
      host.tli.unlisten(80);
    }));
});
