import { describe, expect, it } from 'vitest';
import { RegionPlan, createMemory } from '../../src/memory/memory.ts';
import { Doorbell, DoorbellLayout, DoorbellSleeper, SleepResult } from '../../src/ring/doorbell.ts';

const LONG_MS = 20_000;

function setUp(): { doorbell: Doorbell; sleeper: DoorbellSleeper } {
  const plan = new RegionPlan();
  plan.add('other', 64);
  const region = plan.add('doorbell', DoorbellLayout.byteLength);
  const memory = createMemory(plan.byteLength);
  return { doorbell: new Doorbell(memory, region), sleeper: new DoorbellSleeper(memory, region) };
}

describe('doorbell', () => {
  it('keeps the counter and the sleeping flag on cache lines of their own', () => {
    expect(DoorbellLayout.offset.sleeping - DoorbellLayout.offset.events).toBeGreaterThanOrEqual(64);
  });

  it('is wanted from announce to awake', () => {
    const { doorbell, sleeper } = setUp();
    expect(doorbell.wanted).toBe(false);
    sleeper.announce();
    expect(doorbell.wanted).toBe(true);
    sleeper.awake();
    expect(doorbell.wanted).toBe(false);
  });

  it('rings only if wanted, and counts how often', () => {
    const { doorbell, sleeper } = setUp();
    doorbell.ringIfWanted();
    expect(doorbell.rings).toBe(0);
    sleeper.announce();
    doorbell.ringIfWanted();
    doorbell.ringIfWanted();
    expect(doorbell.rings).toBe(2);
  });

  it('does not sleep when it was rung between announce and wait', () => {
    const { doorbell, sleeper } = setUp();
    sleeper.announce();
    doorbell.ring();
    expect(sleeper.wait(LONG_MS)).toBe(SleepResult.WorkArrived);
    expect(doorbell.wanted, 'awake again').toBe(false);
  });

  it('sleeps again after a ring that it has answered', () => {
    const { doorbell, sleeper } = setUp();
    doorbell.ring();
    sleeper.announce();
    expect(sleeper.wait(1)).toBe(SleepResult.TimedOut);
    expect(doorbell.wanted, 'awake again').toBe(false);
    expect(sleeper.sleeps).toBe(1);
  });

  it('keeps working when the count of rings wraps', () => {
    const { doorbell, sleeper } = setUp();
    for (let i = 0; i < 3; i++) {
      sleeper.announce();
      doorbell.ring();
      expect(sleeper.wait(LONG_MS)).toBe(SleepResult.WorkArrived);
    }
    sleeper.announce();
    expect(sleeper.wait(0)).toBe(SleepResult.TimedOut);
  });
});

describe('waitAsync', () => {
  it('resolves at once when it was rung between announce and wait', async () => {
    const { doorbell, sleeper } = setUp();
    sleeper.announce();
    doorbell.ring();
    await sleeper.waitAsync(LONG_MS);
    expect(doorbell.wanted).toBe(false);
  });

  it('resolves when it is rung later', async () => {
    const { doorbell, sleeper } = setUp();
    sleeper.announce();
    const slept = sleeper.waitAsync(LONG_MS);
    expect(doorbell.wanted).toBe(true);
    doorbell.ring();
    await slept;
    expect(doorbell.wanted).toBe(false);
  });

  it('resolves after its time-out', async () => {
    const { doorbell, sleeper } = setUp();
    sleeper.announce();
    await sleeper.waitAsync(1);
    expect(doorbell.wanted).toBe(false);
    expect(sleeper.sleeps).toBe(1);
  });
});
