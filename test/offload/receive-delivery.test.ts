/** Delivery of in-order bytes, alone: the algorithm with an owner that does what the case says (digest §4.3, §8 E). */
import { describe, expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { NdisStatus } from '../../src/base/status.ts';
import { createMemory } from '../../src/memory/memory.ts';
import { NetBuffer, NetBufferFlag } from '../../src/memory/net-buffer.ts';
import { type DeliveryOwner, ReceiveDelivery } from '../../src/offload/receive-delivery.ts';

const SLOT = 0;
const BLOCK = 256;
const FIRST = 4096;
const COUNT = 900;
const memory = createMemory(1 << 18);
const { Push, NoPush } = NetBufferFlag;

function streamByte(offset: number): number {
  return (offset * 7 + 3) & 0xff;
}

interface Completion {
  readonly id: number;
  readonly bytes: number;
  readonly status: number;
}

/** An application right above the algorithm. Every byte that it gets must be the next one of the stream. */
class Application implements DeliveryOwner {
  readonly delivery = new ReceiveDelivery(memory, 1, this);
  readonly log: string[] = [];
  readonly completions: Completion[] = [];
  readonly #buffer = NetBuffer.view(memory);
  readonly #free = Array.from({ length: COUNT }, (_, index) => FIRST + index * BLOCK);
  readonly #postedAt: number[] = [];
  /** How many bytes of an indication it takes, and what it does meanwhile. */
  takes: (length: number) => number = length => length;
  onComplete: (id: number) => void = () => {};
  arrivedBytes = 0;
  /** Bytes indicated and taken, or placed. */
  received = 0;
  timerRuns = false;
  timerStarts = 0;
  #depth = 0;

  get free(): number {
    return this.#free.length;
  }

  get posted(): number {
    return this.#postedAt.length;
  }

  #make(length: number, flags: number, cookie: number): number {
    const address = this.#free.shift()!;
    memory.u8.fill(0, address, address + BLOCK);
    const buffer = this.#buffer.at(address);
    buffer.dataAddress = address + NetBuffer.byteLength;
    buffer.dataLength = length;
    buffer.flags = flags;
    buffer.cookie = cookie;
    return address;
  }

  /** A buffer with the next bytes of the stream. */
  text(length: number, flags = 0): number {
    const address = this.#make(length, flags, 0);
    for (let i = 0; i < length; i++) memory.u8[address + NetBuffer.byteLength + i] = streamByte(this.arrivedBytes++);
    return address;
  }

  arrives(length: number, flags = 0): void {
    this.delivery.arrived(SLOT, this.text(length, flags));
  }

  /** The first of the bytes that a receive has when it is posted are the last ones received. */
  post(id: number, length: number, flags = 0, filled = 0): void {
    const address = this.#make(length, flags, id);
    const from = address + NetBuffer.byteLength;
    this.#buffer.at(address).bytesTransferred = filled;
    for (let i = 0; i < filled; i++) memory.u8[from + i] = streamByte(this.received - filled + i);
    this.#postedAt.push(address);
    this.delivery.post(SLOT, address);
  }

  fire(): void {
    this.timerRuns = false;
    this.delivery.pushTimerFired(SLOT);
  }

  #enter(): void {
    expect(this.#depth, 'no callback inside of another').toBe(0);
    this.#depth++;
  }

  // --- DeliveryOwner ---

  indicate(_slot: number, address: number): number {
    this.#enter();
    expect(this.#postedAt, 'nothing is indicated past a posted receive').toEqual([]);
    const { dataAddress, dataLength } = this.#buffer.at(address);
    const taken = this.takes(dataLength);
    for (let i = 0; i < taken; i++) expect(memory.u8[dataAddress + i]).toBe(streamByte(this.received++));
    this.log.push(`indicate ${dataLength} takes ${taken}`);
    if (taken === dataLength) this.#free.push(address);
    this.#depth--;
    return taken;
  }

  receiveComplete(_slot: number, address: number, status: number): void {
    this.#enter();
    const { cookie, bytesTransferred, dataAddress } = this.#buffer.at(address);
    expect(this.#postedAt.shift(), 'in the order in which they were posted').toBe(address);
    const start = this.received - bytesTransferred;
    for (let i = 0; i < bytesTransferred; i++) expect(memory.u8[dataAddress + i]).toBe(streamByte(start + i));
    this.log.push(`complete ${cookie} with ${bytesTransferred}`);
    this.completions.push({ id: cookie, bytes: bytesTransferred, status });
    this.#free.push(address);
    this.onComplete(cookie);
    this.#depth--;
  }

  placed(_slot: number, count: number): void {
    this.received += count;
  }

  freeHeld(_slot: number, address: number): void {
    this.#free.push(address);
  }

  armPushTimer(): void {
    this.timerRuns = true;
    this.timerStarts++;
  }

  stopPushTimer(): void {
    this.timerRuns = false;
  }
}

describe('refusals', () => {
  test('what was refused goes first into a receive, then what came since (E01)', () => {
    const app = new Application();
    app.takes = () => 0;
    app.arrives(10);
    app.arrives(20);
    expect(app.log).toEqual(['indicate 10 takes 0']);
    expect(app.delivery.heldBytes(SLOT)).toBe(30);
    app.post(1, 30);
    expect(app.log).toEqual(['indicate 10 takes 0', 'complete 1 with 30']);
    expect(app.free).toBe(COUNT);
  });

  test('a receive of no bytes is completed with none, and ends the refusal (E02)', () => {
    const app = new Application();
    app.takes = () => 0;
    app.arrives(10);
    app.takes = length => length;
    app.post(1, 0);
    expect(app.log).toEqual(['indicate 10 takes 0', 'complete 1 with 0', 'indicate 10 takes 10']);
  });

  test('a receive of no bytes with nothing held is completed at once (E02)', () => {
    const app = new Application();
    app.post(1, 0);
    expect(app.log).toEqual(['complete 1 with 0']);
  });

  test('taken in part: the rest begins at the next byte (E03)', () => {
    const app = new Application();
    app.takes = () => 1;
    app.arrives(10);
    expect(app.received).toBe(1);
    app.post(1, 9);
    expect(app.completions).toEqual([{ id: 1, bytes: 9, status: NdisStatus.Success }]);
    expect(app.received).toBe(10);
  });
});

test('a refusal goes with the bytes: what arrives when they are gone is indicated (E01)', () => {
  const app = new Application();
  app.takes = () => 0;
  app.arrives(10);
  const held = app.delivery.takeHeld(SLOT);
  app.takes = length => length;
  app.delivery.hold(SLOT, held);
  app.arrives(5);
  expect(app.log).toEqual(['indicate 10 takes 0', 'indicate 10 takes 10', 'indicate 5 takes 5']);
});

describe('from inside of callbacks', () => {
  test('a receive posted in the completion of another is filled after that has returned (E04)', () => {
    const app = new Application();
    app.onComplete = id => {
      if (id < 4) app.post(id + 1, 5);
    };
    app.post(1, 5);
    app.arrives(20);
    expect(app.completions.map(({ id, bytes }) => [id, bytes])).toEqual([1, 2, 3, 4].map(id => [id, 5]));
    expect(app.received).toBe(20);
  });

  test('bytes that arrive in a completion wait for its end (E04)', () => {
    const app = new Application();
    app.onComplete = () => app.arrives(3);
    app.post(1, 5);
    app.arrives(7);
    expect(app.log).toEqual(['complete 1 with 5', 'indicate 2 takes 2', 'indicate 3 takes 3']);
  });

  test('a receive posted in an indication that is refused gets the bytes (E05)', () => {
    const app = new Application();
    app.takes = () => {
      app.post(1, 10);
      return 0;
    };
    app.arrives(10);
    expect(app.log).toEqual(['indicate 10 takes 0', 'complete 1 with 10']);
    expect(app.delivery.hasHeld(SLOT)).toBe(false);
  });

  test('one of no bytes, posted there, has them indicated again (E02, E05)', () => {
    const app = new Application();
    app.takes = length => {
      if (app.log.length > 0) return length;
      app.post(1, 0);
      return 4;
    };
    app.arrives(10);
    expect(app.log).toEqual(['indicate 10 takes 4', 'complete 1 with 0', 'indicate 6 takes 6']);
  });
});

describe('push', () => {
  test('a segment with PSH that fills the receive exactly: one completion, no timer (E06)', () => {
    const app = new Application();
    app.post(1, 10);
    app.arrives(4);
    expect(app.timerRuns).toBe(true);
    app.arrives(6, Push);
    expect(app.log).toEqual(['complete 1 with 10']);
    expect(app.timerRuns).toBe(false);
  });

  test('a segment with PSH completes a receive that is not full (E06)', () => {
    const app = new Application();
    app.post(1, 10);
    app.arrives(6, Push);
    expect(app.log).toEqual(['complete 1 with 6']);
    expect(app.timerRuns).toBe(false);
  });

  test('PSH of the receive before does not count for the next: that waits for the timer (E07)', () => {
    const app = new Application();
    app.post(1, 10);
    app.post(2, 10);
    app.arrives(10, Push);
    app.arrives(3);
    expect(app.log).toEqual(['complete 1 with 10']);
    expect(app.timerRuns).toBe(true);
    app.fire();
    expect(app.log).toEqual(['complete 1 with 10', 'complete 2 with 3']);
  });

  test('each arrival gives more time; another receive behind it does not (E07, E10)', () => {
    const app = new Application();
    app.post(1, 10);
    app.arrives(1);
    app.arrives(1);
    expect(app.timerStarts).toBe(2);
    app.post(2, 10);
    expect(app.timerStarts).toBe(2);
    expect(app.timerRuns).toBe(true);
  });

  test('the timer with nothing partly filled does nothing (E08)', () => {
    const app = new Application();
    app.fire();
    app.post(1, 10);
    app.fire();
    expect(app.log).toEqual([]);
    app.arrives(10);
    app.fire();
    expect(app.log).toEqual(['complete 1 with 10']);
  });

  test('a receive without push is completed when it is full, and not before (E09)', () => {
    const app = new Application();
    app.post(1, 10, NoPush);
    app.arrives(9, Push);
    expect(app.timerStarts).toBe(0);
    app.fire();
    expect(app.log).toEqual([]);
    app.arrives(1);
    expect(app.log).toEqual(['complete 1 with 10']);
  });

  test('an end completes a receive without push, with what it has (E09)', () => {
    for (const status of [NdisStatus.Success, NdisStatus.UploadInProgress, NdisStatus.RequestAborted]) {
      const app = new Application();
      app.post(1, 10, NoPush);
      app.post(2, 10, NoPush);
      app.arrives(9);
      app.delivery.flush(SLOT, status);
      expect(app.completions).toEqual([
        { id: 1, bytes: 9, status },
        { id: 2, bytes: 0, status },
      ]);
    }
  });

  test('a receive that comes partly filled has its time running at once (E10)', () => {
    const app = new Application();
    app.arrives(4);
    app.post(1, 10, 0, 4);
    expect(app.timerRuns).toBe(true);
    app.fire();
    expect(app.log).toEqual(['indicate 4 takes 4', 'complete 1 with 4']);
  });

  test('without push it has none (E10)', () => {
    const app = new Application();
    app.arrives(4);
    app.post(1, 10, NoPush, 4);
    expect(app.timerRuns).toBe(false);
  });
});

/** What happens next, drawn; callbacks may do as much as anybody. */
class Chance {
  readonly app = new Application();
  readonly #prng: Prng;
  #nextId = 1;

  constructor(seed: number) {
    this.#prng = new Prng(seed);
    this.app.takes = length => {
      this.#maybe();
      return this.#prng.chance(0.5) ? length : this.#prng.below(length);
    };
    this.app.onComplete = () => this.#maybe();
  }

  #maybe(): void {
    if (this.#prng.chance(0.4)) this.#postOrArrive();
  }

  #postOrArrive(): void {
    const { app } = this;
    if (app.free < 2) return;
    if (this.#prng.chance(0.5)) app.arrives(1 + this.#prng.below(40), this.#prng.chance(0.3) ? Push : 0);
    else app.post(this.#nextId++, this.#prng.below(60), this.#prng.chance(0.3) ? NoPush : 0);
  }

  step(): void {
    const { app } = this;
    const kind = this.#prng.below(8);
    if (kind === 0 && app.timerRuns) app.fire();
    else if (kind === 1) app.delivery.resume(SLOT);
    else if (kind === 2) this.#handOver();
    else this.#postOrArrive();
  }

  /** What is held and what is posted goes elsewhere; here it comes back at once. */
  #handOver(): void {
    const { delivery } = this.app;
    const posted = delivery.takePosted(SLOT);
    expect(delivery.hasPosted(SLOT)).toBe(false);
    const bytes = delivery.heldBytes(SLOT);
    delivery.hold(SLOT, delivery.takeHeld(SLOT));
    expect(delivery.heldBytes(SLOT)).toBe(bytes);
    delivery.post(SLOT, posted);
  }

  /** Time passes and the application takes everything. */
  finish(): void {
    const { app } = this;
    app.takes = length => length;
    app.onComplete = () => {};
    app.delivery.flush(SLOT, NdisStatus.Success);
    app.delivery.resume(SLOT);
  }
}

test('whatever happens: every byte once, in order, never past a receive; receives in order (E01, E02, E03, E04, E05)', () => {
  let completed = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const chance = new Chance(seed);
    for (let i = 0; i < 120; i++) {
      chance.step();
      const { app } = chance;
      expect(app.received + app.delivery.heldBytes(SLOT), `seed ${seed}, step ${i}`).toBe(app.arrivedBytes);
      // Bytes and a receive do not wait for each other.
      expect(app.posted > 0 && app.delivery.hasHeld(SLOT), `seed ${seed}, step ${i}`).toBe(false);
    }
    chance.finish();
    expect(chance.app.received, `seed ${seed}`).toBe(chance.app.arrivedBytes);
    expect(chance.app.posted, `seed ${seed}`).toBe(0);
    expect(chance.app.free, `seed ${seed}`).toBe(COUNT);
    completed += chance.app.completions.length;
  }
  expect(completed).toBeGreaterThan(1000);
});
