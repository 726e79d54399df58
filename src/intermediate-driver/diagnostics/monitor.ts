/**
 * The diagnostics layer of R33: counts and traces every call that passes an adapter, in both directions, and nothing else.
 *
 *   const monitor = new Monitor(adapter, trace);   // it counts from now on
 *   monitor.count('tcpOffloadSend');
 *   monitor.remove();
 *
 * It is a patch of each entry (R32): inserted at run time between any two layers, removed in any order with others.
 */
import type { Trace } from '../../base/trace.ts';
import { type Adapter, type ClientTable, patch, type ProviderTable } from '../../host/ndis.ts';

/** An entry of an adapter's tables: a call down, or a call up. */
export type EntryName = keyof ProviderTable | keyof ClientTable;

type Entry = (...args: number[]) => void;

/** Puts `wrap` around an entry, whichever of the two tables it is in. Returns the undo. */
export function patchEntry(adapter: Adapter, name: EntryName, wrap: (next: Entry) => Entry): () => void {
  const table = (name in adapter.down ? adapter.down : adapter.up) as unknown as Record<string, Entry>;
  return patch(table, name, wrap);
}

function entriesOf(adapter: Adapter): EntryName[] {
  return [...Object.keys(adapter.down), ...Object.keys(adapter.up)] as EntryName[];
}

export class Monitor {
  readonly #counts = new Map<EntryName, number>();
  readonly #undo: (() => void)[];
  /** Gets each call with its arguments, or null: only counted. */
  trace: Trace | null;

  constructor(adapter: Adapter, trace: Trace | null = null) {
    this.trace = trace;
    this.#undo = entriesOf(adapter).map(name => {
      const isDown = name in adapter.down;
      const [actor, to] = isDown ? ['ndis', adapter.name] : [adapter.name, 'ndis'];
      return patchEntry(adapter, name, next => (...args) => {
        this.#counts.set(name, this.count(name) + 1);
        this.trace?.emit(actor!, to!, `${name}(${args.join(', ')})`);
        next(...args);
      });
    });
  }

  /** Calls of an entry so far. */
  count(name: EntryName): number {
    return this.#counts.get(name) ?? 0;
  }

  /** Of every entry that was called. */
  counts(): Partial<Record<EntryName, number>> {
    return Object.fromEntries(this.#counts);
  }

  /** Stops counting; the counts stay. */
  remove(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }
}
