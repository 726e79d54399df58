/**
 * The rules of state operations (digest §3.2–§3.6, §3.10): what the host may issue on an object while something else is
 * under way, and how the device has to complete it.
 *
 * The host is judged in the order in which it issues calls, the device in the order of its completions: what crosses on the
 * rings has been in order on both sides.
 */
import { isOffloaded, NdisStatus, statusName } from '../../base/status.ts';
import { BlockRole, OffloadStateType } from '../../offload/block-list.ts';
import { mayOffload } from '../../tcp/tcb.ts';
import type { BlockReader, CheckedBlock } from './block-reader.ts';
import { type BufferLedger, Custody, type LedgerOwner } from './buffer-ledger.ts';
import { CheckedObject, type CheckedObjects, Phase, TCP_LAYER, violation } from './checked-object.ts';
import { wrongInitiateStatus } from './initiate-statuses.ts';
import { checkProgress } from './progress.ts';
import { checkTerminate, terminated } from './terminate-rules.ts';

export type OperationKind = 'initiate' | 'terminate' | 'update' | 'invalidate' | 'query' | 'load';

interface Operation {
  readonly kind: OperationKind;
  readonly root: number;
  readonly blocks: readonly CheckedBlock[];
}

export interface Checked {
  readonly owner: LedgerOwner;
  readonly objects: CheckedObjects;
  readonly ledger: BufferLedger;
  readonly reader: BlockReader;
}

export class OperationRules {
  readonly #checked: Checked;
  /** By root, and the root of each block. */
  readonly #operations = new Map<number, Operation>();
  readonly #rootOf = new Map<number, number>();

  constructor(checked: Checked) {
    this.#checked = checked;
  }

  /** Roots of the lists that wait for their completion. */
  get pending(): string[] {
    return [...this.#operations.values()].map(({ kind, root }) => `${kind} (list ${root})`);
  }

  /** New objects of a layer in lists under way. */
  offered(layer: number): number {
    let count = 0;
    for (const { kind, blocks } of this.#operations.values()) {
      if (kind !== 'initiate') continue;
      for (const block of blocks) if (block.layer === layer && isOffered(block)) count++;
    }
    return count;
  }

  // --- the host issues ---

  issued(kind: OperationKind, root: number): void {
    const { objects, reader } = this.#checked;
    const here = `${kind} (list ${root})`;
    const blocks = reader.read(root);
    if (blocks === null) violation(objects, `${here}: it is no tree of blocks`);
    for (const { address, layer, parent } of blocks) {
      const other = this.#rootOf.get(address);
      if (other !== undefined) violation(objects, `${here}: block ${address} is still in list ${other} (digest §2.3)`);
      if (parent !== null && layer >= 0 && parent.layer >= 0 && layer !== parent.layer + 1) {
        violation(objects, `${here}: block ${address} skips a layer (digest §2.3)`);
      }
    }
    for (const { address } of blocks) this.#rootOf.set(address, root);
    const operation = { kind, root, blocks };
    this.#operations.set(root, operation);
    for (const block of blocks) {
      if (block.role === BlockRole.Placeholder || block.layer < 0) continue;
      if (kind === 'initiate' && isOffered(block)) this.#offer(block, root);
      else this.#address(operation, block);
    }
    if (kind === 'terminate') checkTerminate(this.#checked, root, blocks);
  }

  /** A new object: it depends on its parent from now on, and its send data is the device's (§2.2). */
  #offer(block: CheckedBlock, root: number): void {
    const { objects } = this.#checked;
    const object = new CheckedObject(block.layer, block.context, root);
    block.object = object;
    if (block.handle !== 0) violation(objects, `initiate (list ${root}): ${object.name} is new and has a handle`);
    objects.offer(object);
    object.moveTo(parentObject(block));
    if (block.layer === TCP_LAYER && block.role === BlockRole.New) this.#giveState(block, object);
  }

  /** The state behind a connection's block: with the offer, or (Figure 3) when room has been made. */
  #giveState(block: CheckedBlock, object: CheckedObject): void {
    const { owner, objects, ledger, reader } = this.#checked;
    const state = reader.tcpState(block);
    if (!mayOffload(state)) violation(objects, `initiate of ${object.name} in TCP state ${state} (A20)`);
    const progress = reader.progress(block);
    const before = objects.lastSeen(object.context);
    if (before !== null) checkProgress(objects, object, 'its next offload', before, progress);
    object.progress = progress;
    object.inheritedFin = reader.finSent(block);
    for (const buffer of reader.sendChain(block)) {
      ledger.enter(owner, buffer, Custody.Send, object);
      object.sends.add(buffer);
      if (reader.isDisconnect(buffer)) object.inheritedFin = true;
    }
    for (const buffer of reader.postedReceives(block)) {
      ledger.enter(owner, buffer, Custody.Receive, object);
      object.receives.add(buffer);
    }
  }

  /** An operation on an object that the device has. */
  #address(operation: Operation, block: CheckedBlock): void {
    const { objects } = this.#checked;
    const { kind, root } = operation;
    const here = `${kind} (list ${root})`;
    const object = objects.find(block.layer, block.handle);
    if (object === undefined) {
      const layer = ['neighbor', 'path', 'connection'][block.layer];
      violation(objects, `${here} names ${layer} 0x${block.handle.toString(16)}, which is not there (A11)`);
    }
    block.object = object;
    if (object.phase !== Phase.Offloaded) violation(objects, `${here} of ${object.name} (digest §3.10)`);
    switch (kind) {
      case 'initiate':
        if (block.layer === TCP_LAYER) violation(objects, `${here}: ${object.name} cannot be a linker (digest §2.2)`);
        if (block.dependents.length === 0)
          violation(objects, `${here}: linker ${object.name} carries nothing (digest §2.2)`);
        object.links++;
        return;
      case 'update':
        this.#update(root, block, object);
        return;
      case 'invalidate':
        object.invalidates++;
        object.invalidated = true;
        return;
      case 'query':
        object.queries++;
        return;
      case 'load':
        if (object.used) violation(objects, `${here} of ${object.name}, which is in use already (Figure 3)`);
        object.phase = Phase.Offloading;
        object.root = root;
        if (block.layer === TCP_LAYER) this.#giveState(block, object);
        return;
      case 'terminate':
    }
  }

  /** A value update, or a relink: a new neighbor with the paths that move to it (§3.4). */
  #update(root: number, block: CheckedBlock, object: CheckedObject): void {
    const { objects } = this.#checked;
    const here = `update (list ${root})`;
    if (object.invalidated) violation(objects, `${here} of ${object.name}, which was invalidated (C12)`);
    if (isReference(block)) {
      object.links++;
      return;
    }
    if (object.update !== 0)
      violation(objects, `${here} of ${object.name}, whose update (list ${object.update}) is under way (C10)`);
    object.update = root;
    // Until the completion it depends on both.
    const parent = parentObject(block);
    if (parent !== null) parent.dependents.add(object);
  }

  // --- the device completes ---

  completed(kind: OperationKind, root: number): void {
    const { objects, reader } = this.#checked;
    const here = `${kind} complete (list ${root})`;
    const operation = this.#operations.get(root);
    if (operation === undefined) {
      const list = this.#rootOf.get(root);
      if (list !== undefined) violation(objects, `${here}: that is a block of list ${list}, not its root (A17)`);
      violation(objects, `${here}: there is no such operation, or it was completed before (A17)`);
    }
    if (operation.kind !== kind) violation(objects, `${here}: the list is that of a ${operation.kind} (A17)`);
    this.#operations.delete(root);
    for (const block of operation.blocks) {
      this.#rootOf.delete(block.address);
      const { address } = block;
      if (!reader.takeStatus(block)) violation(objects, `${here}: the links of block ${address} changed (digest §2.1)`);
      const isPending = block.status === NdisStatus.Pending;
      if (isPending) violation(objects, `${here}: block ${address} has no status (digest §2.1)`);
    }
    for (const block of operation.blocks) this.#checkStatus(kind, here, block);
    if (kind === 'terminate') terminated(this.#checked, root, operation.blocks);
    else for (const block of operation.blocks) if (block.object !== null) this.#answer(kind, block, block.object);
  }

  #checkStatus(kind: OperationKind, here: string, block: CheckedBlock): void {
    const { objects } = this.#checked;
    const { address, status, role, layer } = block;
    if (kind === 'initiate') {
      const wrong = wrongInitiateStatus(block);
      if (wrong !== null) violation(objects, `${here}: block ${address}: ${wrong} (digest §2.4)`);
    } else if (layer >= 0 && status !== NdisStatus.Success) {
      // Figure 3: what found room may still be refused when its state comes.
      if (kind === 'load' && !isOffloaded(status)) return;
      if (status === NdisStatus.Failure && role !== BlockRole.Placeholder) return;
      violation(objects, `${here}: block ${address} is ${statusName(status)} (digest §3.2)`);
    }
  }

  #answer(kind: OperationKind, block: CheckedBlock, object: CheckedObject): void {
    switch (kind) {
      case 'initiate':
        if (isOffered(block)) this.#offered(block, object);
        else object.links--;
        return;
      case 'update':
        this.#updated(block, object);
        return;
      case 'invalidate':
        object.invalidates--;
        return;
      case 'query':
        object.queries--;
        this.#queried(block, object);
        return;
      case 'load':
        if (!isOffloaded(block.status)) this.#refused(object);
        else object.phase = Phase.Offloaded;
        return;
      case 'terminate':
    }
  }

  #offered(block: CheckedBlock, object: CheckedObject): void {
    const { objects, reader } = this.#checked;
    const handle = reader.handleOf(block);
    if (isOffloaded(block.status)) {
      objects.taken(object, handle);
      return;
    }
    if (handle !== 0)
      violation(objects, `initiate complete: ${object.name} was refused, and has a handle (digest §2.2)`);
    this.#refused(object);
  }

  /** A06: what it was to take with it is still the host's. */
  #refused(object: CheckedObject): void {
    this.#checked.ledger.forget(object.sends);
    this.#checked.ledger.forget(object.receives);
    this.#checked.objects.forget(object);
  }

  #updated(block: CheckedBlock, object: CheckedObject): void {
    if (isReference(block)) {
      object.links--;
      return;
    }
    object.update = 0;
    const parent = parentObject(block);
    if (parent === null) return;
    if (block.status === NdisStatus.Success) object.moveTo(parent);
    else if (parent !== object.parent) parent.dependents.delete(object);
  }

  /** C14: values of queries only move forward. TsTime is only filled in at a hand-over. */
  #queried(block: CheckedBlock, object: CheckedObject): void {
    const { objects, reader } = this.#checked;
    const isFull = block.type === OffloadStateType.Tcp || block.type === OffloadStateType.TcpDelegated;
    if (!isFull || block.status !== NdisStatus.Success || object.progress === null) return;
    const progress = reader.progress(block, false);
    checkProgress(objects, object, 'a query', object.progress, progress);
    object.progress = { ...progress, tsTime: object.progress.tsTime };
  }
}

/** An object that the device is to take, or to make room for. */
function isOffered({ role }: CheckedBlock): boolean {
  return role === BlockRole.New || role === BlockRole.Reserve;
}

/** The object that a block's object depends on, over blocks that carry none. */
function parentObject(block: CheckedBlock): CheckedObject | null {
  for (let above = block.parent; above !== null; above = above.parent) if (above.object !== null) return above.object;
  return null;
}

/** The root of a relink only says where the paths go. */
function isReference(block: CheckedBlock): boolean {
  return block.type === OffloadStateType.Neighbor && block.dependents.length > 0;
}
