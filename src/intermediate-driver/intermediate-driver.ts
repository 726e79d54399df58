/**
 * Base of intermediate drivers (R36): a protocol to the adapters below, a miniport to the stack above.
 *
 *        stack            stack            The stack binds to virtual adapters and cannot tell.
 *     virtual 0 …      virtual n           Calls down: `routeOut` picks the member; handles are translated.
 *   ──────── intermediate driver ────────
 *     member 0  …      member m            Calls up: `routeIn` picks the virtual adapter; handles are translated.
 *
 * At bind it takes the members' client tables; each virtual adapter starts with a dispatch table that goes through here,
 * and what a driver adds it adds by patching entries of that table (R32). Every call entry remembers the blocks of its
 * tree in walk order, so that a tree goes back up exactly as it came down (F01).
 */
import { isOffloaded, NdisStatus } from '../base/status.ts';
import type { Memory, Region } from '../memory/memory.ts';
import { NetBuffer } from '../memory/net-buffer.ts';
import type { Cursor } from '../memory/record.ts';
import { Block, BlockRole, BlockWalk, type BlockCursor, layerOf } from '../offload/block-list.ts';
import { Adapter, type ClientTable, type ProviderTable } from '../host/ndis.ts';
import { OffloadEntries } from './offload-entries.ts';

const NO_ENTRY = -1;

export interface CallEntry {
  readonly operation: keyof OperationTable;
  readonly root: number;
  readonly virtual: number;
  readonly member: number;
  /** Entry of each block in walk order, -1 for blocks without one. */
  readonly entries: number[];
  /** ndisOffloadHandle of each block as it came down. */
  readonly upperHandles: number[];
}

type OperationTable = Pick<
  ProviderTable,
  'initiateOffload' | 'terminateOffload' | 'updateOffload' | 'invalidateOffload' | 'queryOffload' | 'loadOffloadState'
>;

const COMPLETIONS = {
  initiateOffload: 'initiateOffloadComplete',
  terminateOffload: 'terminateOffloadComplete',
  updateOffload: 'updateOffloadComplete',
  invalidateOffload: 'invalidateOffloadComplete',
  queryOffload: 'queryOffloadComplete',
  loadOffloadState: 'loadOffloadStateComplete',
} as const;

export abstract class IntermediateDriver {
  readonly members: readonly Adapter[];
  readonly virtuals: Adapter[] = [];
  protected readonly memory: Memory;
  protected readonly buffer: Cursor<typeof NetBuffer.fields>;
  protected readonly entries: OffloadEntries;
  protected readonly calls = new Map<number, CallEntry>();
  readonly #walk: BlockWalk;
  readonly #block: BlockCursor;
  /** Pool id → member that its buffers go back to. */
  readonly #memberOfPool = new Map<number, number>();

  constructor(memory: Memory, blocks: Region, members: readonly Adapter[]) {
    this.memory = memory;
    this.members = members;
    this.entries = new OffloadEntries(members.length);
    this.buffer = NetBuffer.view(memory);
    this.#walk = new BlockWalk(memory, blocks);
    this.#block = Block.view(memory);
    members.forEach((member, index) => {
      for (const pool of member.poolIds) this.#memberOfPool.set(pool, index);
      member.bind(this.#client(index));
    });
  }

  /** Which member serves new work of this virtual adapter. */
  protected abstract routeOut(virtual: number): number;
  /** Which virtual adapter a frame from this member is for; -1 drops it. */
  protected abstract routeIn(member: number, buffer: number): number;
  /** A status indication from a member. */
  protected abstract statusIndicated(member: number, status: number): void;
  /** True when a member cannot answer any more: its calls are failed instead of sent. */
  protected isDead(_member: number): boolean {
    return false;
  }
  /** A call to a dead member, to be failed once the caller has returned. */
  protected deferFailure(_call: CallEntry): void {}
  /** Entries of a member came or went. */
  protected entriesChanged(): void {}

  /** Makes a virtual adapter whose calls go through this driver. */
  protected addVirtual(name: string, macHi: number, macLo: number, mtu: number): Adapter {
    const index = this.virtuals.length;
    const adapter = new Adapter(name, macHi, macLo, mtu, this.#provider(index));
    for (const member of this.members) adapter.poolIds.push(...member.poolIds);
    this.virtuals.push(adapter);
    return adapter;
  }

  /** Connections that a member has now. */
  protected connectionsOn(member: number): number {
    return this.entries.connectionsPerMember[member]!;
  }

  // --- for statistics and checks ---

  /** Requests that went down and were not answered yet. */
  get callsPending(): number {
    return this.calls.size;
  }

  /** Objects that a member has, of all layers. */
  entriesOn(member: number): number {
    return this.entries.perMember[member]!;
  }

  /** The member that has the object of this handle, -1 when the handle is stale. */
  memberOf(handle: number): number {
    const entry = this.entries.entryOf(handle);
    return entry < 0 ? -1 : this.entries.member[entry]!;
  }

  /** The handle below of a handle above, 0 when it is stale. */
  lowerOf(handle: number): number {
    const entry = this.entries.entryOf(handle);
    return entry < 0 ? 0 : this.entries.lower[entry]!;
  }

  /** The handle above of a context below, 0 when it is stale. */
  upperOf(context: number): number {
    const entry = this.entries.entryOf(context);
    return entry < 0 ? 0 : this.entries.upper[entry]!;
  }

  // --- calls down ---

  #provider(virtual: number): ProviderTable {
    const operation = (name: keyof OperationTable) => (root: number) => this.#down(name, virtual, root);
    return {
      sendFrame: buffer => this.members[this.routeOut(virtual)]!.down.sendFrame(buffer),
      returnBuffer: buffer => {
        const member = this.#memberOfPool.get(this.buffer.at(buffer).poolId) ?? 0;
        this.members[member]!.down.returnBuffer(buffer);
      },
      initiateOffload: operation('initiateOffload'),
      terminateOffload: operation('terminateOffload'),
      updateOffload: operation('updateOffload'),
      invalidateOffload: operation('invalidateOffload'),
      queryOffload: operation('queryOffload'),
      loadOffloadState: operation('loadOffloadState'),
      tcpOffloadSend: (handle, chain) => this.#data(handle, (down, lower) => down.tcpOffloadSend(lower, chain)),
      tcpOffloadReceive: (handle, chain) => this.#data(handle, (down, lower) => down.tcpOffloadReceive(lower, chain)),
      tcpOffloadDisconnect: (handle, chain, flags) =>
        this.#data(handle, (down, lower) => down.tcpOffloadDisconnect(lower, chain, flags)),
      tcpOffloadForward: (handle, buffer) => this.#data(handle, (down, lower) => down.tcpOffloadForward(lower, buffer)),
      tcpOffloadReceiveReturn: (handle, bytes) =>
        this.#data(handle, (down, lower) => down.tcpOffloadReceiveReturn(lower, bytes)),
      tcpIndicationRefused: (handle, buffer, consumed) => this.#refused(handle, buffer, consumed),
      setStatistics: family => {
        for (const member of this.members) member.down.setStatistics(family);
      },
      setMac: (hi, lo) => {
        for (const member of this.members) member.down.setMac(hi, lo);
      },
    };
  }

  /** A stale handle goes down as it is and is refused there: one place answers for it. */
  #data(handle: number, call: (down: ProviderTable, lower: number) => void): void {
    const entry = this.entries.entryOf(handle);
    if (entry < 0) call(this.members[0]!.down, 0);
    else call(this.members[this.entries.member[entry]!]!.down, this.entries.lower[entry]!);
  }

  /** The indication's buffer goes back to the member whose it is, also when the connection is no longer there. */
  #refused(handle: number, buffer: number, consumed: number): void {
    const entry = this.entries.entryOf(handle);
    const member = this.#memberOfPool.get(this.buffer.at(buffer).poolId) ?? 0;
    this.members[member]!.down.tcpIndicationRefused(entry < 0 ? 0 : this.entries.lower[entry]!, buffer, consumed);
  }

  #down(operation: keyof OperationTable, virtual: number, root: number): void {
    const entries: number[] = [];
    const upperHandles: number[] = [];
    let member = operation === 'initiateOffload' ? this.routeOut(virtual) : -1;
    const block = this.#block;
    for (let at = this.#walk.start(root); at !== 0; at = this.#walk.next()) {
      block.at(at);
      upperHandles.push(block.ndisOffloadHandle);
      const entry = this.#lower(operation, virtual, member, block);
      entries.push(entry);
      if (member < 0 && entry >= 0) member = this.entries.member[entry]!;
    }
    if (member < 0) member = this.routeOut(virtual);
    const call = { operation, root, virtual, member, entries, upperHandles };
    this.calls.set(root, call);
    if (this.isDead(member)) this.deferFailure(call);
    else this.members[member]!.down[operation](root);
  }

  /** Rewrites one block for the device; returns its entry. */
  #lower(operation: keyof OperationTable, virtual: number, member: number, block: BlockCursor): number {
    if (block.role === BlockRole.Placeholder) return NO_ENTRY;
    if (operation === 'initiateOffload' && isNew(block)) {
      const entry = this.entries.allocate(block.ndisOffloadHandle, virtual, member, layerOf(block.type));
      block.ndisOffloadHandle = this.entries.handleOf(entry);
      return entry;
    }
    const entry = this.entries.entryOf(block.offloadHandle);
    // A stale handle stays stale below: 0 is never a handle.
    block.offloadHandle = entry < 0 ? 0 : this.entries.lower[entry]!;
    return entry;
  }

  // --- completions up ---

  protected completeUp(root: number): void {
    const call = this.calls.get(root);
    if (call === undefined) return;
    this.calls.delete(root);
    const block = this.#block;
    let index = 0;
    for (let at = this.#walk.start(root); at !== 0; at = this.#walk.next(), index++) {
      block.at(at);
      const entry = call.entries[index]!;
      block.ndisOffloadHandle = call.upperHandles[index]!;
      if (entry >= 0) this.#raise(call.operation, entry, block);
    }
    this.virtuals[call.virtual]!.up[COMPLETIONS[call.operation]](root);
    this.entriesChanged();
  }

  /** Rewrites one block for the layer above. */
  #raise(operation: keyof OperationTable, entry: number, block: BlockCursor): void {
    const { entries } = this;
    if (operation === 'initiateOffload' && isNew(block)) {
      if (isOffloaded(block.status)) {
        entries.lower[entry] = block.offloadHandle;
        block.offloadHandle = entries.handleOf(entry);
      } else {
        block.offloadHandle = 0;
        entries.free(entry);
      }
      return;
    }
    block.offloadHandle = entries.handleOf(entry);
    // A state that could not be loaded leaves nothing behind below.
    const isRefused = operation === 'loadOffloadState' && !isOffloaded(block.status);
    if (operation === 'terminateOffload' || isRefused) entries.free(entry);
  }

  /** Fails a call in the member's place: every block that it carries FAILURE, placeholders SUCCESS (F03). */
  protected failCall(call: CallEntry): void {
    const { root } = call;
    // Answered meanwhile, after all; the root may be another call's by now.
    if (this.calls.get(root) !== call) return;
    const block = this.#block;
    for (let at = this.#walk.start(root); at !== 0; at = this.#walk.next()) {
      block.at(at);
      block.status = block.role === BlockRole.Placeholder ? NdisStatus.Success : NdisStatus.Failure;
    }
    this.completeUp(root);
  }

  // --- indications up ---

  #client(member: number): ClientTable {
    const complete = (root: number): void => this.completeUp(root);
    return {
      receiveFrame: buffer => {
        const virtual = this.routeIn(member, buffer);
        if (virtual < 0) this.members[member]!.down.returnBuffer(buffer);
        else this.virtuals[virtual]!.up.receiveFrame(buffer);
      },
      // Frames are known by their buffer, whoever sent them.
      sendFrameComplete: buffer => this.virtuals[0]!.up.sendFrameComplete(buffer),
      initiateOffloadComplete: complete,
      terminateOffloadComplete: complete,
      updateOffloadComplete: complete,
      invalidateOffloadComplete: complete,
      queryOffloadComplete: complete,
      loadOffloadStateComplete: complete,
      tcpOffloadSendComplete: (context, buffer, status) =>
        this.#up(context, (up, upper) => up.tcpOffloadSendComplete(upper, buffer, status)),
      tcpOffloadReceiveComplete: (context, buffer, status) =>
        this.#up(context, (up, upper) => up.tcpOffloadReceiveComplete(upper, buffer, status)),
      tcpOffloadDisconnectComplete: (context, buffer, status) =>
        this.#up(context, (up, upper) => up.tcpOffloadDisconnectComplete(upper, buffer, status)),
      tcpOffloadForwardComplete: (context, buffer, status) =>
        this.#up(context, (up, upper) => up.tcpOffloadForwardComplete(upper, buffer, status)),
      indicateReceive: (context, buffer) => this.#up(context, (up, upper) => up.indicateReceive(upper, buffer)),
      indicateEvent: (context, event, argument) =>
        this.#up(context, (up, upper) => up.indicateEvent(upper, event, argument)),
      indicateOffloadEvent: (context, code, argument) =>
        this.#up(context, (up, upper) => up.indicateOffloadEvent(upper, code, argument)),
      indicateStatus: status => this.statusIndicated(member, status),
    };
  }

  #up(context: number, call: (up: ClientTable, upper: number) => void): void {
    const entry = this.entries.entryOf(context);
    if (entry < 0) call(this.virtuals[0]!.up, 0);
    else call(this.virtuals[this.entries.virtual[entry]!]!.up, this.entries.upper[entry]!);
  }
}

/** An object that the device is asked to take: with its state, or to make room for. */
function isNew(block: BlockCursor): boolean {
  return block.role === BlockRole.New || block.role === BlockRole.Reserve;
}
