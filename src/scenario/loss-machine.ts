/**
 * The loss sweep through the whole machine: application, TLI switch, layers, rings, NIC and cable on both sides. On the
 * host path the engine runs in the hosts, offloaded it runs in the NICs' firmware from the first data segment on.
 *
 *   sender ═ NIC ── cable: 50 ms each way, loses ── switch ── cable ── NIC ═ receiver
 */
import { assert } from '../base/assert.ts';
import type { AssembledHost, HostWiring } from '../assemble-host.ts';
import type { TliConnection, TliHandler } from '../host/connection.ts';
import { everything } from '../host/policy/everything.ts';
import { NOTHING } from '../host/policy/nothing.ts';
import { planMachine } from '../machine-plan.ts';
import { createMemory, type Memory } from '../memory/memory.ts';
import { Simulation } from '../simulation.ts';
import { LOSS, type LossControl, type LossRun, lossTcp } from './loss-case.ts';

const PORT = 80;
const PIECE_BYTES = LOSS.pieceBytes;
const NET = 0x0a000000;
const SENDER = NET | 1;
const RECEIVER = NET | 2;
/** Payload repeats; no piece and no segment is a divisor of it. */
const PATTERN_BYTES = 4093;
const MEMORY_BYTES = 16 << 20;

let shared: Memory | undefined;

/** Keeps its send buffer full. */
class Sender implements TliHandler {
  readonly #patternAt: number;
  #sent = 0;
  #room = LOSS.bufferBytes / PIECE_BYTES;
  #connection: TliConnection | null = null;

  constructor(patternAt: number) {
    this.#patternAt = patternAt;
  }

  connected(connection: TliConnection): void {
    connection.setNoDelay(true);
    this.#connection = connection;
  }

  sent(): void {
    this.#room++;
  }

  /** Between two rounds, as an event loop finds a socket writable: all that there is room for in one go (MSG_MORE). */
  fill(): void {
    for (; this.#room > 0 && this.#connection !== null; this.#room--) {
      const at = this.#patternAt + (this.#sent % PATTERN_BYTES);
      const isTaken = this.#connection.send(at, PIECE_BYTES, 1, this.#room > 1);
      assert(isTaken, 'the sender has descriptors for its buffer');
      this.#sent += PIECE_BYTES;
    }
  }

  received(_connection: TliConnection, _address: number, length: number): number {
    return length;
  }

  ended(): void {}

  closed(): void {
    throw new Error('the connection ended');
  }
}

/** Takes everything at once, and looks at it. */
class Receiver implements TliHandler {
  readonly #memory: Memory;
  readonly #patternAt: number;
  bytes = 0;

  constructor(memory: Memory, patternAt: number) {
    this.#memory = memory;
    this.#patternAt = patternAt;
  }

  connected(): void {}
  ended(): void {}
  sent(): void {}

  received(_connection: TliConnection, address: number, length: number): number {
    const { u8 } = this.#memory;
    assert(u8[address] === u8[this.#patternAt + (this.bytes % PATTERN_BYTES)], 'the first byte is the one due');
    this.bytes += length;
    const last = this.#patternAt + ((this.bytes - 1) % PATTERN_BYTES);
    assert(u8[address + length - 1] === u8[last], 'and so is the last');
    return length;
  }

  closed(): void {
    throw new Error('the connection ended');
  }
}

export function runLossHost(lossPercent: number, seed: number, control: LossControl): LossRun {
  return runMachine(lossPercent, seed, control, false);
}

export function runLossOffloaded(lossPercent: number, seed: number, control: LossControl): LossRun {
  return runMachine(lossPercent, seed, control, true);
}

function runMachine(lossPercent: number, seed: number, control: LossControl, offload: boolean): LossRun {
  const sim = makeMachine(seed, control, offload);
  const { memory, fabric, layout, clock } = sim;
  fabric.setFaults('a0', { lossPercent, delayUs: LOSS.rttMs * 500 });
  const [a, b] = [sim.hosts[0]!, sim.hosts[1]!];
  const patternAt = layout.hosts[0]!.regions.application.offset;
  for (let i = 0; i < PATTERN_BYTES + PIECE_BYTES; i++) {
    memory.u8[patternAt + i] = Math.imul((i % PATTERN_BYTES) + 1, 0x9e3779b1) >>> 13;
  }
  introduce(a, b, RECEIVER);
  introduce(b, a, SENDER);
  const receiver = new Receiver(memory, patternAt);
  b.host.tli.listen(PORT, receiver);
  a.host.setTime(clock.nowUs());
  const sender = new Sender(patternAt);
  sim.onRound = nowUs => {
    a.host.setTime(nowUs);
    sender.fill();
    for (const miniport of a.host.miniports) miniport.flush();
  };
  let isAlive = a.host.tli.connect(RECEIVER, PORT, sender) !== null;
  isAlive &&= sim.run(() => receiver.bytes >= LOSS.bytes);
  assert(isAlive, 'the transfer comes to its end');
  const moved = Math.min(...sim.hosts.map(({ host }) => host.chimney.stats.connectionsOffloaded));
  assert(!offload || moved > 0, 'both ends were handed over');
  const us = clock.nowUs();
  return { goodput: (receiver.bytes / us) * 1e6, virtualMs: us / 1000 };
}

/** The link that is measured against has no ARP to lose: each end knows the other from the start. */
function introduce(one: AssembledHost, other: AssembledHost, address: number): void {
  const { neighbors, interfaces } = one.host.framing;
  const { macHi, macLo } = other.host.framing.interfaces[0]!.adapter;
  neighbors.learn(neighbors.for(interfaces[0]!, address), macHi, macLo, true);
}

function makeMachine(seed: number, control: LossControl, offload: boolean): Simulation {
  const plan = planMachine({
    hosts: ['a', 'b'].map(name => ({
      name,
      nics: [{ name: `${name}0`, tcpEntries: 16 }],
      connections: 16,
      applicationBytes: PATTERN_BYTES + PIECE_BYTES,
      copyBuffers: 4,
      tcp: lossTcp(control),
    })),
    seed,
    small: true,
  });
  const sized = {
    ...plan,
    hosts: plan.hosts.map(host => ({ ...host, config: { ...host.config, sendDescriptors: 128 } })),
  };
  const wiring = [SENDER, RECEIVER].map((address): HostWiring => ({
    interfaces: [{ address, prefixLength: 24, vid: 0 }],
    routes: [],
    team: false,
    policy: offload ? everything(0) : NOTHING,
  }));
  shared ??= createMemory(MEMORY_BYTES);
  return new Simulation({ plan: sized, wiring, seed, memory: shared, checker: false });
}
