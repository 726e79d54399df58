/**
 * Transport's part in offload and upload (Figures 3 and 7): TCP blocks on the way down, handles and delegated state on the
 * way up, and the segments that arrive while the state is elsewhere (R16, R29).
 *
 *   Offloading: held, forwarded to the device after the completion (or processed here, if it refused)
 *   Offloaded:  forwarded at once
 *   Uploading:  held, processed here after the completion
 */
import { NdisStatus } from '../base/status.ts';
import type { Trace } from '../base/trace.ts';
import type { Memory } from '../memory/memory.ts';
import { NetBuffer } from '../memory/net-buffer.ts';
import type { Cursor } from '../memory/record.ts';
import {
  Block,
  BLOCK_HEADER_BYTES,
  type BlockCursor,
  type BlockPool,
  OffloadStateType,
} from '../offload/block-list.ts';
import { exportDelegated, importDelegated } from '../offload/handover.ts';
import { nextOffloadState, OffloadEvent, OffloadState } from '../offload/offload-state.ts';
import { StateRange } from '../offload/state-objects.ts';
import { mayOffload, TcpCachedFlag, TcpState } from '../tcp/tcb.ts';
import type { Network } from './network.ts';
import { OffloadOperation, type OffloadRequest } from './offload-request.ts';
import type { SegmentDiversion, Transport } from './transport.ts';

export class TransportOffload implements SegmentDiversion {
  readonly #memory: Memory;
  readonly #transport: Transport;
  readonly #network: Network;
  readonly #blocks: BlockPool;
  readonly #block: BlockCursor;
  readonly #buffer: Cursor<typeof NetBuffer.fields>;
  /** Per slot: chain of held segments. */
  readonly #heldHead: Int32Array;
  readonly #heldTail: Int32Array;
  /** Per slot: an update is under way, and whether another is due behind it (C10). */
  readonly #updating: Uint8Array;
  readonly #updateDue: Uint8Array;
  /** Per slot: queries under way; they may overlap (C14). */
  readonly #queries: Uint16Array;
  trace: Trace | null = null;
  segmentsHeld = 0;
  segmentsForwarded = 0;

  constructor(memory: Memory, transport: Transport, network: Network, blocks: BlockPool) {
    this.#memory = memory;
    this.#transport = transport;
    this.#network = network;
    this.#blocks = blocks;
    this.#block = Block.view(memory);
    this.#buffer = NetBuffer.view(memory);
    this.#heldHead = new Int32Array(transport.table.capacity);
    this.#heldTail = new Int32Array(transport.table.capacity);
    this.#updating = new Uint8Array(transport.table.capacity);
    this.#updateDue = new Uint8Array(transport.table.capacity);
    this.#queries = new Uint16Array(transport.table.capacity);
  }

  /** May this connection be put into an initiate list now? Refusal by Transport or Network, Figure 3. */
  accepts(slot: number): boolean {
    const tcb = this.#transport.at(slot);
    return tcb.offloadState === OffloadState.InHost && mayOffload(tcb.state);
  }

  /** Its path and neighbor are not in transition, so the list may go now. */
  isSettled(slot: number): boolean {
    return this.#network.isSettled(this.#transport.pathOf(this.#transport.at(slot)));
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
      if (initiate) this.#give(slot, address);
      else this.#askBack(slot, address);
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
    this.#network.describe(request);
  }

  #give(slot: number, address: number): void {
    const transport = this.#transport;
    const tcb = transport.at(slot);
    transport.dropOutOfOrder(tcb);
    exportDelegated(tcb, transport.buffers, transport.now, transport);
    transport.cancelTimer(slot);
    tcb.offloadState = nextOffloadState(tcb.offloadState, OffloadEvent.Initiate);
    this.#copy(address + BLOCK_HEADER_BYTES, tcb.base, StateRange.tcp.all);
    this.#updateDue[slot] = 0;
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
    for (let i = 0; i < request.count; i++) request.statuses[i] = this.#take(request, i);
    const initiate = request.operation === OffloadOperation.Initiate;
    this.trace?.emit('transport', 'tli', initiate ? 'initiate complete' : 'terminate complete');
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
      if (!taken) {
        this.#transport.pathOf(tcb).offloadedConnections--;
        importDelegated(tcb, this.#transport.now, this.#transport);
      }
    } else {
      tcb.offloadState = nextOffloadState(tcb.offloadState, OffloadEvent.Uploaded);
      tcb.offloadHandle = 0;
      if (status === NdisStatus.Success) {
        const { start, end } = StateRange.tcp.delegated;
        this.#copy(tcb.base + start, address + BLOCK_HEADER_BYTES + start, end - start);
        importDelegated(tcb, this.#transport.now, this.#transport);
      }
    }
    this.#blocks.free(address);
    return status;
  }

  /** The connection's cached values changed: the device gets them (update offload, digest §3.4). */
  updateCached(slot: number): void {
    const tcb = this.#transport.at(slot);
    if (tcb.offloadState !== OffloadState.Offloaded) return;
    this.#updateDue[slot] = 1;
    if (this.#updating[slot] === 1) return;
    const address = this.#blocks.allocate(OffloadStateType.TcpCached);
    if (address === 0) return;
    this.#updateDue[slot] = 0;
    this.#updating[slot] = 1;
    const { start, end } = StateRange.tcp.cached;
    this.#copy(address + BLOCK_HEADER_BYTES + start, tcb.base + start, end - start);
    tcb.cachedFlags &= ~TcpCachedFlag.KeepAliveRestart;
    const block = this.#block.at(address);
    block.offloadHandle = tcb.offloadHandle;
    block.ndisOffloadHandle = this.#transport.table.handleOf(slot);
    this.#transport.interfaceOf(tcb).adapter.down.updateOffload(address);
  }

  /** Asks the device for a connection's state (R22); the answer is of this moment. False when there is no block for it. */
  query(slot: number): boolean {
    const address = this.#blocks.allocate(OffloadStateType.Tcp);
    if (address === 0) return false;
    const tcb = this.#transport.at(slot);
    const block = this.#block.at(address);
    block.offloadHandle = tcb.offloadHandle;
    block.ndisOffloadHandle = this.#transport.table.handleOf(slot);
    this.#queries[slot]!++;
    this.#transport.interfaceOf(tcb).adapter.down.queryOffload(address);
    return true;
  }

  queryComplete(root: number): void {
    const slot = this.#transport.table.slotOfHandle(this.#block.at(root).ndisOffloadHandle);
    this.#blocks.free(root);
    if (slot >= 0) this.#queries[slot]!--;
  }

  /** It may not be asked back before update and queries are answered (digest §3.6). */
  isBusy(slot: number): boolean {
    return this.#updating[slot] === 1 || this.#queries[slot]! > 0;
  }

  /** One update of a connection at a time (C10). False when the block is not one of this layer's. */
  updateComplete(root: number): boolean {
    const { type, ndisOffloadHandle } = this.#block.at(root);
    if (type !== OffloadStateType.TcpCached) return false;
    const slot = this.#transport.table.slotOfHandle(ndisOffloadHandle);
    this.#blocks.free(root);
    if (slot < 0) return true;
    this.#updating[slot] = 0;
    if (this.#updateDue[slot] === 1) this.updateCached(slot);
    return true;
  }

  // --- segments of connections whose state is elsewhere ---

  divert(slot: number, buffer: number): void {
    const tcb = this.#transport.at(slot);
    if (tcb.offloadState === OffloadState.Offloaded) {
      this.#forward(slot, buffer);
      return;
    }
    this.segmentsHeld++;
    this.trace?.emit('transport', 'transport', 'hold segment');
    if (this.#heldHead[slot] === 0) this.#heldHead[slot] = buffer;
    else this.#buffer.at(this.#heldTail[slot]!).next = buffer;
    this.#heldTail[slot] = buffer;
  }

  /** Segments of this connection are held. */
  holds(slot: number): boolean {
    return this.#heldHead[slot] !== 0;
  }

  /** After a completion: held segments go where the state is now, in order. */
  releaseHeld(slot: number): void {
    let buffer = this.#heldHead[slot]!;
    this.#heldHead[slot] = 0;
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
    let buffer = this.#heldHead[slot]!;
    this.#heldHead[slot] = 0;
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

  #copy(to: number, from: number, length: number): void {
    this.#memory.kernels.copy(to, from, length);
  }
}
