/**
 * The checker of one adapter (R5, R33; digest §3.10, §8.2): a layer between those above and the device below that lets
 * every call through and keeps both to the rules.
 *
 *   operation-rules.ts   state operations: what may overlap, statuses, handles, dependents
 *   terminate-rules.ts   what must be over before a terminate, and what must be done when it completes
 *   data-rules.ts        frames, data calls, indications
 *   buffer-ledger.ts     who has which buffer
 *
 * A broken rule throws an AssertionError whose sentence names the object, what was done and what it collided with. The checker
 * sees calls as the host issues them and completions as they come up; of a device that was given up it expects nothing.
 */
import type { Memory, Region } from '../../memory/memory.ts';
import { type Adapter, type ClientTable, patch, type ProviderTable } from '../../host/ndis.ts';
import { BlockReader } from './block-reader.ts';
import { BufferLedger } from './buffer-ledger.ts';
import { CheckedObjects, Phase, violation } from './checked-object.ts';
import { DataRules } from './data-rules.ts';
import { type Checked, type OperationKind, OperationRules } from './operation-rules.ts';

const OPERATIONS = ['initiate', 'terminate', 'update', 'invalidate', 'query'] as const;

export interface CheckerOptions {
  /** Shared by the adapters of a level. */
  readonly ledger?: BufferLedger;
  /** The device was given up: nothing more is expected of it. */
  readonly isDead?: () => boolean;
}

export class OffloadChecker {
  readonly adapter: Adapter;
  readonly objects: CheckedObjects;
  readonly ledger: BufferLedger;
  /** Calls and completions looked at. */
  checked = 0;
  readonly #isDead: () => boolean;
  readonly #operations: OperationRules;
  readonly #data: DataRules;
  readonly #undo: (() => void)[] = [];

  constructor(memory: Memory, blocks: Region, adapter: Adapter, options: CheckerOptions = {}) {
    const { ledger = new BufferLedger(), isDead = () => false } = options;
    this.adapter = adapter;
    this.ledger = ledger;
    this.objects = new CheckedObjects(adapter.name);
    this.#isDead = isDead;
    const owner = { name: adapter.name, isDead };
    const checked: Checked = { owner, objects: this.objects, ledger, reader: new BlockReader(memory, blocks) };
    this.#operations = new OperationRules(checked);
    this.#data = new DataRules(checked);
  }

  /** Objects of a layer that the device has for certain, and those that it may have. */
  count(layer: number): { certain: number; possible: number } {
    let certain = 0;
    let possible = 0;
    for (const { phase } of this.objects.ofLayer(layer)) {
      if (phase === Phase.Offloaded) certain++;
      possible++;
    }
    return { certain, possible: possible + this.#operations.offered(layer) };
  }

  /** Begins to watch; the layers that patched before are between it and the device. Idempotent: it moves to the top. */
  attach(): this {
    this.detach();
    this.#watchOperations();
    this.#watchCalls();
    this.#watchAnswers();
    return this;
  }

  detach(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }

  /** Nothing is under way, and the device has nothing. */
  checkEnd(): void {
    if (this.#isDead()) return;
    const [operation] = this.#operations.pending;
    if (operation !== undefined) violation(this.objects, `${operation} was never completed (invariant 3)`);
    for (const layer of [2, 1, 0]) {
      for (const object of this.objects.ofLayer(layer))
        violation(this.objects, `${object.name} was left on the device (invariant 10)`);
    }
    for (const [buffer, { owner, custody }] of this.ledger.outstanding()) {
      violation(this.objects, `${custody} of buffer ${buffer} through ${owner.name} was never answered (invariant 3)`);
    }
  }

  // --- the hooks ---

  /** The rule first, then the call: what breaks a rule goes no further. */
  #before<T extends ProviderTable | ClientTable, K extends keyof T & string>(
    table: T,
    name: K,
    rule: (...args: T[K] extends (...args: infer A) => void ? A : never) => void,
  ): void {
    const wrap =
      (next: (...args: unknown[]) => void) =>
      (...args: unknown[]): void => {
        this.checked++;
        if (!this.#isDead()) (rule as (...args: unknown[]) => void)(...args);
        next(...args);
      };
    this.#undo.push(patch(table, name, wrap as unknown as (next: T[K]) => T[K]));
  }

  #watchOperations(): void {
    const { down, up } = this.adapter;
    const operations = this.#operations;
    for (const kind of OPERATIONS) {
      this.#before(down, `${kind}Offload`, root => operations.issued(kind, root));
      this.#before(up, `${kind}OffloadComplete`, root => operations.completed(kind, root));
    }
    const load: OperationKind = 'load';
    this.#before(down, 'loadOffloadState', root => operations.issued(load, root));
    this.#before(up, 'loadOffloadStateComplete', root => operations.completed(load, root));
  }

  #watchCalls(): void {
    const { down } = this.adapter;
    const data = this.#data;
    this.#before(down, 'sendFrame', buffer => data.sendFrame(buffer));
    this.#before(down, 'returnBuffer', buffer => data.returnBuffer(buffer));
    this.#before(down, 'tcpOffloadSend', (handle, chain) => data.send(handle, chain));
    this.#before(down, 'tcpOffloadReceive', (handle, chain) => data.receive(handle, chain));
    this.#before(down, 'tcpOffloadDisconnect', (handle, chain, flags) => data.disconnect(handle, chain, flags));
    this.#before(down, 'tcpOffloadForward', (handle, buffer) => data.forward(handle, buffer));
    this.#before(down, 'tcpIndicationRefused', (_handle, buffer) => data.indicationRefused(buffer));
  }

  #watchAnswers(): void {
    const { up } = this.adapter;
    const data = this.#data;
    this.#before(up, 'sendFrameComplete', buffer => data.sendFrameComplete(buffer));
    this.#before(up, 'receiveFrame', buffer => data.receiveFrame(buffer));
    this.#before(up, 'tcpOffloadSendComplete', (context, buffer, status) => data.sendComplete(context, buffer, status));
    this.#before(up, 'tcpOffloadReceiveComplete', (context, buffer, status) =>
      data.receiveComplete(context, buffer, status),
    );
    this.#before(up, 'tcpOffloadDisconnectComplete', (context, buffer, status) =>
      data.disconnectComplete(context, buffer, status),
    );
    this.#before(up, 'tcpOffloadForwardComplete', (context, buffer, status) =>
      data.forwardComplete(context, buffer, status),
    );
    this.#before(up, 'indicateReceive', (context, buffer) => data.indicateReceive(context, buffer));
    this.#before(up, 'indicateEvent', (context, event, argument) => data.indicateEvent(context, event, argument));
    this.#before(up, 'indicateOffloadEvent', context => data.indicateOffloadEvent(context));
  }
}
