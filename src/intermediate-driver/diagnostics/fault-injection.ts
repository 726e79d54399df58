/**
 * The fault-injection layer of R33: patches of single entries that hold calls back, repeat them, drop them, or have the
 * device's answer to an operation say that it failed.
 *
 *   const faults = new FaultInjection(adapter, { memory, blocks, prng });
 *   faults.delay('updateOffloadComplete');                       // held until release(), in order
 *   faults.delay('tcpOffloadForwardComplete', { calls: 3 });     // each held until three more have come
 *   faults.fail('initiateOffloadComplete', NdisStatus.Resources, { probability: 0.1 });
 *   faults.release();
 *   faults.remove();
 *
 * Each method returns the undo of its one patch; undos run in any order, also with those of other layers (R32). What was
 * held when a delay is undone is let go. With a probability a fault strikes by the seeded generator, so that a run can be
 * repeated.
 */
import type { Prng } from '../../base/prng.ts';
import { NdisStatus } from '../../base/status.ts';
import type { Adapter, ClientTable } from '../../host/ndis.ts';
import type { Memory, Region } from '../../memory/memory.ts';
import { Block, BlockRole, BlockWalk } from '../../offload/block-list.ts';
import { type EntryName, patchEntry } from './monitor.ts';

type Completion = Extract<keyof ClientTable, `${string}OffloadComplete`>;

export interface FaultOptions {
  /** Of the calls, how many it strikes; 1 if left out. */
  readonly probability?: number;
  /** Strikes this many calls, then no more. */
  readonly times?: number;
}

export interface DelayOptions extends FaultOptions {
  /** Lets a held call go when this many more have come to the same entry; without, only `release` does. */
  readonly calls?: number;
}

/** What faults need to know of the machine. */
export interface FaultSurroundings {
  readonly memory: Memory;
  /** Where block lists lie. */
  readonly blocks: Region;
  readonly prng: Prng;
}

interface Held {
  readonly entry: EntryName;
  readonly go: () => void;
  /** Calls of the entry still to come before it goes; -1: until release. */
  left: number;
}

export class FaultInjection {
  readonly #adapter: Adapter;
  readonly #prng: Prng;
  readonly #walk: BlockWalk;
  readonly #block;
  #held: Held[] = [];
  readonly #undo = new Set<() => void>();
  /** Calls that a fault struck. */
  struck = 0;

  constructor(adapter: Adapter, { memory, blocks, prng }: FaultSurroundings) {
    this.#adapter = adapter;
    this.#prng = prng;
    this.#walk = new BlockWalk(memory, blocks);
    this.#block = Block.view(memory);
  }

  /** Calls that are held now. */
  get holding(): number {
    return this.#held.length;
  }

  /** Holds calls back. One entry keeps its order: behind a held call every later one waits as well. */
  delay(entry: EntryName, options: DelayOptions = {}): () => void {
    const { calls = -1 } = options;
    const strikes = this.#dice(options);
    const undo = this.#patch(entry, next => (...args) => {
      for (const held of this.#held) if (held.entry === entry && held.left > 0) held.left--;
      this.#letGo(entry);
      const isBehind = this.#held.some(held => held.entry === entry);
      const isStruck = strikes();
      if (!isBehind && !isStruck) next(...args);
      else this.#held.push({ entry, go: () => next(...args), left: isStruck ? calls : 0 });
    });
    return () => {
      undo();
      this.release(entry);
    };
  }

  /** Makes calls twice: what a broken device would do with a completion. */
  duplicate(entry: EntryName, options: FaultOptions = {}): () => void {
    const strikes = this.#dice(options);
    return this.#patch(entry, next => (...args) => {
      next(...args);
      if (strikes()) next(...args);
    });
  }

  /** Loses calls. */
  drop(entry: EntryName, options: FaultOptions = {}): () => void {
    const strikes = this.#dice(options);
    return this.#patch(entry, next => (...args) => {
      if (!strikes()) next(...args);
    });
  }

  /**
   * Has the completion of an operation say that its blocks failed with `status`, placeholders apart. Of an initiate the
   * device keeps what it took: the host believes it refused, as when a device loses its answer.
   */
  fail(completion: Completion, status: NdisStatus, options: FaultOptions = {}): () => void {
    const strikes = this.#dice(options);
    return this.#patch(completion, next => root => {
      if (strikes()) this.#fail(root!, status, completion === 'initiateOffloadComplete');
      next(root!);
    });
  }

  /** Lets held calls go, in order: of one entry, or all. */
  release(entry?: EntryName): void {
    const going = this.#held.filter(held => entry === undefined || held.entry === entry);
    this.#held = this.#held.filter(held => !going.includes(held));
    for (const { go } of going) go();
  }

  /** Takes every fault out and lets go what was held. */
  remove(): void {
    for (const undo of this.#undo) undo();
    this.#undo.clear();
    this.release();
  }

  #patch(entry: EntryName, wrap: (next: (...args: number[]) => void) => (...args: number[]) => void): () => void {
    const undo = patchEntry(this.#adapter, entry, wrap);
    this.#undo.add(undo);
    return undo;
  }

  /** Those at the head of an entry's queue whose time has come. */
  #letGo(entry: EntryName): void {
    for (;;) {
      const index = this.#held.findIndex(held => held.entry === entry);
      if (index < 0 || this.#held[index]!.left !== 0) return;
      const [held] = this.#held.splice(index, 1);
      held!.go();
    }
  }

  #dice({ probability = 1, times = Number.MAX_SAFE_INTEGER }: FaultOptions): () => boolean {
    let left = times;
    return () => {
      if (left === 0 || (probability < 1 && !this.#prng.chance(probability))) return false;
      left--;
      this.struck++;
      return true;
    };
  }

  #fail(root: number, status: NdisStatus, isInitiate: boolean): void {
    for (let at = this.#walk.start(root); at !== 0; at = this.#walk.next()) {
      const block = this.#block.at(at);
      if (block.role === BlockRole.Placeholder) continue;
      block.status = isInitiate && block.role === BlockRole.Linker ? NdisStatus.Failure : status;
      if (isInitiate && block.role === BlockRole.New) block.offloadHandle = 0;
    }
  }
}
