/**
 * Whole machines in virtual time, each drawn from a seed (src/scenario/simulate.ts): bytes, invariants, determinism.
 *
 * A failure names its seed; `npm run simulate -- --seed N` runs it again, frame for frame. A seed that found something joins
 * the list with what it found.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { FaultInjection } from '../../src/intermediate-driver/diagnostics/fault-injection.ts';
import { createMemory } from '../../src/memory/memory.ts';
import { OffloadState } from '../../src/offload/offload-state.ts';
import { runSeed, type SeedResult, type SeedRun } from '../../src/scenario/simulate.ts';
import { TcpConstFlag, TcpState } from '../../src/tcp/tcb.ts';

const memory = createMemory(24 << 20);

/** Seeds that failed once, and what they found. */
const FOUND: readonly [seed: number, what: string][] = [
  [1176, 'a connection had ended on the NIC; what the peer still sent was dropped instead of reset, so it waited'],
  [1274, 'a NIC forgot a blocked connection: its list was full of slots that had been freed and used again'],
  [2039, 'out-of-order text of many connections took every receive buffer of the NIC, for ever'],
  [2166, 'two VLANs: orphans of the second were not terminated, and a failover never came to its resume'],
  [17, 'a neighbor went with the last path on it while an update of it was under way (digest 3.6)'],
  [25, 'a neighbor whose paths were all refused was forgotten on the device while its state was on the way'],
  [5166, 'the wire watch took a later SYN of the peer for the one of the connection'],
  [5650, 'the wire watch took what a left cable still had for a window that shrinks'],
  [5771, 'a RST was forwarded to a connection that had already ended on the NIC'],
];

const FIRST = 1;
const COUNT = 120;
const SEEDS_A_TEST = 20;

function expectOk(result: SeedResult): void {
  const { seed, ok, error } = result;
  if (!ok) expect.fail(`SEED=${seed} npm run simulate -- --seed ${seed}\n${error}`);
}

describe('every byte arrives and every invariant holds', () => {
  let checked = 0;

  test.each(FOUND)('seed %i: %s', seed => expectOk(runSeed(seed, { memory })));

  const starts = Array.from({ length: COUNT / SEEDS_A_TEST }, (_, index) => FIRST + index * SEEDS_A_TEST);
  test.each(starts)(`${SEEDS_A_TEST} seeds from %i`, first => {
    for (let seed = first; seed < first + SEEDS_A_TEST; seed++) {
      const result = runSeed(seed, { memory });
      checked += result.invariantsChecked;
      expectOk(result);
    }
  });

  afterAll(() => expect(checked).toBeGreaterThan(COUNT * 1000));
});

describe('a seed is a run', () => {
  const SEED = 11;

  test('the same seed gives the same frames, also in used memory', () => {
    const first = runSeed(SEED);
    runSeed(SEED + 1, { memory });
    expect(runSeed(SEED, { memory })).toEqual(first);
  });

  test('another seed gives other frames', () => {
    expect(runSeed(SEED, { memory }).traceHash).not.toBe(runSeed(SEED + 1, { memory }).traceHash);
  });
});

/** Breaks something once there is something to break; says what the checker found. */
function sabotaged(sabotage: (run: SeedRun) => boolean): string {
  let chances = 0;
  // Not every seed shows it: a connection may be without timestamps, or have sent its last segment.
  for (let seed = 1; seed <= 20 && chances < 5; seed++) {
    let isDone = false;
    const result = runSeed(seed, {
      memory,
      prepare: run => {
        const { onRound } = run.sim;
        run.sim.onRound = nowUs => {
          if (!isDone) isDone = sabotage(run);
          if (isDone) run.checker.check();
          onRound(nowUs);
        };
      },
    });
    if (isDone) chances++;
    if (isDone && result.error !== undefined) return result.error;
  }
  if (chances > 0) return 'nothing';
  throw new Error('no seed gave the chance');
}

/** Moves the host's cursor to the first connection in that place; false when there is none. */
function find(run: SeedRun, offloadState: OffloadState): boolean {
  const { transport } = run.sim.host.host;
  for (let slot = 0; slot < transport.table.capacity; slot++) {
    if (!transport.table.isLive(slot)) continue;
    const tcb = transport.at(slot);
    if (tcb.offloadState === offloadState && tcb.state === TcpState.Established) return true;
  }
  return false;
}

describe('the checker notices', () => {
  test('a connection that both the host and a NIC own', () => {
    const found = sabotaged(run => {
      if (!find(run, OffloadState.Offloaded)) return false;
      run.sim.host.host.transport.tcb.offloadState = OffloadState.InHost;
      return true;
    });
    expect(found).toContain('a NIC has it too');
  });

  test('a connection that nobody owns', () => {
    const found = sabotaged(run => {
      if (!find(run, OffloadState.InHost)) return false;
      run.sim.host.host.transport.tcb.offloadState = OffloadState.Offloaded;
      return true;
    });
    expect(found).toContain('0 NICs have it');
  });

  test('SND.NXT beyond what was sent', () => {
    const found = sabotaged(run => {
      if (!find(run, OffloadState.InHost)) return false;
      run.sim.host.host.transport.tcb.sndNxt += 100;
      return true;
    });
    expect(found).toContain('SND.NXT <= sndMax');
  });

  test('a reference too many on a path', () => {
    const found = sabotaged(run => {
      for (const path of run.sim.host.host.network.paths) {
        path.offloadedConnections++;
        return true;
      }
      return false;
    });
    expect(found).toContain('offloaded on path');
  });

  test('a dependent too few in a NIC', () => {
    const found = sabotaged(run => {
      const { objects } = run.sim.nics[0]!;
      const slot = Array.from({ length: objects.paths.capacity }, (_, at) => at).find(at => objects.paths.isLive(at));
      if (slot === undefined) return false;
      objects.placePath(slot);
      objects.path.dependents--;
      return true;
    });
    expect(found).toContain('dependents of path');
  });

  test.each([
    ['transmit buffer', (run: SeedRun) => run.sim.host.host.tx.allocate()],
    ['send descriptor', (run: SeedRun) => run.sim.host.host.sendDescriptors.allocate()],
    ['block', (run: SeedRun) => run.sim.host.host.blocks.allocate(17)],
  ])('a lost %s', (_what, lose) => {
    const found = sabotaged(run => lose(run) > 0);
    expect(found).toContain('lost: 1');
  });

  test('a lost receive buffer', () => {
    const found = sabotaged(run => run.sim.nics[0]!.firmware.pool.allocate() > 0);
    expect(found).toContain('nic0: receive buffers lost: 1');
  });

  test('a frame for a neighbor that is not valid (invariant 6)', () => {
    const found = sabotaged(run => {
      // A lenient device goes on with what was invalidated, and is not watched.
      const isWatched = run.sim.nics.every(({ boot }) => boot.config.target.invalidate === 'strict');
      if (!isWatched || !find(run, OffloadState.Offloaded)) return false;
      for (const { firmware, objects } of run.sim.nics) {
        const emit = firmware.emitSegment.bind(firmware);
        const flip = (path: number): number => (objects.climb(path), (objects.neighborState.dlDestinationLo ^= 0x100));
        firmware.emitSegment = (tcb, flags, seq, length) => {
          flip(tcb.path);
          const isSent = emit(tcb, flags, seq, length);
          flip(tcb.path);
          return isSent;
        };
      }
      return true;
    });
    expect(found).toContain('is not valid there (invariant 6)');
  });

  test('a buffer that is in a call and free in its pool (invariant 2)', () => {
    const found = sabotaged(run => {
      const { sendDescriptors } = run.sim.host.host;
      for (const { ledger } of run.sim.checkers) {
        for (const [buffer] of ledger.outstanding()) {
          if (!sendDescriptors.isLent(buffer)) continue;
          sendDescriptors.free(buffer);
          return true;
        }
      }
      return false;
    });
    expect(found).toContain('and free in its pool (invariant 2)');
  });

  test('a slot of a NIC that nobody has (invariant 10)', () => {
    const found = sabotaged(run => run.sim.nics[0]!.objects.neighbors.allocate() >= 0);
    expect(found).toMatch(/nic0: no slots but the possible of layer 0, \d+ expected/);
  });

  test('an ACK that goes back, a clock that goes back, a window that shrinks (invariants 8, 9)', () => {
    const saboteurs: [
      fields: Partial<Record<'rcvNxt' | 'tsOffset' | 'rcvWnd' | 'rcvPending', number>>,
      what: string,
    ][] = [
      [{ rcvNxt: 4000 }, 'ACK goes back'],
      [{ tsOffset: 50_000 }, 'TSval goes back'],
      // There is less room as well: else it would be offered again at once (window.ts).
      [{ rcvWnd: 3000, rcvPending: -3000 }, 'the right edge of its window shrinks'],
    ];
    for (const [fields, what] of saboteurs) {
      const found = sabotaged(run => {
        if (!find(run, OffloadState.Offloaded)) return false;
        // Without the option there is no clock on the wire.
        if ((run.sim.host.host.transport.tcb.constFlags & TcpConstFlag.Timestamp) === 0) return false;
        for (const { firmware } of run.sim.nics) {
          const emit = firmware.emitSegment.bind(firmware);
          let segments = 0;
          firmware.emitSegment = (tcb, flags, seq, length) => {
            // Every third segment is that of an owner who has forgotten something.
            if (++segments % 3 !== 0) return emit(tcb, flags, seq, length);
            const change = (sign: number): void => {
              for (const [field, by] of Object.entries(fields)) tcb[field as keyof typeof fields] += sign * by;
            };
            change(-1);
            const isSent = emit(tcb, flags, seq, length);
            change(1);
            return isSent;
          };
        }
        return true;
      });
      expect(found).toContain(what);
    }
  });
});

describe('faults injected between the drivers and the NICs (R33)', () => {
  /** Runs a seed with faults on every NIC's adapter. */
  function withFaults(seed: number, inject: (faults: FaultInjection) => void): SeedResult & { struck: number } {
    const injected: FaultInjection[] = [];
    const result = runSeed(seed, {
      memory,
      prepare: ({ sim }) => {
        const { blocks } = sim.layout.hosts[0]!.regions;
        for (const { adapter } of sim.host.host.miniports) {
          const faults = new FaultInjection(adapter, { memory: sim.memory, blocks, prng: new Prng(seed) });
          inject(faults);
          injected.push(faults);
        }
        const { onRound } = sim;
        sim.onRound = nowUs => {
          if (sim.rounds % 50 === 0) for (const faults of injected) faults.release();
          onRound(nowUs);
        };
      },
    });
    return { ...result, struck: injected.reduce((sum, { struck }) => sum + struck, 0) };
  }

  test('late answers to updates and queries: the next waits, and so does a terminate (C10, D01)', () => {
    let struck = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const result = withFaults(seed, faults => {
        faults.delay('updateOffloadComplete');
        faults.delay('queryOffloadComplete');
      });
      struck += result.struck;
      expectOk(result);
    }
    expect(struck).toBeGreaterThan(10);
  });

  test.each(['initiateOffloadComplete', 'terminateOffloadComplete'] as const)('%s twice is noticed (A17)', entry => {
    const result = withFaults(11, faults => void faults.duplicate(entry, { times: 1 }));
    expect(result.struck).toBeGreaterThan(0);
    expect(result.error).toContain('completed before (A17)');
  });

  test('an answer that is lost is noticed at the end, if not before (invariant 3)', () => {
    const result = withFaults(11, faults => void faults.drop('sendFrameComplete', { times: 1 }));
    expect(result.struck).toBeGreaterThan(0);
    expect(result.ok).toBe(false);
  });
});
