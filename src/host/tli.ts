/**
 * The TLI switch (¶59–61): between applications and the two ways down — the layered stack on the host, and the chimney.
 *
 * It decides call by call where a connection's state is (OffloadState) and sends the call there; while a hand-over is
 * under way it holds calls and lets them go in order afterwards (R15). Applications see no difference.
 */
import { NdisStatus } from '../base/status.ts';
import type { BufferPool } from '../memory/buffer-pool.ts';
import type { Memory } from '../memory/memory.ts';
import { NetBuffer, NetBufferFlag } from '../memory/net-buffer.ts';
import type { Cursor } from '../memory/record.ts';
import { DisconnectFlag } from '../offload/descriptors.ts';
import { OffloadState } from '../offload/offload-state.ts';
import { CloseReason } from '../tcp/effects.ts';
import { TcpState } from '../tcp/tcb.ts';
import { ConnectionTable } from './connection-table.ts';
import { type ConnectionWatcher, TliConnection, type TliHandler } from './connection.ts';
import type { Adapter } from './ndis.ts';
import { ReceiveSide } from './receive-side.ts';
import { SendSide } from './send-side.ts';
import type { Transport } from './transport.ts';
import { Upcall, type UpcallTarget } from './upcalls.ts';

const EPHEMERAL_FIRST = 49152;
const EPHEMERAL_COUNT = 16384;

export class TliSwitch implements UpcallTarget {
  readonly memory: Memory;
  readonly #transport: Transport;
  /** What `send`, `write` and `disconnect` of a connection come to. */
  readonly sends: SendSide;
  readonly #receives: ReceiveSide;
  readonly #listeners = new Map<number, TliHandler>();
  readonly connections: ConnectionTable;
  readonly #buffer: Cursor<typeof NetBuffer.fields>;
  watcher: ConnectionWatcher | null = null;
  #nextPort = 0;
  /** Live connections: those an application or the chimney still holds. */
  active = 0;
  accepted = 0;

  constructor(memory: Memory, transport: Transport, descriptors: BufferPool, copies: BufferPool) {
    this.memory = memory;
    this.#transport = transport;
    this.sends = new SendSide(memory, transport, descriptors, copies);
    this.#receives = new ReceiveSide(memory, transport);
    this.connections = new ConnectionTable(transport);
    this.#buffer = NetBuffer.view(memory);
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
    this.#listeners.set(port, handler);
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

  /** Data held for a hand-over is shown now. */
  unpause(connection: TliConnection): void {
    if (!connection.paused) return;
    connection.paused = false;
    if (connection.heldHead !== 0 || connection.endedPending) this.resume(connection);
  }

  consumed(connection: TliConnection, count: number): void {
    if (!this.connections.isCurrent(connection)) return;
    const owed = Math.min(count, connection.owedBytes);
    connection.owedBytes -= owed;
    this.#receives.consumed(connection, owed);
  }

  abort(connection: TliConnection): void {
    if (connection.aborted || connection.handler === null) return;
    connection.aborted = true;
    connection.sendClosed = true;
    const tcb = this.#transport.at(connection.slot);
    if (connection.closePending) {
      // Already closed in order; what it held nobody will see.
      this.#receives.dropHeld(connection);
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

  // --- events from Transport ---

  upcall(kind: Upcall, slot: number, argument: number): void {
    const known = this.connections.get(slot);
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
        this.sends.sent(known, argument);
        return;
      case Upcall.FinAcknowledged:
        if (known) known.finAcked = true;
        return;
      case Upcall.TimeWait:
        if (known) this.#finish(known, CloseReason.Normal);
        return;
      case Upcall.Closed:
        this.#closed(known, slot, argument as CloseReason);
        return;
      case Upcall.Resume:
        if (known) this.#showHeld(known);
        return;
      case Upcall.Room:
        this.sends.roomArrived();
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
    connection.handler = listener;
    listener.connected(connection);
    this.watcher?.candidate(connection);
  }

  #adopt(slot: number): TliConnection {
    const connection = new TliConnection(this, slot);
    this.connections.set(slot, connection);
    const tcb = this.#transport.at(slot);
    connection.remoteAddress = tcb.remoteAddress;
    connection.remotePort = tcb.remotePort;
    connection.localAddress = tcb.localAddress;
    connection.localPort = tcb.localPort;
    this.active++;
    return connection;
  }

  #closed(connection: TliConnection | null, slot: number, reason: CloseReason): void {
    this.sends.freeChain(connection, this.#transport.takeSendQueue(slot));
    if (connection !== null) {
      this.#finish(connection, reason);
      // In order, but not all seen: the slot stays until the application has taken it (#finishPending).
      if (connection.closePending) connection.releasePending = true;
      else this.#release(connection);
    } else {
      this.#transport.free(slot);
    }
  }

  // --- data and events of a connection, from Transport or from a device ---

  received(connection: TliConnection, address: number): void {
    this.#receives.received(connection, address);
  }

  #showHeld(connection: TliConnection): void {
    if (!this.#receives.showHeld(connection)) return;
    if (connection.endedPending) {
      connection.endedPending = false;
      if (!connection.aborted) connection.handler?.ended(connection);
      this.#finishIfDone(connection);
    }
    if (connection.closePending && connection.heldHead === 0) this.#finishPending(connection);
  }

  /** It was closed while something was held, and now that is gone. */
  #finishPending(connection: TliConnection): void {
    connection.closePending = false;
    this.#finish(connection, CloseReason.Normal);
    // Being CLOSED is not enough: what says so may still be on its way up, and would find another in the slot.
    if (connection.releasePending) this.#release(connection);
  }

  peerClosed(connection: TliConnection): void {
    if (connection.peerClosed || connection.aborted) return;
    connection.peerClosed = true;
    if (connection.heldHead !== 0 || connection.paused) {
      connection.endedPending = true;
      return;
    }
    connection.handler?.ended(connection);
    this.#finishIfDone(connection);
  }

  // --- completions of the data calls, from a device ---

  sendComplete(context: number, address: number, status: number): void {
    const connection = this.connections.byHandle(context === 0 ? this.#buffer.at(address).connection : context);
    if (status === NdisStatus.Success || connection === null) {
      this.sends.sent(connection, address);
    } else if (status === NdisStatus.UploadInProgress) {
      // The call crossed the end of the offload: the work is done again where the state is now.
      const last = (this.#buffer.at(address).flags & NetBufferFlag.Disconnect) !== 0;
      const { cookie } = this.#buffer;
      connection.sendsOutstanding--;
      this.sends.submit(connection, address, cookie, last);
    } else {
      this.sends.freeSend(address);
      connection.sendsOutstanding--;
    }
  }

  disconnectComplete(context: number, address: number, status: number): void {
    const connection = this.connections.byHandle(context);
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
    this.#receives.dropHeld(connection);
    this.sends.freeChain(connection, connection.queuedHead);
    connection.queuedHead = 0;
    this.connections.set(connection.slot, null);
    this.active--;
    this.#transport.free(connection.slot);
  }

  // --- ends of hand-overs, from the chimney ---

  #releaseCalls(connection: TliConnection): void {
    this.sends.releaseQueued(connection);
    const abortDue = connection.queuedAbort;
    connection.queuedAbort = false;
    if (!abortDue || connection.handler === null) return;
    connection.aborted = false;
    this.abort(connection);
  }

  /** An initiate was answered: held calls go where the state is now (Figure 3, 322). */
  handedOver(connection: TliConnection): void {
    const tcb = this.#transport.at(connection.slot);
    if (tcb.offloadState === OffloadState.Offloaded) {
      connection.everOffloaded = true;
      this.#receives.giveCreditIfDue(connection);
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
}
