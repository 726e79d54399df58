/**
 * Rings between real threads: a generator and a verifier that sleep on doorbells whenever the ring is full or empty.
 *
 * A lost wake-up leaves both sides asleep; the thread that slept too long says so. What makes the tests hard on the ring is
 * small rings (the sides meet at every slot) and batches of random size, some reverted or put back.
 */
import { Worker } from 'node:worker_threads';
import { type Memory, type Region, RegionPlan, attachMemory, createMemory } from 'chimney/internal/memory/memory';
import { DoorbellLayout, DoorbellSleeper } from 'chimney/internal/ring/doorbell';
import { RingHeader, initializeRing, ringBytes } from 'chimney/internal/ring/spsc-ring';
import { describe, expect, it } from 'vitest';
import { Generator, SLOT_WORDS, type SidePlan, Verifier, WAKE_MS } from './fixtures/ring-sides.mjs';

const CANARY = 0xc5;
const TEST_MS = 60_000;

interface Report {
  readonly items: number | number[];
  readonly sleeps: number;
  readonly rings: number;
}

interface Machine {
  readonly memory: Memory;
  readonly generators: SidePlan[];
  readonly verifiers: SidePlan[];
  readonly canaries: Region[];
}

interface Load {
  readonly slots: number;
  readonly items: number;
  readonly batchMax: number;
  readonly seed: number;
  /** Position that the ring starts at, so that it wraps on the way. */
  readonly start?: number;
}

/** Lays out one ring a load; all verifiers share a doorbell, each generator has its own. */
function buildMachine(loads: readonly Load[]): Machine {
  const plan = new RegionPlan();
  const canaries: Region[] = [plan.add('canary', 64)];
  const add = (name: string, byteLength: number): Region => {
    const region = plan.add(name, byteLength);
    canaries.push(plan.add(`canary behind ${name}`, 64));
    return region;
  };
  const verifierBell = add('verifier bell', DoorbellLayout.byteLength);
  const shapes = loads.map(({ slots }) => ({ slots, slotBytes: SLOT_WORDS * 4 }));
  const rings = shapes.map((shape, i) => add(`ring ${i}`, ringBytes(shape)));
  const bells = loads.map((_, i) => add(`generator bell ${i}`, DoorbellLayout.byteLength));
  const memory = createMemory(plan.byteLength);
  for (const { offset, byteLength } of canaries) memory.u8.fill(CANARY, offset, offset + byteLength);
  for (const [i, ring] of rings.entries()) {
    initializeRing(memory, ring, shapes[i]!);
    // The gaps between the index words are canaries, too.
    for (const [at, length] of headerGaps) memory.u8.fill(CANARY, ring.offset + at, ring.offset + at + length);
    const header = RingHeader.view(memory).at(ring.offset);
    header.tail = header.head = loads[i]!.start ?? 0;
  }
  const side = (bell: (i: number) => Region, ownBell: (i: number) => Region): SidePlan[] =>
    loads.map(({ items, seed, batchMax }, i) => {
      return { ring: rings[i]!, bell: bell(i), ownBell: ownBell(i), items, seed, batchMax };
    });
  return {
    memory,
    generators: side(
      () => verifierBell,
      i => bells[i]!,
    ),
    verifiers: side(
      i => bells[i]!,
      () => verifierBell,
    ),
    canaries,
  };
}

const headerGaps = (['reserved0', 'reserved1', 'reserved2'] as const).map(
  name => [RingHeader.offset[name], RingHeader.fields[name].width] as const,
);

function expectCanariesAlive({ memory, canaries, generators }: Machine): void {
  const gaps = generators.flatMap(({ ring }) =>
    headerGaps.map(([at, byteLength]) => ({ name: `gap of ${ring.name}`, offset: ring.offset + at, byteLength })),
  );
  for (const { name, offset, byteLength } of [...canaries, ...gaps]) {
    const dead = memory.u8.subarray(offset, offset + byteLength).findIndex(byte => byte !== CANARY);
    expect(dead, `${name} was overwritten`).toBe(-1);
  }
}

/** Threads that report once and end; whatever happens, `close` leaves none behind. */
class Threads {
  readonly #workers: Worker[] = [];

  start(workerData: object): Promise<Report> {
    const worker = new Worker(new URL('fixtures/ring-worker.mjs', import.meta.url), { workerData });
    this.#workers.push(worker);
    return new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', code => reject(new Error(`a thread ended with ${code} before it reported`)));
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map(worker => worker.terminate()));
  }
}

async function runInThreads(machine: Machine): Promise<{ generators: Report[]; verifier: Report }> {
  const { wasm } = machine.memory;
  const threads = new Threads();
  try {
    const verifier = threads.start({ role: 'verifier', wasm, plans: machine.verifiers });
    const generators = machine.generators.map(plan => threads.start({ role: 'generator', wasm, plan }));
    const [report, ...reports] = await Promise.all([verifier, ...generators]);
    return { generators: reports, verifier: report };
  } finally {
    await threads.close();
  }
}

describe('a ring between two threads', { timeout: TEST_MS }, () => {
  it.each<[string, Load]>([
    ['2,000,000 items through 1,024 slots', { slots: 1024, items: 2_000_000, batchMax: 300, seed: 1 }],
    ['500,000 items through 32 slots', { slots: 32, items: 500_000, batchMax: 48, seed: 2, start: -250_000 }],
    ['100,000 items through 4 slots', { slots: 4, items: 100_000, batchMax: 6, seed: 3, start: 0x7fffffff - 50_000 }],
    ['30,000 items through a single slot', { slots: 1, items: 30_000, batchMax: 2, seed: 4, start: -15_000 }],
  ])('passes %s in order, whole, and loses no wake-up', async (_, load) => {
    const machine = buildMachine([load]);
    const { generators, verifier } = await runInThreads(machine);
    expect(generators[0]!.items).toBe(load.items);
    expect(verifier.items).toEqual([load.items]);
    expectCanariesAlive(machine);
    expect(generators[0]!.sleeps, 'the ring was full at times').toBeGreaterThan(0);
    expect(verifier.sleeps, 'the ring was empty at times').toBeGreaterThan(0);
    const header = RingHeader.view(machine.memory).at(machine.generators[0]!.ring.offset);
    expect(header.tail).toBe(((load.start ?? 0) + load.items) | 0);
    expect(header.head).toBe(header.tail);
  });
});

describe('many rings, one doorbell', { timeout: TEST_MS }, () => {
  it('wakes the verifier whichever of four generators has work, and each generator when it has room', async () => {
    const loads = [8, 64, 1, 512].map((slots, i) => {
      return { slots, items: slots === 1 ? 10_000 : 100_000, batchMax: 2 * slots, seed: 10 + i, start: -1000 * i };
    });
    const machine = buildMachine(loads);
    const { generators, verifier } = await runInThreads(machine);
    expect(generators.map(({ items }) => items)).toEqual(loads.map(({ items }) => items));
    expect(verifier.items).toEqual(loads.map(({ items }) => items));
    expect(verifier.sleeps).toBeGreaterThan(0);
    expectCanariesAlive(machine);
  });
});

/** As the host thread sleeps: on a promise. Says so if it slept too long. */
async function sleepAsync(sleeper: DoorbellSleeper, who: string): Promise<void> {
  const before = performance.now();
  await sleeper.waitAsync(WAKE_MS);
  if (performance.now() - before >= WAKE_MS) throw new Error(`lost wake-up: the ${who} slept for ${WAKE_MS} ms`);
}

describe('the host as one side', { timeout: TEST_MS }, () => {
  it('consumes, asleep in waitAsync while the ring is empty', async () => {
    const machine = buildMachine([{ slots: 64, items: 200_000, batchMax: 80, seed: 20, start: -100_000 }]);
    const { wasm } = machine.memory;
    const threads = new Threads();
    try {
      const memory = attachMemory(wasm);
      const [plan] = machine.verifiers;
      const verifier = new Verifier(memory, plan!);
      const sleeper = new DoorbellSleeper(memory, plan!.ownBell);
      const generator = threads.start({ role: 'generator', wasm, plan: machine.generators[0] });
      const consumed = (async (): Promise<void> => {
        while (!verifier.done) {
          if (verifier.step()) continue;
          sleeper.announce();
          if (verifier.hasWork()) sleeper.awake();
          else await sleepAsync(sleeper, 'host');
        }
        verifier.release();
      })();
      const [report] = await Promise.all([generator, consumed]);
      expect(report.items).toBe(plan!.items);
      expect(verifier.seen).toBe(plan!.items);
      expect(sleeper.sleeps).toBeGreaterThan(0);
      expectCanariesAlive(machine);
    } finally {
      await threads.close();
    }
  });

  it('produces, asleep in waitAsync while the ring is full', async () => {
    const machine = buildMachine([{ slots: 16, items: 100_000, batchMax: 20, seed: 21 }]);
    const { wasm } = machine.memory;
    const threads = new Threads();
    try {
      const generator = new Generator(attachMemory(wasm), machine.generators[0]!);
      const verifier = threads.start({ role: 'verifier', wasm, plans: machine.verifiers });
      const produced = (async (): Promise<void> => {
        while (!generator.done) {
          if (generator.step() || !generator.fallAsleep()) continue;
          await sleepAsync(generator.sleeper, 'host');
          generator.ring.cancelWait();
        }
      })();
      const [report] = await Promise.all([verifier, produced]);
      expect(report.items).toEqual([100_000]);
      expect(generator.sleeper.sleeps).toBeGreaterThan(0);
      expectCanariesAlive(machine);
    } finally {
      await threads.close();
    }
  });
});
