/**
 * Two hosts in virtual time with real Node streams on top: `server` (a team of two NICs) and `client`.
 *
 * The simulation runs while it has something to do; then the event loop gets its turns, so that streams and http react;
 * only when they are quiet too does virtual time jump. `sweep` checks that nothing was leaked.
 */
import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'vitest';
import type { AssembledHost } from '../../src/assemble-host.ts';
import { createDgram, type Dgram } from '../../src/dgram/dgram.ts';
import type { UdpHost } from '../../src/dgram/udp-host.ts';
import { everything } from '../../src/host/policy/everything.ts';
import { NOTHING } from '../../src/host/policy/nothing.ts';
import type { OffloadPolicy } from '../../src/host/policy/offload-policy.ts';
import { youngInBatches } from '../../src/host/policy/young-in-batches.ts';
import { type HostSizing, planMachine } from '../../src/machine-plan.ts';
import type { Memory } from '../../src/memory/memory.ts';
import { createNet, type Net } from '../../src/net/net.ts';
import type { NetTimer } from '../../src/net/net-host.ts';
import { Simulation } from '../../src/simulation.ts';
import type { FaultPlan } from '../../src/fabric/faults.ts';

export const SERVER = '10.0.0.1';
export const CLIENT = '10.0.0.2';
const SERVER_ADDRESS = (10 << 24) | 1;
const CLIENT_ADDRESS = (10 << 24) | 2;

/** Rounds of the simulation before the event loop has a turn. */
const ROUNDS_PER_TURN = 32;
/** Turns without a call before time goes on: streams and http hand work from one tick to the next. */
const QUIET_TURNS = 3;
const US_PER_MS = 1000;

export const POLICIES: readonly { name: string; policy: () => OffloadPolicy }[] = [
  { name: 'on the host path', policy: () => NOTHING },
  { name: 'offloaded young, in batches', policy: () => youngInBatches(500) },
  { name: 'offloaded before the first byte', policy: () => everything(0) },
];

class VirtualTimer implements NetTimer {
  readonly #machine: NetMachine;
  readonly #us: number;
  readonly callback: () => void;
  at = 0;

  constructor(machine: NetMachine, ms: number, callback: () => void) {
    this.#machine = machine;
    this.#us = ms * US_PER_MS;
    this.callback = callback;
    this.refresh();
  }

  refresh(): void {
    this.at = this.#machine.nowUs + this.#us;
    this.#machine.timers.add(this);
  }

  close(): void {
    this.#machine.timers.delete(this);
  }
}

export interface NetMachineOptions {
  readonly policy?: OffloadPolicy;
  readonly seed?: number;
  readonly faults?: Partial<FaultPlan>;
  readonly server?: Partial<HostSizing>;
  readonly client?: Partial<HostSizing>;
  readonly small?: boolean;
  /** Both hosts have IPv6 addresses as well: fd00::1 and fd00::2. */
  readonly ipv6?: boolean;
}

/** fd00:: and the last byte of the IPv4 address. */
function ipv6Of(address: number) {
  const addresses = [{ address: Int32Array.of(0xfd000000, 0, 0, address & 0xff), prefixLength: 64 }];
  return { addresses, autoconfigure: false, duplicateProbes: 0 };
}

/** Of the machine before, for the next one. */
let memory: Memory | undefined;

export class NetMachine implements AsyncDisposable {
  readonly sim: Simulation;
  readonly server: Net;
  readonly client: Net;
  readonly serverUdp: Dgram;
  readonly clientUdp: Dgram;
  readonly timers = new Set<VirtualTimer>();
  /** Whether each host's sockets want the event loop, by name. */
  readonly kept = new Map<string, boolean>();
  #calls = 0;
  #stopped = false;
  #failure: unknown = null;
  readonly #pumping: Promise<void>;

  constructor(options: NetMachineOptions = {}) {
    const common = { connections: 512, blockList: 64, tcp: { timeWaitTicks: 1000 } };
    const plan = planMachine({
      hosts: [
        { name: 'server', nics: [{ name: 'nic0' }, { name: 'nic1' }], ...common, ...options.server },
        { name: 'client', nics: [{ name: 'far' }], ...common, ...options.client },
      ],
      faults: { delayUs: 200, ...options.faults },
      seed: options.seed ?? 1,
      small: options.small ?? true,
    });
    const wire = (address: number, team: boolean, policy: OffloadPolicy) => ({
      interfaces: [{ address, prefixLength: 24, vid: 0, ipv6: options.ipv6 === true ? ipv6Of(address) : undefined }],
      routes: [],
      team,
      policy,
    });
    this.sim = new Simulation({
      plan,
      wiring: [wire(SERVER_ADDRESS, true, options.policy ?? NOTHING), wire(CLIENT_ADDRESS, false, NOTHING)],
      seed: options.seed ?? 1,
      memory,
    });
    memory = undefined;
    this.server = createNet(this.#netHost('server', this.sim.hosts[0]!));
    this.client = createNet(this.#netHost('client', this.sim.hosts[1]!));
    this.serverUdp = createDgram(this.#netHost('server udp', this.sim.hosts[0]!));
    this.clientUdp = createDgram(this.#netHost('client udp', this.sim.hosts[1]!));
    this.#pumping = this.#pump();
  }

  get nowUs(): number {
    return this.sim.clock.nowUs();
  }

  #netHost(name: string, { host }: AssembledHost): UdpHost {
    return {
      tli: host.tli,
      udp: host.udp,
      addresses: () => host.ownAddresses,
      zone: zone => host.interfaces.find(({ adapter }) => adapter.name === zone),
      enter: () => host.setTime(this.nowUs),
      wake: () => {
        this.#calls++;
      },
      keepAlive: wanted => {
        expect(wanted).toBe(!(this.kept.get(name) ?? false));
        this.kept.set(name, wanted);
      },
      startTimer: (ms, callback) => new VirtualTimer(this, ms, callback),
    };
  }

  async #pump(): Promise<void> {
    try {
      for (let quiet = 0; !this.#stopped; quiet++) {
        const calls = this.#calls;
        let rounds = 0;
        const wasBusy = this.sim.run(() => ++rounds >= ROUNDS_PER_TURN, this.nowUs);
        await turn();
        if (wasBusy || calls !== this.#calls) quiet = 0;
        else if (quiet >= QUIET_TURNS) this.#jump();
      }
    } catch (error) {
      this.#failure = error;
    }
  }

  /** One step of virtual time, but not over a timer. */
  #jump(): void {
    const now = this.nowUs;
    let until = now + 1_000_000;
    for (const timer of this.timers) until = Math.min(until, timer.at);
    this.sim.run(() => this.nowUs > now, until);
    const due = [...this.timers].filter(timer => timer.at <= this.nowUs);
    for (const timer of due) {
      if (!this.timers.delete(timer)) continue;
      timer.callback();
    }
  }

  /** Waits in virtual time. */
  sleep(ms: number): Promise<void> {
    return new Promise(resolve => void new VirtualTimer(this, ms, resolve));
  }

  /** Waits, in virtual time, until it is so. */
  async until(what: string, condition: () => boolean, limitMs = 200_000): Promise<void> {
    const end = this.nowUs + limitMs * US_PER_MS;
    while (!condition()) {
      if (this.#failure !== null) throw this.#failure;
      if (this.nowUs > end) throw new Error(`not within ${limitMs} ms of virtual time: ${what}`);
      await turn();
    }
  }

  /** Everything is closed: waits for the last TIME-WAIT, then looks for what is left. */
  async sweep(): Promise<void> {
    const hosts = this.sim.hosts.map(({ host }) => host);
    const open = (): number => hosts.reduce((sum, { tli }) => sum + tli.active, 0);
    await this.until('all connections are gone', () => open() === 0);
    // ARP gives up on what never answered, too.
    await this.sleep(5000);
    for (const [index, { copies, sendDescriptors, tx, blocks, chimney }] of hosts.entries()) {
      const inUse = {
        copies: copies.inUse,
        sendDescriptors: sendDescriptors.inUse,
        tx: tx.inUse,
        blocks: blocks.inUse,
      };
      expect({ host: index, ...inUse, offloaded: chimney.offloaded }).toEqual({
        host: index,
        copies: 0,
        sendDescriptors: 0,
        tx: 0,
        blocks: 0,
        offloaded: 0,
      });
    }
    const lent = this.sim.nics.map(nic => [nic.boot.config.name, nic.firmware.pool.inUse, nic.faultReason]);
    expect(lent).toEqual(this.sim.nics.map(nic => [nic.boot.config.name, 0, '']));
    expect([...this.kept.values()].filter(wanted => wanted)).toEqual([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#pumping;
    memory = this.sim.memory;
    if (this.#failure !== null) throw this.#failure;
  }
}

/** Runs a test on a machine, with the sweep behind it. */
export async function withMachine(
  options: NetMachineOptions,
  test: (machine: NetMachine) => Promise<void>,
): Promise<void> {
  const machine = new NetMachine(options);
  let failed = true;
  try {
    await test(machine);
    await machine.sweep();
    failed = false;
  } finally {
    // What the test says comes first.
    if (failed) await machine[Symbol.asyncDispose]().catch(() => {});
    else await machine[Symbol.asyncDispose]();
  }
}

/** Deterministic bytes that repeat late. */
export function pattern(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = seed | 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** All bytes up to `end`; unlike `for await` it does not destroy what it has read to the end. */
export function collect(stream: NodeJS.ReadableStream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('end', () => resolve(Buffer.concat(chunks)));
    stream.once('error', reject);
    stream.resume();
  });
}

/** Resolves with what `close` says; call it before anything can happen. */
export function closed(emitter: NodeJS.EventEmitter): Promise<unknown> {
  return new Promise(resolve => void emitter.once('close', resolve));
}

/** Resolves with the error; call it before anything can happen. */
export function failure(emitter: NodeJS.EventEmitter): Promise<NodeJS.ErrnoException> {
  return new Promise(resolve => void emitter.once('error', resolve));
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
