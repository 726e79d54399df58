/**
 * Transport's part in offload and upload (Figures 3 and 7): TCP blocks on the way down, handles and delegated state on the
 * way up, and the segments that arrive while the state is elsewhere (R16, R29).
 *
 *   Offloading: held, forwarded to the device after the completion (or processed here, if it refused)
 *   Offloaded:  forwarded at once
 *   Uploading, or asked back by a device that has stopped:  held, processed here after the completion
 */
import { NdisStatus } from '../base/status.ts';
import type { Trace } from '../base/trace.ts';
import type { Memory } from '../memory/memory.ts';
import { NetBuffer } from '../memory/net-buffer.ts';
import type { Cursor } from '../memory/record.ts';
import {
  Block,
  BLOCK_HEADER_BYTES,
  BlockRole,
  type BlockCursor,
  type BlockPool,
  OffloadStateType,
} from '../offload/block-list.ts';
import { exportDelegated, importDelegated } from '../offload/handover.ts';
import { nextOffloadState, OffloadEvent, OffloadState } from '../offload/offload-state.ts';
import { ResourceNeeds } from '../offload/resource-needs.ts';
import { SentTransfer } from '../offload/sent-transfer.ts';
import { copyRange, StateRange } from '../offload/state-objects.ts';
import { TCP_TRANSFER_OFFSET, TcpTransfer } from '../offload/tcp-transfer.ts';
import { resumePushing } from '../tcp/nagle.ts';
import { findRecordEnds } from '../tcp/record-end.ts';
import { CACHED_COMMANDS, mayOffload, type Tcb, TcpPrivateFlag, TcpState } from '../tcp/tcb.ts';
import { rearm } from '../tcp/timers.ts';
import { callRoute } from './call-route.ts';
import { ConnectionObject } from './connection-object.ts';
import type { Network } from './network.ts';
import { HeldSegments } from './held-segments.ts';
import { OffloadEligibility } from './offload-eligibility.ts';
import { OffloadOperation, type OffloadRequest } from './offload-request.ts';
import type { Adapter } from './ndis.ts';
import type { Recalls } from './recalls.ts';
import { StateUpdates } from './state-updates.ts';
import type { SegmentDiversion, Transport } from './transport.ts';

/** What the switch lets travel with a connection: data that nobody has taken, receives that are posted (or 0). */
export interface TransferSource {
  give(slot: number): { readonly givenHeld: number; readonly givenReceives: number };
}

const NOTHING_GIVEN = { givenHeld: 0, givenReceives: 0 };

export class TransportOffload implements SegmentDiversion {
  readonly #memory: Memory;
  readonly #transport: Transport;
  readonly #network: Network;
  readonly #blocks: BlockPool;
  readonly #block: BlockCursor;
  readonly #buffer: Cursor<typeof NetBuffer.fields>;
  readonly #transfer: Cursor<typeof TcpTransfer.fields>;
  readonly #needs: Cursor<typeof ResourceNeeds.fields>;
  readonly #sent: SentTransfer;
  #source: TransferSource | null = null;
  readonly #held: HeldSegments;
  /** Of connections that calls were made about. */
  readonly #objects: (ConnectionObject | null)[];
  readonly updates: StateUpdates<ConnectionObject>;
  recalls: Recalls | null = null;
  trace: Trace | null = null;
  readonly eligibility = new OffloadEligibility();
  segmentsHeld = 0;
  segmentsForwarded = 0;

  constructor(memory: Memory, transport: Transport, network: Network, blocks: BlockPool, updates: 'relay' | 'direct') {
    this.#memory = memory;
    this.#transport = transport;
    this.#network = network;
    this.#blocks = blocks;
    this.#block = Block.view(memory);
    this.#buffer = NetBuffer.view(memory);
    this.#transfer = TcpTransfer.view(memory);
    this.#needs = ResourceNeeds.view(memory);
    this.#sent = new SentTransfer(memory);
    this.#held = new HeldSegments(memory, transport.table.capacity);
    this.#objects = Array.from({ length: transport.table.capacity }, () => null);
    const layer = {
      name: 'transport',
      noun: 'connection',
      typeOf: () => OffloadStateType.TcpCached,
      adapterOf: ({ slot }: ConnectionObject) => this.adapterOf(slot),
      write: ({ slot }: ConnectionObject, block: BlockCursor) => this.#writeCached(slot, block),
      updateFailed: ({ slot }: ConnectionObject) => this.recalls!.connection(slot),
    } as const;
    this.updates = new StateUpdates(memory, blocks, layer, updates);
  }

  set source(source: TransferSource) {
    this.#source = source;
  }

  /** May this connection be put into an initiate list now? Refusal by Transport or Network, Figure 3. */
  accepts(slot: number): boolean {
    const tcb = this.#transport.at(slot);
    if (tcb.offloadState !== OffloadState.InHost || !mayOffload(tcb.state)) return false;
    const path = this.#transport.pathOf(tcb);
    return this.eligibility.accepts(tcb, path, path.iface.adapter.capabilities);
  }

  /** Its path and neighbor are not in transition, so the list may go now. */
  isSettled(slot: number): boolean {
    return this.#network.offload.isSettled(this.#transport.pathOf(this.#transport.at(slot)));
  }

  /** The device has stopped working on it: calls and segments wait until it has been taken back (call-route.ts). */
  setUploadDue(slot: number): void {
    this.#transport.at(slot).privateFlags |= TcpPrivateFlag.UploadDue;
  }

  isUploadDue(slot: number): boolean {
    return (this.#transport.at(slot).privateFlags & TcpPrivateFlag.UploadDue) !== 0;
  }

  isClosed(slot: number): boolean {
    return this.#transport.at(slot).state === TcpState.Closed;
  }

  /** Adds the TCP blocks and passes the request on: step 332 of Figure 3, 728 of Figure 7. */
  describe(request: OffloadRequest): void {
    const initiate = request.operation === OffloadOperation.Initiate;
    for (let i = 0; i < request.count; i++) {
      const slot = request.slots[i]!;
      const address = this.#blocks.allocate(OffloadStateType.Tcp);
      request.blocks[i] = address;
      if (!initiate) this.#askBack(slot, address);
      else if (request.isReserving) this.#reserve(slot, address);
      else this.#offer(slot, address);
      const path = this.#transport.pathOf(this.#transport.tcb);
      path.offloadedConnections += initiate ? 1 : -1;
      if (path.firstDependent === 0) {
        path.firstDependent = address;
        request.paths.add(path);
      } else {
        this.#block.at(path.lastDependent).nextBlock = address;
      }
      path.lastDependent = address;
    }
    const what = initiate ? 'initiate' : 'terminate';
    this.trace?.emit('transport', 'network', `${what} offload, ${request.count} connections`);
    this.#network.offload.describe(request);
  }

  /** Figure 3, 332: what the connection will need of the device; until the answer its timers rest. */
  #reserve(slot: number, address: number): void {
    const transport = this.#transport;
    const tcb = transport.at(slot);
    transport.cancelTimer(slot);
    tcb.offloadState = nextOffloadState(tcb.offloadState, OffloadEvent.Initiate);
    const needs = this.#needs.at(address + BLOCK_HEADER_BYTES);
    needs.initialRcvWnd = tcb.initialRcvWnd;
    needs.constFlags = tcb.constFlags;
    const block = this.#block.at(address);
    block.role = BlockRole.Reserve;
    block.ndisOffloadHandle = transport.table.handleOf(slot);
  }

  #offer(slot: number, address: number): void {
    const tcb = this.#transport.at(slot);
    tcb.offloadState = nextOffloadState(tcb.offloadState, OffloadEvent.Initiate);
    this.#give(slot, address);
  }

  /** The state goes into the block, with what the options let travel along (¶76). */
  #give(slot: number, address: number): void {
    const transport = this.#transport;
    const tcb = transport.at(slot);
    transport.flushAck(tcb);
    exportDelegated(tcb, transport.now);
    this.#sent.give(tcb, address, transport.now, transport.sent);
    transport.cancelTimer(slot);
    const given = this.#source?.give(slot) ?? NOTHING_GIVEN;
    tcb.bufferedData = given.givenHeld;
    this.#memory.kernels.copy(address + BLOCK_HEADER_BYTES, tcb.base, StateRange.tcp.all);
    tcb.bufferedData = 0;
    const transfer = this.#transfer.at(address + TCP_TRANSFER_OFFSET);
    transfer.postedReceives = given.givenReceives;
    transfer.outOfOrder = tcb.oooHead;
    const block = this.#block.at(address);
    block.ndisOffloadHandle = transport.table.handleOf(slot);
    block.netBufferListChain = tcb.sendDataHead;
  }

  #askBack(slot: number, address: number): void {
    const tcb = this.#transport.at(slot);
    tcb.offloadState = nextOffloadState(tcb.offloadState, OffloadEvent.Terminate);
    const block = this.#block.at(address);
    block.offloadHandle = tcb.offloadHandle;
    block.ndisOffloadHandle = this.#transport.table.handleOf(slot);
  }

  /** Takes this layer's entries, each with its status: then 320 of Figure 3. */
  complete(request: OffloadRequest): void {
    request.takeEntry('transport');
    this.takeAll(request);
    const initiate = request.operation === OffloadOperation.Initiate;
    this.trace?.emit('transport', 'tli', initiate ? 'initiate complete' : 'terminate complete');
  }

  /**
   * Figure 3, 316: the device has made room; connections that fit stay in the request and send their state. The others move
   * to `refused`: for them it is over.
   */
  load(request: OffloadRequest, refused: OffloadRequest): void {
    const table = request.takeEntry('transport');
    let fitting = 0;
    for (let i = 0; i < request.count; i++) {
      const slot = request.slots[i]!;
      const address = request.blocks[i]!;
      if (this.#block.at(address).status !== NdisStatus.Success) {
        refused.add(slot);
        refused.statuses[refused.count - 1] = this.#take(request, i);
        continue;
      }
      this.#give(slot, address);
      const block = this.#block.at(address);
      block.role = BlockRole.New;
      block.nextBlock = 0;
      if (fitting > 0) this.#block.at(request.blocks[fitting - 1]!).nextBlock = address;
      request.slots[fitting] = slot;
      request.blocks[fitting] = address;
      fitting++;
    }
    request.count = fitting;
    request.loadRoot = fitting > 0 ? request.blocks[0]! : 0;
    if (fitting === 0) return;
    table.loadOffloadState(request.loadRoot);
    this.trace?.emit('transport', request.adapter.name, `load ${fitting} connection states`);
  }

  takeAll(request: OffloadRequest): void {
    for (let i = 0; i < request.count; i++) request.statuses[i] = this.#take(request, i);
  }

  /**
   * For an initiate the handle, or the connection back when the device refused it; for a terminate the delegated state.
   * Returns the block's status.
   */
  #take(request: OffloadRequest, index: number): number {
    const slot = request.slots[index]!;
    const address = request.blocks[index]!;
    const { status, offloadHandle } = this.#block.at(address);
    const tcb = this.#transport.at(slot);
    if (request.operation === OffloadOperation.Initiate) {
      const taken = status === NdisStatus.Success;
      tcb.offloadState = nextOffloadState(tcb.offloadState, taken ? OffloadEvent.Taken : OffloadEvent.Refused);
      tcb.offloadHandle = taken ? offloadHandle : 0;
      if (taken) {
        this.#transport.dropOutOfOrder(tcb);
      } else {
        this.#transport.pathOf(tcb).offloadedConnections--;
        // Room that was refused took no state along: the timers run on.
        if (this.#block.role === BlockRole.Reserve) rearm(tcb, this.#transport);
        else this.#import(tcb, address);
      }
    } else {
      tcb.offloadState = nextOffloadState(tcb.offloadState, OffloadEvent.Uploaded);
      tcb.offloadHandle = 0;
      tcb.privateFlags &= ~TcpPrivateFlag.UploadDue;
      if (status === NdisStatus.Success) {
        copyRange(this.#memory.kernels, tcb.base, address + BLOCK_HEADER_BYTES, StateRange.tcp.delegated);
        this.#import(tcb, address);
        const { outOfOrder, forwardedSegments } = this.#transfer.at(address + TCP_TRANSFER_OFFSET);
        this.#transport.adoptOutOfOrder(tcb, outOfOrder);
        this.#held.putFirst(slot, forwardedSegments);
      }
    }
    this.#blocks.free(address);
    const object = this.#objects[slot]!;
    if (object !== null) this.updates.settled(object);
    return status;
  }

  #import(tcb: Tcb, address: number): void {
    importDelegated(tcb, this.#transport.now, this.#transport);
    resumePushing(tcb, this.#transport.buffers);
    findRecordEnds(tcb, this.#transport.buffers);
    this.#sent.take(tcb, address, this.#transport.now, this.#transport.sent);
  }

  /** The connection as an object that calls are made about. */
  objectOf(slot: number): ConnectionObject {
    return (this.#objects[slot] ??= new ConnectionObject(this.#transport, slot));
  }

  adapterOf(slot: number): Adapter {
    return this.#transport.interfaceOf(this.#transport.at(slot)).adapter;
  }

  /** A call about it, or about what it depends on, is unanswered: it is not terminated before (digest §3.6). */
  isBusy(slot: number): boolean {
    const object = this.#objects[slot]!;
    if (object !== null && object.callsOut > 0) return true;
    const { callsOut, linked } = this.#transport.pathOf(this.#transport.at(slot));
    return callsOut > 0 || (linked !== null && linked.callsOut > 0);
  }

  /** The connection's cached values changed: the device gets them (update offload, digest §3.4). */
  updateCached(slot: number): void {
    this.updates.changed(this.objectOf(slot));
  }

  /** Commands among the flags go once (digest §1.5). */
  #writeCached(slot: number, block: BlockCursor): void {
    const tcb = this.#transport.at(slot);
    copyRange(this.#memory.kernels, block.base + BLOCK_HEADER_BYTES, tcb.base, StateRange.tcp.cached);
    tcb.cachedFlags &= ~CACHED_COMMANDS;
    block.ndisOffloadHandle = this.#transport.table.handleOf(slot);
  }

  // --- segments of connections whose state is elsewhere ---

  divert(slot: number, buffer: number): void {
    if (callRoute(this.#transport.at(slot)) === OffloadState.Offloaded) {
      this.#forward(slot, buffer);
      return;
    }
    this.segmentsHeld++;
    this.trace?.emit('transport', 'transport', 'hold segment');
    this.#held.append(slot, buffer);
  }

  /** Segments of this connection are held. */
  holds(slot: number): boolean {
    return this.#held.has(slot);
  }

  /** After a completion: held segments go where the state is now, in order; they stay where it is asked back already. */
  releaseHeld(slot: number): void {
    if (this.isUploadDue(slot)) return;
    let buffer = this.#held.take(slot);
    while (buffer !== 0) {
      const next = this.#buffer.at(buffer).next;
      this.#buffer.next = 0;
      const tcb = this.#transport.at(slot);
      if (tcb.offloadState === OffloadState.Offloaded) this.#forward(slot, buffer);
      else this.#process(slot, buffer);
      buffer = next;
    }
  }

  /** The connection is gone: nobody wants what was held. */
  dropHeld(slot: number): void {
    const { adapter } = this.#transport.interfaceOf(this.#transport.at(slot));
    let buffer = this.#held.take(slot);
    while (buffer !== 0) {
      const next = this.#buffer.at(buffer).next;
      adapter.down.returnBuffer(buffer);
      buffer = next;
    }
  }

  #process(slot: number, buffer: number): void {
    this.trace?.emit('transport', 'transport', 'process held segment');
    this.#transport.processHeld(slot, buffer);
  }

  #forward(slot: number, buffer: number): void {
    const tcb = this.#transport.at(slot);
    this.segmentsForwarded++;
    this.#buffer.at(buffer).connection = this.#transport.table.handleOf(slot);
    const { down, name } = this.#transport.interfaceOf(tcb).adapter;
    this.trace?.emit('transport', name, 'forward segment');
    down.tcpOffloadForward(tcb.offloadHandle, buffer);
  }

  /** Handle of the connection that a forwarded segment belongs to. */
  ownerOf(buffer: number): number {
    return this.#buffer.at(buffer).connection;
  }

  /** The device is done with a forwarded segment, or was no longer responsible for it (R29). */
  forwardComplete(slot: number, buffer: number, status: number): void {
    const tcb = this.#transport.at(slot);
    const { adapter } = this.#transport.interfaceOf(tcb);
    if (status !== NdisStatus.UploadInProgress) {
      adapter.down.returnBuffer(buffer);
    } else if (tcb.offloadState === OffloadState.InHost) {
      this.#process(slot, buffer);
    } else {
      this.divert(slot, buffer);
    }
  }
}
