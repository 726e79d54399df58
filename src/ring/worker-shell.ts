/**
 * The shell of a worker thread: runs a component's poll loop and serves its control plane beside it.
 *
 * Control messages (comlink) come through the thread's event loop, which a poll loop would starve and a sleeping thread
 * does not run. So the sender counts each message in a shared word and rings the doorbell; the loop sees the count ahead
 * of what has been taken, and gives the event loop its turn.
 */
import { type MessagePort, parentPort } from 'node:worker_threads';
import type { Clock } from '../base/clock.ts';
import type { Memory, Region } from '../memory/memory.ts';
import { DoorbellSleeper } from './doorbell.ts';
import { type Polled, pollBurst } from './poll-loop.ts';

export interface ShellOptions {
  readonly doorbell: Region;
  /** Address of the word in which the host counts control messages. */
  readonly controlAddress: number;
  readonly budget: number;
  readonly sleepMaxMs: number;
  readonly spins: number;
}

export class WorkerShell {
  readonly #i32: Int32Array;
  readonly #control: number;
  #taken = 0;
  #stopped = false;
  #crash: Error | null = null;

  constructor(memory: Memory, options: ShellOptions) {
    this.#i32 = memory.i32;
    this.#control = options.controlAddress >> 2;
    port().on('message', () => this.#taken++);
  }

  /** Polls the component until `stop`, then lets the thread end. */
  run(memory: Memory, component: Polled, clock: Clock, options: ShellOptions): void {
    const sleeper = new DoorbellSleeper(memory, options.doorbell);
    const loop = {
      budget: options.budget,
      sleepMaxMs: options.sleepMaxMs,
      spins: options.spins,
      controlPending: () => Atomics.load(this.#i32, this.#control) !== this.#taken,
      stopped: () => this.#stopped,
    };
    const turn = (): void => {
      pollBurst(component, clock, sleeper, loop);
      if (this.#crash !== null) throw this.#crash;
      if (this.#stopped) port().close();
      else setImmediate(turn);
    };
    turn();
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Ends the thread by this error, as soon as the call that asked for it is answered. */
  crash(error: Error): void {
    this.#crash = error;
    this.#stopped = true;
  }
}

function port(): MessagePort {
  if (parentPort === null) throw new Error('a worker shell runs in a worker');
  return parentPort;
}
