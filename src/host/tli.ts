/**
 * The TLI switch (¶59–61): between applications and the two ways down — the layered stack on the host, and the chimney.
 *
 * It decides call by call where a connection's state is (OffloadState) and sends the call there; while a hand-over is
 * under way it holds calls and lets them go in order afterwards (R15). Applications see no difference.
 */
import { assert, broken } from '../base/assert.ts';
import { NdisStatus } from '../base/status.ts';
import type { BufferPool } from '../memory/buffer-pool.ts';
import type { Memory } from '../memory/memory.ts';
import { NetBuffer, NetBufferFlag } from '../memory/net-buffer.ts';
import type { Cursor } from '../memory/record.ts';
import { DisconnectFlag } from '../offload/descriptors.ts';
import { OffloadState } from '../offload/offload-state.ts';
import { CloseReason } from '../tcp/effects.ts';
import { TcpState } from '../tcp/tcb.ts';
import { TliConnection, type TliHandler } from './connection.ts';
import type { Adapter } from './ndis.ts';
import type { Transport } from './transport.ts';
import { Upcall, type UpcallTarget } from './upcalls.ts';

/** What the chimney wants to hear of (chimney.ts). */
export interface ConnectionWatcher {
  /** Established, or otherwise worth another look: may be offloaded. */
  candidate(connection: TliConnection): void;
  /** To be taken back from the device. */
  takeBack(connection: TliConnection): void;
  /** Cached state of an offloaded connection changed: the device has to hear of it (update offload). */
  cachedChanged(connection: TliConnection): void;
}

interface Listener {
  readonly handler: TliHandler;
}

const EPHEMERAL_FIRST = 49152;
const EPHEMERAL_COUNT = 16384;
/** Consumed bytes that may wait before a device is told. */
const CREDIT_STEP = 65536;

export class TliSwitch implements UpcallTarget {
  readonly #memory: Memory;
  readonly #transport: Transport;
  readonly #descriptors: BufferPool;
  readonly #copies: BufferPool;
  readonly #listeners = new Map<number, Listener>();
  readonly #connections: (TliConnection | null)[];
  readonly #buffer: Cursor<typeof NetBuffer.fields>;
  watcher: ConnectionWatcher | null = null;
  readonly #roomWaiters: (() => void)[] = [];
  #nextPort = 0;
  /** Live connections: those an application or the chimney still holds. */
  active = 0;
  accepted = 0;

  constructor(memory: Memory, transport: Transport, descriptors: BufferPool, copies: BufferPool) {
    this.#memory = memory;
    this.#transport = transport;
    this.#descriptors = descriptors;
    this.#copies = copies;
    this.#connections = Array.from({ length: transport.table.capacity }, () => null);
    this.#buffer = NetBuffer.view(memory);
  }

  get memory(): Memory {
    return this.#memory;
  }

  bySlot(slot: number): TliConnection {
    const connection = this.#connections[slot];
    if (connection === null || connection === undefined) broken(`slot ${slot} has a connection`);
    return connection;
  }

  /** The connection of a slot, null while it has none: for statistics and checks. */
  peek(slot: number): TliConnection | null {
    return this.#connections[slot] ?? null;
  }

  /** Every live connection, for the chimney's sweeps. */
  forEach(visit: (connection: TliConnection) => void): void {
    const { table } = this.#transport;
    for (let slot = 0; slot < table.capacity; slot++) {
      const connection = this.#connections[slot];
      if (connection !== null && connection !== undefined && table.isLive(slot)) visit(connection);
    }
  }

  stateOf(connection: TliConnection): OffloadState {
    return this.#transport.at(connection.slot).offloadState as OffloadState;
  }

  isOffloaded(connection: TliConnection): boolean {
    return this.stateOf(connection) === OffloadState.Offloaded;
  }

  adapterOf(connection: TliConnection): Adapter {
    return this.#transport.interfaceOf(this.#transport.at(connection.slot)).adapter;
  }

  // --- applications ---

  /** Connections to the port are the handler's; `address` limits them to one of the host's own, 0 is all. */
  listen(port: number, handler: TliHandler, address = 0): boolean {
    if (this.#listeners.has(port)) return false;
    this.#listeners.set(port, { handler });
    this.#transport.listen(port, 0, address);
    return true;
  }

  unlisten(port: number): void {
    this.#listeners.delete(port);
    this.#transport.unlisten(port);
  }

  isListening(port: number): boolean {
    return this.#listeners.has(port);
  }

  /** The local address that connections to this one have, 0 when there is no route. */
  sourceFor(remoteAddress: number): number {
    return this.#transport.sourceFor(remoteAddress);
  }

  /** Active open; null when there is no route or no slot. Port 0 picks an ephemeral one (RFC 6056 3.3.1). */
  connect(remoteAddress: number, remotePort: number, handler: TliHandler, localPort = 0): TliConnection | null {
    let slot = -1;
    for (let tries = 0; slot < 0 && tries < (localPort === 0 ? 64 : 1); tries++) {
      const port = localPort === 0 ? EPHEMERAL_FIRST + (this.#nextPort++ % EPHEMERAL_COUNT) : localPort;
      slot = this.#transport.connect(remoteAddress, remotePort, port);
    }
    if (slot < 0) return null;
    const connection = this.#adopt(slot);
    connection.handler = handler;
    return connection;
  }

  send(connection: TliConnection, address: number, length: number, cookie: number, last: boolean): boolean {
    if (connection.sendClosed || connection.handler === null) return false;
    const descriptor = this.#descriptors.allocate();
    if (descriptor === 0) return false;
    const buffer = this.#buffer.at(descriptor);
    buffer.dataAddress = address;
    buffer.dataLength = length;
    this.#submit(connection, descriptor, cookie, last);
    return true;
  }

  write(connection: TliConnection, bytes: Uint8Array, cookie: number): boolean {
    if (connection.sendClosed || connection.handler === null) return false;
    const needed = Math.max(1, Math.ceil(bytes.length / this.#copies.dataBytes));
    if (this.#copies.available < needed) return false;
    for (let from = 0, i = 0; i < needed; i++, from += this.#copies.dataBytes) {
      const address = this.#copies.allocate();
      const part = bytes.subarray(from, from + this.#copies.dataBytes);
      const buffer = this.#buffer.at(address);
      buffer.dataAddress = this.#copies.dataOf(address);
      buffer.dataLength = part.length;
      this.#memory.u8.set(part, buffer.dataAddress);
      // Only the last piece reports: it is acknowledged last.
      this.#submit(connection, address, i === needed - 1 ? cookie : 0, false);
    }
    return true;
  }

  /** Bytes that one `write` could carry now. */
  get writeRoom(): number {
    return Math.min(this.writeMax, this.#copies.available * this.#copies.dataBytes);
  }

  /** Calls back, once, when copy buffers have come back after a `write` that found too few. */
  whenRoom(callback: () => void): void {
    this.#roomWaiters.push(callback);
  }

  /** Data held for a hand-over is shown now. */
  unpause(connection: TliConnection): void {
    if (!connection.paused) return;
    connection.paused = false;
    if (connection.heldHead !== 0 || connection.endedPending) this.resume(connection);
  }

  /** Bytes that one `write` may carry at most. */
  get writeMax(): number {
    return (this.#copies.count >> 2) * this.#copies.dataBytes;
  }

  #submit(connection: TliConnection, address: number, cookie: number, last: boolean): void {
    const buffer = this.#buffer.at(address);
    buffer.next = 0;
    buffer.flags = 0;
    buffer.status = NdisStatus.Pending;
    buffer.cookie = cookie;
    buffer.connection = this.#transport.table.handleOf(connection.slot);
    connection.sendsOutstanding++;
    if (last) connection.sendClosed = true;
    const tcb = this.#transport.at(connection.slot);
    switch (tcb.offloadState as OffloadState) {
      case OffloadState.InHost:
        if (last) this.#transport.sendAndClose(connection.slot, address);
        else this.#transport.send(connection.slot, address);
        return;
      case OffloadState.Offloaded: {
        const { down } = this.#transport.interfaceOf(tcb).adapter;
        if (last) down.tcpOffloadDisconnect(tcb.offloadHandle, address, DisconnectFlag.Graceful);
        else down.tcpOffloadSend(tcb.offloadHandle, address);
        return;
      }
      case OffloadState.Offloading:
      case OffloadState.Uploading:
        if (connection.queuedHead === 0) connection.queuedHead = address;
        else this.#buffer.at(connection.queuedTail).next = address;
        connection.queuedTail = address;
        connection.queuedDisconnect ||= last;
    }
  }

  disconnect(connection: TliConnection): boolean {
    if (connection.sendClosed || connection.handler === null) return false;
    connection.sendClosed = true;
    const tcb = this.#transport.at(connection.slot);
    switch (tcb.offloadState as OffloadState) {
      case OffloadState.InHost:
        this.#transport.close(connection.slot);
        break;
      case OffloadState.Offloaded: {
        const { down } = this.#transport.interfaceOf(tcb).adapter;
        down.tcpOffloadDisconnect(tcb.offloadHandle, 0, DisconnectFlag.Graceful);
        break;
      }
      case OffloadState.Offloading:
      case OffloadState.Uploading:
        connection.queuedDisconnect = true;
    }
    return true;
  }

  abort(connection: TliConnection): void {
    if (connection.aborted || connection.handler === null) return;
    connection.aborted = true;
    connection.sendClosed = true;
    const tcb = this.#transport.at(connection.slot);
    if (connection.closePending) {
      // Already closed in order; what it held nobody will see.
      this.#dropHeld(connection);
      this.resume(connection);
      return;
    }
    switch (tcb.offloadState as OffloadState) {
      case OffloadState.InHost:
        this.#transport.abort(connection.slot);
        return;
      case OffloadState.Offloaded: {
        const { down } = this.#transport.interfaceOf(tcb).adapter;
        down.tcpOffloadDisconnect(tcb.offloadHandle, 0, DisconnectFlag.Abortive);
        return;
      }
      case OffloadState.Offloading:
      case OffloadState.Uploading:
        connection.queuedAbort = true;
    }
  }

  resume(connection: TliConnection): void {
    this.#transport.upcalls.push(Upcall.Resume, connection.slot, 0);
  }

  consumed(connection: TliConnection, count: number): void {
    if (!this.#isCurrent(connection)) return;
    const owed = Math.min(count, connection.owedBytes);
    connection.owedBytes -= owed;
    this.#consumed(connection, owed);
  }

  setNoDelay(connection: TliConnection, noDelay: boolean): void {
    if (connection.handler === null) return;
    this.#transport.setNoDelay(connection.slot, noDelay);
    this.#optionsChanged(connection);
  }

  setKeepAlive(connection: TliConnection, enabled: boolean, timeout: number): void {
    if (connection.handler === null) return;
    this.#transport.setKeepAlive(connection.slot, enabled, timeout);
    this.#optionsChanged(connection);
  }

  #optionsChanged(connection: TliConnection): void {
    const state = this.stateOf(connection);
    if (state === OffloadState.Offloaded) this.watcher?.cachedChanged(connection);
    else connection.optionsChanged = state !== OffloadState.InHost;
  }

  /** The object may be older than the connection that has its slot now. */
  #isCurrent(connection: TliConnection): boolean {
    return this.#connections[connection.slot] === connection;
  }

  // --- events from Transport ---

  upcall(kind: Upcall, slot: number, argument: number): void {
    const known = this.#connections[slot];
    switch (kind) {
      case Upcall.Accepted:
        this.#acceptedConnection(slot);
        return;
      case Upcall.Connected:
        known!.bornAt = this.#transport.now;
        known!.handler?.connected(known!);
        this.watcher?.candidate(known!);
        return;
      case Upcall.Received:
        if (known) this.received(known, argument);
        return;
      case Upcall.PeerClosed:
        if (known) this.peerClosed(known);
        return;
      case Upcall.Sent:
        this.#sent(known ?? null, argument);
        return;
      case Upcall.FinAcknowledged:
        if (known) known.finAcked = true;
        return;
      case Upcall.TimeWait:
        if (known) this.#finish(known, CloseReason.Normal);
        return;
      case Upcall.Closed:
        this.#closed(known ?? null, slot, argument as CloseReason);
        return;
      case Upcall.Resume:
        if (known) this.#showHeld(known);
        return;
      case Upcall.Room:
        for (const callback of this.#roomWaiters.splice(0)) callback();
    }
  }

  #acceptedConnection(slot: number): void {
    const connection = this.#adopt(slot);
    this.accepted++;
    connection.bornAt = this.#transport.now;
    const listener = this.#listeners.get(connection.localPort);
    if (listener === undefined) {
      this.#transport.abort(slot);
      return;
    }
    connection.handler = listener.handler;
    listener.handler.connected(connection);
    this.watcher?.candidate(connection);
  }

  #adopt(slot: number): TliConnection {
    const connection = new TliConnection(this, slot);
    this.#connections[slot] = connection;
    const tcb = this.#transport.at(slot);
    connection.remoteAddress = tcb.remoteAddress;
    connection.remotePort = tcb.remotePort;
    connection.localAddress = tcb.localAddress;
    connection.localPort = tcb.localPort;
    this.active++;
    return connection;
  }

  #closed(connection: TliConnection | null, slot: number, reason: CloseReason): void {
    this.#freeChain(connection, this.#transport.takeSendQueue(slot));
    if (connection !== null) {
      this.#finish(connection, reason);
      // In order, but not all seen: the slot stays until the application has taken it (#finishPending).
      if (!connection.closePending) this.#release(connection);
    } else {
      this.#transport.free(slot);
    }
  }

  // --- data and events of a connection, from Transport or from a device ---

  /** The connection of a handle that a device passed back; null when it is stale. */
  byHandle(context: number): TliConnection | null {
    const slot = this.#transport.table.slotOfHandle(context);
    return slot < 0 ? null : (this.#connections[slot] ?? null);
  }

  received(connection: TliConnection, address: number): void {
    if (connection.heldHead !== 0 || connection.paused) {
      this.#hold(connection, address);
      return;
    }
    this.#show(connection, address);
  }

  /** Shows a buffer to the application; true when all of it was taken. */
  #show(connection: TliConnection, address: number): boolean {
    const buffer = this.#buffer.at(address);
    const { dataAddress, dataLength } = buffer;
    const { handler } = connection;
    const taken = handler === null ? dataLength : handler.received(connection, dataAddress, dataLength);
    assert(taken >= 0 && taken <= dataLength, 'received() returns how many of the bytes it took');
    if (connection.creditsLater && handler !== null) connection.owedBytes += taken;
    else this.#consumed(connection, taken);
    if (taken === dataLength) {
      this.adapterOf(connection).down.returnBuffer(address);
      return true;
    }
    this.#buffer.at(address).dataAddress = dataAddress + taken;
    this.#buffer.dataLength = dataLength - taken;
    this.#hold(connection, address);
    return false;
  }

  #hold(connection: TliConnection, address: number): void {
    const buffer = this.#buffer.at(address);
    buffer.next = 0;
    connection.heldBytes += buffer.dataLength;
    if (connection.heldHead === 0) connection.heldHead = address;
    else this.#buffer.at(connection.heldTail).next = address;
    connection.heldTail = address;
  }

  #showHeld(connection: TliConnection): void {
    if (connection.paused) return;
    let address = connection.heldHead;
    while (address !== 0) {
      const buffer = this.#buffer.at(address);
      const { next, dataLength } = buffer;
      const rest = next;
      connection.heldHead = 0;
      connection.heldBytes -= dataLength;
      const tail = connection.heldTail;
      if (!this.#show(connection, address)) {
        // What was left goes back to the front.
        this.#buffer.at(address).next = rest;
        connection.heldTail = rest === 0 ? address : tail;
        return;
      }
      connection.heldHead = rest;
      connection.heldTail = tail;
      address = rest;
    }
    if (connection.endedPending) {
      connection.endedPending = false;
      connection.handler?.ended(connection);
      this.#finishIfDone(connection);
    }
    if (connection.closePending && connection.heldHead === 0) this.#finishPending(connection);
  }

  /** It was closed while something was held, and now that is gone. */
  #finishPending(connection: TliConnection): void {
    connection.closePending = false;
    this.#finish(connection, CloseReason.Normal);
    if (this.#transport.at(connection.slot).state === TcpState.Closed) this.#release(connection);
  }

  #consumed(connection: TliConnection, count: number): void {
    if (count === 0) return;
    const tcb = this.#transport.at(connection.slot);
    if (tcb.offloadState === OffloadState.InHost) {
      this.#transport.consumed(connection.slot, count);
      return;
    }
    connection.credit += count;
    if (tcb.offloadState === OffloadState.Offloaded && connection.credit >= CREDIT_STEP) this.#giveCredit(connection);
  }

  #giveCredit(connection: TliConnection): void {
    const tcb = this.#transport.at(connection.slot);
    const { down } = this.#transport.interfaceOf(tcb).adapter;
    down.tcpOffloadReceiveReturn(tcb.offloadHandle, connection.credit);
    connection.credit = 0;
  }

  peerClosed(connection: TliConnection): void {
    if (connection.peerClosed) return;
    connection.peerClosed = true;
    if (connection.heldHead !== 0 || connection.paused) {
      connection.endedPending = true;
      return;
    }
    connection.handler?.ended(connection);
    this.#finishIfDone(connection);
  }

  #sent(connection: TliConnection | null, address: number): void {
    const { cookie } = this.#buffer.at(address);
    this.#freeSend(address);
    if (connection === null) return;
    connection.sendsOutstanding--;
    if (cookie !== 0) connection.handler?.sent(connection, cookie);
  }

  #freeSend(address: number): void {
    if (this.#descriptors.owns(address)) {
      this.#descriptors.free(address);
      return;
    }
    this.#copies.free(address);
    if (this.#roomWaiters.length > 0) this.#transport.upcalls.push(Upcall.Room, 0, 0);
  }

  #freeChain(connection: TliConnection | null, head: number): void {
    let address = head;
    while (address !== 0) {
      const { next } = this.#buffer.at(address);
      this.#freeSend(address);
      if (connection !== null) connection.sendsOutstanding--;
      address = next;
    }
  }

  // --- completions of the data calls, from a device ---

  sendComplete(context: number, address: number, status: number): void {
    const connection = this.byHandle(context === 0 ? this.#buffer.at(address).connection : context);
    if (status === NdisStatus.Success || connection === null) {
      this.#sent(connection, address);
    } else if (status === NdisStatus.UploadInProgress) {
      // The call crossed the end of the offload: the work is done again where the state is now.
      const last = (this.#buffer.at(address).flags & NetBufferFlag.Disconnect) !== 0;
      const { cookie } = this.#buffer;
      connection.sendsOutstanding--;
      this.#submit(connection, address, cookie, last);
    } else {
      this.#freeSend(address);
      connection.sendsOutstanding--;
    }
  }

  disconnectComplete(context: number, address: number, status: number): void {
    const connection = this.byHandle(context);
    // All bytes of its buffer are acknowledged unless the connection was cut.
    if (address !== 0) this.sendComplete(context, address, status === NdisStatus.RequestAborted ? status : 0);
    if (connection === null || status === NdisStatus.UploadInProgress) return;
    if (connection.aborted) {
      this.#finish(connection, CloseReason.Aborted);
      this.watcher?.takeBack(connection);
      return;
    }
    if (status === NdisStatus.Success) {
      connection.finAcked = true;
      this.#finishIfDone(connection);
    }
  }

  /** Reset by the peer, on a device. */
  abortIndicated(connection: TliConnection): void {
    this.#finish(connection, CloseReason.Reset);
    this.watcher?.takeBack(connection);
  }

  #finishIfDone(connection: TliConnection): void {
    if (!connection.finAcked || !connection.peerClosed || connection.endedPending) return;
    if (this.stateOf(connection) !== OffloadState.Offloaded) return;
    this.#finish(connection, CloseReason.Normal);
    this.watcher?.takeBack(connection);
  }

  /** Tells the application, once. */
  #finish(connection: TliConnection, reason: CloseReason): void {
    const { handler } = connection;
    if (handler === null) return;
    if (reason === CloseReason.Normal && (connection.heldHead !== 0 || connection.endedPending)) {
      if (connection.closePending) return;
      connection.closePending = true;
      connection.paused = false;
      this.resume(connection);
      return;
    }
    connection.closePending = false;
    connection.handler = null;
    handler.closed(connection, reason);
  }

  /** The last of a connection: buffers it held go back, the slot is free. */
  #release(connection: TliConnection): void {
    this.#dropHeld(connection);
    this.#freeChain(connection, connection.queuedHead);
    connection.queuedHead = 0;
    this.#connections[connection.slot] = null;
    this.active--;
    this.#transport.free(connection.slot);
  }

  #dropHeld(connection: TliConnection): void {
    const { down } = this.adapterOf(connection);
    let address = connection.heldHead;
    connection.heldHead = 0;
    connection.heldBytes = 0;
    connection.endedPending = false;
    while (address !== 0) {
      const { next } = this.#buffer.at(address);
      down.returnBuffer(address);
      address = next;
    }
  }

  // --- ends of hand-overs, from the chimney ---

  /** An initiate was answered: held calls go where the state is now (Figure 3, 322). */
  handedOver(connection: TliConnection): void {
    const tcb = this.#transport.at(connection.slot);
    if (tcb.offloadState === OffloadState.Offloaded) {
      connection.everOffloaded = true;
      if (connection.credit >= CREDIT_STEP) this.#giveCredit(connection);
    } else {
      tcb.rcvPending = connection.heldBytes + connection.owedBytes;
      connection.credit = 0;
      this.#transport.transmit(connection.slot);
    }
    if (connection.optionsChanged) {
      connection.optionsChanged = false;
      this.#optionsChanged(connection);
    }
    this.#releaseCalls(connection);
    this.unpause(connection);
  }

  /** A terminate was answered. `lost`: the device could not give the state back; the connection cannot go on. */
  takenBack(connection: TliConnection, lost: boolean, pathChanged: boolean): void {
    const { slot } = connection;
    const tcb = this.#transport.at(slot);
    connection.credit = 0;
    if (lost) {
      tcb.state = TcpState.Closed;
      tcb.timers = 0;
      tcb.sendDataHead = 0;
    }
    tcb.rcvPending = connection.heldBytes + connection.owedBytes;
    connection.optionsChanged = false;
    if (tcb.state === TcpState.Closed) {
      // An orderly end has been told of before; what is left is FIN-WAIT-2's patience, or a peer that does not answer.
      const gaveUp = connection.finAcked ? CloseReason.Normal : CloseReason.TimedOut;
      this.#closed(connection, slot, lost ? CloseReason.Reset : gaveUp);
      return;
    }
    if (tcb.state === TcpState.TimeWait) this.#finish(connection, CloseReason.Normal);
    if (pathChanged) this.#transport.connectionPathChanged(slot);
    else this.#transport.transmit(slot);
    this.#releaseCalls(connection);
  }

  #releaseCalls(connection: TliConnection): void {
    let address = connection.queuedHead;
    const disconnect = connection.queuedDisconnect;
    const abortDue = connection.queuedAbort;
    connection.queuedHead = 0;
    connection.queuedDisconnect = false;
    connection.queuedAbort = false;
    connection.queuedTail = 0;
    if (disconnect && address === 0) {
      connection.sendClosed = false;
      this.disconnect(connection);
    }
    while (address !== 0) {
      const buffer = this.#buffer.at(address);
      const { next, cookie } = buffer;
      connection.sendsOutstanding--;
      this.#submit(connection, address, cookie, disconnect && next === 0);
      address = next;
    }
    if (abortDue && connection.handler !== null) {
      connection.aborted = false;
      this.abort(connection);
    }
  }
}
