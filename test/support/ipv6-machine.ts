/**
 * Two hosts that talk IPv6 over a switch, in virtual time: `server` with a team of NICs that takes connections over, and
 * `client`. Each stream is known byte by byte, and looked at as it comes.
 */
import { assert } from '../../src/base/assert.ts';
import type { FaultPlan } from '../../src/fabric/faults.ts';
import type { TliConnection, TliHandler } from '../../src/host/connection.ts';
import type { Host } from '../../src/host/host.ts';
import type { HostOffloadOptions } from '../../src/host/offload-options.ts';
import { NOTHING } from '../../src/host/policy/nothing.ts';
import type { OffloadPolicy } from '../../src/host/policy/offload-policy.ts';
import { type NicSizing, planMachine } from '../../src/machine-plan.ts';
import { createMemory, type Memory } from '../../src/memory/memory.ts';
import { Simulation } from '../../src/simulation.ts';
import { parseIpv6Address, parseIpv6Cidr } from '../../src/wire/ipv6-text.ts';

export const SERVER6 = 'fd00::1';
export const CLIENT6 = 'fd00::2';
export const PORT6 = 80;
const PIECE = 4096;
const MEMORY_BYTES = 24 << 20;

let shared: Memory | undefined;

export interface Ipv6MachineOptions {
  readonly policy?: OffloadPolicy;
  readonly clientPolicy?: OffloadPolicy;
  readonly faults?: Partial<FaultPlan>;
  readonly seed?: number;
  readonly nics?: readonly NicSizing[];
  readonly offload?: Partial<HostOffloadOptions>;
  readonly duplicateProbes?: number;
}

/** The byte of a stream at an offset; the two directions differ. */
function byteAt(isServer: boolean, offset: number): number {
  return (Math.imul(offset + 1, 0x9e3779b1) >>> (isServer ? 11 : 17)) & 0xff;
}

/** One end of a connection: sends so many bytes, closes, and checks what comes. */
export class End implements TliHandler {
  connection: TliConnection | null = null;
  received_ = 0;
  sent_ = 0;
  isEnded = false;
  closeReason = -1;
  readonly #memory: Memory;
  readonly #isServer: boolean;
  readonly #bytes: number;

  constructor(memory: Memory, isServer: boolean, bytes: number) {
    this.#memory = memory;
    this.#isServer = isServer;
    this.#bytes = bytes;
  }

  connected(connection: TliConnection): void {
    this.connection = connection;
    this.#fill();
  }

  #fill(): void {
    const { connection } = this;
    while (connection !== null && this.sent_ < this.#bytes) {
      const length = Math.min(PIECE, this.#bytes - this.sent_);
      const piece = Uint8Array.from({ length }, (_, i) => byteAt(this.#isServer, this.sent_ + i));
      if (!connection.write(piece, length)) return;
      this.sent_ += length;
      if (this.sent_ === this.#bytes) connection.disconnect();
    }
  }

  sent(): void {
    this.#fill();
  }

  received(_connection: TliConnection, address: number, length: number): number {
    for (let i = 0; i < length; i++) {
      const byte = this.#memory.u8[address + i];
      assert(byte === byteAt(!this.#isServer, this.received_ + i), `byte ${this.received_ + i} is the one due`);
    }
    this.received_ += length;
    return length;
  }

  ended(): void {
    this.isEnded = true;
  }

  closed(_connection: TliConnection, reason: number): void {
    this.connection = null;
    this.closeReason = reason;
  }
}

export class Ipv6Machine {
  readonly sim: Simulation;
  readonly server: Host;
  readonly client: Host;

  constructor(options: Ipv6MachineOptions = {}) {
    const { seed = 1, duplicateProbes = 0 } = options;
    const nics = options.nics ?? [{ name: 'nic0' }, { name: 'nic1' }];
    const common = { connections: 32, blockList: 16, copyBuffers: 64 };
    const plan = planMachine({
      hosts: [
        { name: 'server', nics, ...common, offload: options.offload },
        { name: 'client', nics: [{ name: 'far' }], ...common },
      ],
      faults: { delayUs: 500, ...options.faults },
      seed,
      small: true,
    });
    const wire = (address: string, team: boolean, policy: OffloadPolicy) => ({
      interfaces: [
        {
          address: 0,
          prefixLength: 0,
          vid: 0,
          ipv6: { addresses: [parseIpv6Cidr(`${address}/64`)!], duplicateProbes, autoconfigure: false },
        },
      ],
      routes: [],
      team,
      policy,
    });
    shared ??= createMemory(MEMORY_BYTES);
    this.sim = new Simulation({
      plan,
      wiring: [
        wire(SERVER6, nics.length > 1, options.policy ?? NOTHING),
        wire(CLIENT6, false, options.clientPolicy ?? NOTHING),
      ],
      seed,
      memory: shared,
    });
    shared = this.sim.memory;
    this.server = this.sim.hosts[0]!.host;
    this.client = this.sim.hosts[1]!.host;
  }

  /** What an application would do, outside of a step. */
  call<T>(host: Host, work: () => T): T {
    host.setTime(this.sim.clock.nowUs());
    const result = work();
    for (const miniport of host.miniports) miniport.flush();
    return result;
  }

  numberOf(host: Host, text: string): number {
    const number = host.addresses.internWords(parseIpv6Address(text)!);
    host.addresses.release(number);
    return number;
  }

  /** A transfer of so many bytes each way; its two ends. */
  transfer(toServer: number, toClient: number, port = PORT6): { client: End; server: End } {
    const server = new End(this.sim.memory, true, toClient);
    const client = new End(this.sim.memory, false, toServer);
    this.server.tli.listen(port, server);
    this.call(this.client, () => {
      const address = this.client.addresses.internWords(parseIpv6Address(SERVER6)!);
      assert(this.client.tli.connect(address, port, client) !== null, 'the client has a route');
      this.client.addresses.release(address);
    });
    return { client, server };
  }

  /** Runs until all of both streams has arrived, and both ends know; false when the time is over. */
  finish({ client, server }: { client: End; server: End }, ms = 60_000): boolean {
    const isOver = (): boolean => client.isEnded && server.isEnded && server.closeReason >= 0;
    return this.sim.run(isOver, this.sim.clock.nowUs() + ms * 1000);
  }
}
