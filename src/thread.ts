/**
 * A worker thread of the machine as the host sees it: start, control plane, death.
 *
 * Control calls go through comlink; each message is counted in a word that the worker polls, and the doorbell is rung
 * (ring/worker-shell.ts). A thread that dies tells so once through `onDeath`; pending control calls then reject.
 */
import { type Endpoint, type Remote, wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { Worker } from 'node:worker_threads';
import { ChimneyError } from './base/errors.ts';
import type { Memory, Region } from './memory/memory.ts';
import { NicStatus } from './ring/nic-layout.ts';
import { Doorbell } from './ring/doorbell.ts';

const START_MAX_MS = 15_000;
const STOP_MAX_MS = 1000;

export interface ThreadOptions {
  readonly name: string;
  readonly script: URL;
  readonly workerData: unknown;
  readonly memory: Memory;
  readonly doorbell: Region;
  readonly status: Region;
  /** The thread ended without being stopped. */
  onDeath(name: string, reason: string): void;
}

export class MachineThread<Control> {
  readonly name: string;
  readonly control: Remote<Control>;
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  #stopping = false;
  #dead = false;
  #reason = '';
  #rejectPending: (error: Error) => void = () => {};
  readonly #died: Promise<never>;

  constructor(options: ThreadOptions) {
    const { name, memory, status } = options;
    this.name = name;
    this.#worker = new Worker(options.script, { workerData: options.workerData, name: `chimney ${name}` });
    const bell = new Doorbell(memory, options.doorbell);
    const counter = (status.offset + NicStatus.offset.control) >> 2;
    const endpoint = nodeEndpoint(this.#worker);
    const counted: Endpoint = {
      ...endpoint,
      postMessage: (message, transfer) => {
        endpoint.postMessage(message, transfer);
        Atomics.add(memory.i32, counter, 1);
        bell.ring();
      },
    };
    this.control = wrap<Control>(counted);
    this.#died = new Promise((_, reject) => (this.#rejectPending = reject));
    this.#died.catch(() => {});
    this.ready = this.#whenReady();
    this.#exited = new Promise(resolve => {
      this.#worker.once('exit', code => {
        this.#dead = true;
        if (!this.#stopping) {
          const reason = this.#reason === '' ? `exit code ${code}` : this.#reason;
          this.#rejectPending(new ChimneyError('ERR_CHIMNEY_THREAD_DIED', `thread ${name} died: ${reason}`));
          options.onDeath(name, reason);
        }
        resolve();
      });
    });
    this.#worker.on('error', error => {
      this.#reason = error.message;
    });
  }

  get isDead(): boolean {
    return this.#dead;
  }

  /** A control call that ends even if the thread does. */
  async call<T>(request: (control: Remote<Control>) => Promise<T>): Promise<T> {
    return Promise.race([request(this.control), this.#died]);
  }

  async #whenReady(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(
          new ChimneyError('ERR_CHIMNEY_START', `thread ${this.name} did not start within ${START_MAX_MS / 1000} s`),
        );
      }, START_MAX_MS);
    });
    const ready = new Promise<void>(resolve => {
      const listener = (message: { ready?: string }): void => {
        if (message.ready === undefined) return;
        this.#worker.off('message', listener);
        resolve();
      };
      this.#worker.on('message', listener);
    });
    try {
      await Promise.race([ready, late, this.#died]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the thread: asked first, after `patienceMs` terminated. Never throws, never waits for ever. */
  async stop<T>(ask: (control: Remote<Control>) => Promise<T>, patienceMs = STOP_MAX_MS): Promise<T | undefined> {
    this.#stopping = true;
    if (this.#dead) return undefined;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>(resolve => {
      timer = setTimeout(() => resolve(undefined), patienceMs);
    });
    // What it says last may come in one turn with its exit, and the way of an answer is the longer one.
    const silent = this.#exited.then(() => new Promise<undefined>(resolve => setImmediate(() => resolve(undefined))));
    const answer = await Promise.race([ask(this.control).catch(() => undefined), late, silent]);
    await Promise.race([this.#exited, late]);
    clearTimeout(timer);
    if (!this.#dead) await this.#worker.terminate();
    return answer;
  }
}
