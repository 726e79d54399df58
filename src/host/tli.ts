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
import { OffloadState } from '../offload/offload-state.ts';
import { CloseReason } from '../tcp/effects.ts';
import { TcpCachedFlag, TcpDelegatedFlag, TcpState } from '../tcp/tcb.ts';
import { Closing } from './closing.ts';
import { TliConnection } from './connection.ts';
import type { HostOffloadOptions } from './offload-options.ts';
import { ReceiveSide } from './receive-side.ts';
import { SendSide } from './send-side.ts';
import { TliConnections } from './tli-connections.ts';
import type { Transport } from './transport.ts';
import type { TransferSource } from './transport-offload.ts';
import { Upcall, type UpcallTarget } from './upcalls.ts';

export class TliSwitch extends TliConnections implements UpcallTarget, TransferSource {
  readonly memory: Memory;
  /** What `send`, `write` and `disconnect` of a connection come to. */
  readonly sends: SendSide;
  /** What comes of received bytes and posted receives. */
  readonly receives: ReceiveSide;
  readonly closing: Closing;
  readonly #forms: HostOffloadOptions;
  readonly #buffer: Cursor<typeof NetBuffer.fields>;
  accepted = 0;

  constructor(
    memory: Memory,
    transport: Transport,
    descriptors: BufferPool,
    copies: BufferPool,
    options: HostOffloadOptions,
  ) {
    super(transport);
    this.memory = memory;
    this.#forms = options;
    this.sends = new SendSide(memory, transport, descriptors, copies);
    this.receives = new ReceiveSide(memory, transport, this.connections, descriptors);
    this.closing = new Closing(transport, this.sends, this.receives, this.options);
    this.#buffer = NetBuffer.view(memory);
  }

  protected make(slot: number): TliConnection {
    const connection = new TliConnection(this, slot);
    this.receives.open(connection);
    return connection;
  }

  /** Data held for a hand-over is shown now. */
  unpause(connection: TliConnection): void {
    if (!connection.paused) return;
    connection.paused = false;
    if (this.receives.holds(connection) || connection.endedPending) this.resume(connection);
  }

  consumed(connection: TliConnection, count: number): void {
    if (!this.connections.isCurrent(connection)) return;
    const owed = Math.min(count, connection.owedBytes);
    connection.owedBytes -= owed;
    this.receives.consumed(connection, owed);
  }

  resume(connection: TliConnection): void {
    this.transport.upcalls.push(Upcall.Resume, connection.slot, 0);
  }

  postReceive(connection: TliConnection, address: number, length: number, cookie: number, noPush: boolean): boolean {
    if (!this.connections.isCurrent(connection)) return false;
    return this.receives.post(connection, address, length, cookie, noPush);
  }

  // --- events from Transport ---

  upcall(kind: Upcall, slot: number, argument: number): void {
    const known = this.connections.get(slot);
    switch (kind) {
      case Upcall.Accepted:
        this.#acceptedConnection(slot);
        return;
      case Upcall.Connected:
        known!.bornAt = this.transport.now;
        known!.handler?.connected(known!);
        this.watcher?.candidate(known!);
        return;
      case Upcall.Confirmed:
        if (known) this.watcher?.candidate(known);
        return;
      case Upcall.Urgent:
        known?.handler?.urgent?.(known, argument);
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
      case Upcall.Settle:
        if (known) this.#settle(known);
        return;
      case Upcall.Credit:
        if (known) this.receives.credit.tell(known);
        return;
      case Upcall.Room:
        this.sends.roomArrived();
    }
  }

  #acceptedConnection(slot: number): void {
    const connection = this.adopt(slot);
    this.accepted++;
    connection.bornAt = this.transport.now;
    const listener = this.listenerOf(connection.localPort);
    if (listener === undefined) {
      this.transport.abort(slot);
      return;
    }
    connection.handler = listener;
    if (this.transport.listeners.of(slot)?.acceptsLater === false) this.accept(connection);
    listener.connected(connection);
    // One that was opened by its SYN alone (RFC 7413) is nobody's to take over yet.
    if (this.transport.at(slot).state !== TcpState.SynReceived) this.watcher?.candidate(connection);
  }

  #closed(connection: TliConnection | null, slot: number, reason: CloseReason): void {
    this.sends.freeChain(connection, this.transport.takeSendQueue(slot));
    if (connection !== null) {
      this.#finish(connection, reason);
      // In order, but not all seen: the slot stays until the application has taken it (#finishPending).
      if (connection.closePending) connection.releasePending = true;
      else this.#release(connection);
    } else {
      this.transport.free(slot);
    }
  }

  // --- data and events of a connection, from Transport or from a device ---

  received(connection: TliConnection, address: number): void {
    this.receives.received(connection, address);
    this.#delivered(connection);
  }

  /** NdisTcpOffloadReceiveHandler. */
  indicated(connection: TliConnection, address: number): void {
    this.receives.indicated(connection, address);
    this.#delivered(connection);
  }

  receiveComplete(context: number, address: number, status: number): void {
    const handle = context === 0 ? this.#buffer.at(address).connection : context;
    this.receives.completed(this.connections.byHandle(handle), address, status);
  }

  #showHeld(connection: TliConnection): void {
    this.receives.resume(connection);
    this.#delivered(connection);
  }

  /** The application is not called inside of a completion. */
  #settleLater(connection: TliConnection): void {
    if (this.receives.isIdle(connection) && !connection.endedPending) return;
    this.transport.upcalls.push(Upcall.Settle, connection.slot, 0);
  }

  #settle(connection: TliConnection): void {
    this.receives.settle(connection);
    this.#delivered(connection);
  }

  /** Bytes may have been delivered: an end that waited for that is told. */
  #delivered(connection: TliConnection): void {
    if (!connection.endedPending && !connection.closePending) return;
    if (connection.paused || this.receives.holds(connection)) return;
    if (connection.endedPending) this.#end(connection);
    if (connection.closePending) this.#finishPending(connection);
  }

  #end(connection: TliConnection): void {
    connection.endedPending = false;
    this.receives.ended(connection);
    if (!connection.aborted) connection.handler?.ended(connection);
    this.#finishIfDone(connection);
  }

  /** FIN indicated by a device. One of an older epoch will be told again, behind what went back. */
  endIndicated(connection: TliConnection, epoch: number): void {
    if (epoch === connection.epoch) this.peerClosed(connection);
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
    if (this.receives.holds(connection) || connection.paused) connection.endedPending = true;
    else this.#end(connection);
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
      this.sends.submit(connection, address, cookie, last, true);
    } else {
      this.sends.freeSend(address);
      connection.sendsOutstanding--;
    }
  }

  disconnectComplete(context: number, address: number, status: number): void {
    const connection = this.connections.byHandle(context);
    // All bytes of its buffer are acknowledged unless the connection was cut.
    if (address !== 0) this.sendComplete(context, address, status === NdisStatus.RequestAborted ? status : 0);
    // An abort is done again where the state will be; a FIN is in the state.
    if (connection?.aborted && status === NdisStatus.UploadInProgress) connection.queuedAbort = true;
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
    if (reason === CloseReason.Normal && (this.receives.holds(connection) || connection.endedPending)) {
      if (connection.closePending) return;
      connection.closePending = true;
      connection.paused = false;
      this.resume(connection);
      return;
    }
    connection.closePending = false;
    this.receives.abortPosted(connection);
    connection.handler = null;
    handler.closed(connection, reason);
  }

  /** The last of a connection: buffers it held go back, the slot is free. */
  #release(connection: TliConnection): void {
    this.receives.dropHeld(connection);
    this.sends.freeChain(connection, connection.queuedHead);
    connection.queuedHead = 0;
    this.connections.set(connection.slot, null);
    this.active--;
    this.transport.free(connection.slot);
  }

  // --- ends of hand-overs, from the chimney ---

  #releaseCalls(connection: TliConnection): void {
    this.sends.releaseQueued(connection);
    // Waiting, or given to a device that had stopped before.
    const abortDue = connection.aborted;
    connection.queuedAbort = false;
    if (!abortDue || connection.handler === null) return;
    connection.aborted = false;
    this.closing.abort(connection);
  }

  /** What travels with a connection that is offloaded, as the options say. */
  give(slot: number): TliConnection {
    const connection = this.connections.at(slot);
    const { bufferedData, buffers } = this.#forms;
    if (bufferedData === 'state') connection.givenHeld = this.receives.takeHeld(connection);
    if (buffers === 'in-request') connection.givenReceives = this.receives.takePosted(connection);
    return connection;
  }

  /** An initiate was answered: held calls go where the state is now (Figure 3, 322). */
  handedOver(connection: TliConnection): void {
    const tcb = this.transport.at(connection.slot);
    const { givenHeld, givenReceives } = connection;
    connection.givenHeld = 0;
    connection.givenReceives = 0;
    if (tcb.offloadState === OffloadState.Offloaded) {
      connection.everOffloaded = true;
      this.receives.handedOver(connection);
      if (givenHeld !== 0) this.receives.gave(connection, givenHeld);
    } else {
      this.receives.restore(connection, givenHeld, givenReceives);
      tcb.rcvPending = this.receives.pendingBytes(connection);
      connection.credit = 0;
      this.transport.transmit(connection.slot);
    }
    if (connection.optionsChanged) {
      connection.optionsChanged = false;
      this.options.changed(connection);
    }
    this.#releaseCalls(connection);
    this.#settleLater(connection);
    this.unpause(connection);
  }

  /** A terminate was answered. `lost`: the device could not give the state back; the connection cannot go on. */
  takenBack(connection: TliConnection, lost: boolean, pathChanged: boolean): void {
    const { slot } = connection;
    const tcb = this.transport.at(slot);
    connection.credit = 0;
    if (lost) {
      tcb.state = TcpState.Closed;
      tcb.timers = 0;
      tcb.sendDataHead = 0;
    }
    this.receives.takenBack(connection, lost ? 0 : tcb.bufferedData);
    tcb.bufferedData = 0;
    tcb.rcvPending = this.receives.pendingBytes(connection);
    connection.optionsChanged = false;
    // D19: a device does not tell of a FIN in front of which it still had bytes.
    if ((tcb.delegatedFlags & TcpDelegatedFlag.FinReceived) !== 0 && !connection.peerClosed) {
      connection.peerClosed = true;
      connection.endedPending = true;
    }
    this.#settleLater(connection);
    if (tcb.state === TcpState.Closed) {
      // RFC 9293 3.10.7.1: from here on segments find nobody, though the slot may wait for the application.
      this.transport.table.remove(slot);
      // An orderly end has been told of before; what is left is FIN-WAIT-2's patience, or a peer that does not answer.
      const isPatient = (tcb.cachedFlags & TcpCachedFlag.HalfClosed) !== 0;
      const gaveUp = connection.finAcked && !isPatient ? CloseReason.Normal : CloseReason.TimedOut;
      this.#closed(connection, slot, lost ? CloseReason.Reset : gaveUp);
      return;
    }
    if (tcb.state === TcpState.TimeWait) this.#finish(connection, CloseReason.Normal);
    if (pathChanged) this.transport.connectionPathChanged(slot);
    else this.transport.transmit(slot);
    this.#releaseCalls(connection);
  }
}
