/**
 * The rules of frames and data calls (digest §3.3, §3.6–§3.8): to whom a call may go, that each buffer is answered once
 * and in order, and what may be indicated when.
 */
import { NdisStatus, statusName } from '../../base/status.ts';
import { DisconnectFlag } from '../../offload/descriptors.ts';
import { TcpOffloadEvent } from '../../offload/events.ts';
import { Custody } from './buffer-ledger.ts';
import { type CheckedObject, Phase, TCP_LAYER, violation } from './checked-object.ts';
import type { Checked } from './operation-rules.ts';

const ANSWERS: readonly number[] = [
  NdisStatus.Success,
  NdisStatus.UploadInProgress,
  NdisStatus.RequestAborted,
  NdisStatus.RequestUpload,
  NdisStatus.UploadRequested,
];
const RECEIVE_ANSWERS: readonly number[] = [...ANSWERS, NdisStatus.InvalidState];

export class DataRules {
  readonly #checked: Checked;

  constructor(checked: Checked) {
    this.#checked = checked;
  }

  // --- frames ---

  sendFrame(buffer: number): void {
    this.#checked.ledger.enter(this.#checked.owner, buffer, Custody.Frame, null);
  }

  sendFrameComplete(buffer: number): void {
    this.#checked.ledger.leave(this.#checked.owner, buffer, 'sendFrameComplete', Custody.Frame);
  }

  receiveFrame(buffer: number): void {
    this.#checked.ledger.enter(this.#checked.owner, buffer, Custody.Received, null);
  }

  /** Also of a connection that is gone: returns are the exception of invariant 7. */
  returnBuffer(buffer: number): void {
    this.#checked.ledger.leave(this.#checked.owner, buffer, 'returnBuffer', Custody.Received, Custody.Indicated);
  }

  indicationRefused(buffer: number): void {
    this.#checked.ledger.leave(this.#checked.owner, buffer, 'tcpIndicationRefused', Custody.Indicated);
  }

  // --- calls of the host ---

  send(handle: number, chain: number): void {
    const { owner, ledger, reader } = this.#checked;
    const object = this.#target(Custody.Send, handle);
    for (const buffer of reader.chain(chain)) {
      ledger.enter(owner, buffer, Custody.Send, object);
      object.sends.add(buffer);
    }
  }

  receive(handle: number, chain: number): void {
    const { owner, ledger, reader } = this.#checked;
    const object = this.#target(Custody.Receive, handle);
    for (const buffer of reader.chain(chain)) {
      ledger.enter(owner, buffer, Custody.Receive, object);
      object.receives.add(buffer);
    }
  }

  disconnect(handle: number, chain: number, flags: number): void {
    const { owner, objects, ledger, reader } = this.#checked;
    const object = this.#target(Custody.Disconnect, handle);
    object.disconnects++;
    if (chain !== 0 && flags === DisconnectFlag.Abortive) {
      violation(objects, `abortive tcpOffloadDisconnect of ${object.name} carries data (digest §3.7)`);
    }
    for (const buffer of reader.chain(chain)) {
      ledger.enter(owner, buffer, Custody.Disconnect, object);
      object.sends.add(buffer);
    }
  }

  forward(handle: number, buffer: number): void {
    const { owner, ledger } = this.#checked;
    const object = this.#target(Custody.Forward, handle);
    ledger.leave(owner, buffer, Custody.Forward, Custody.Received);
    ledger.enter(owner, buffer, Custody.Forward, object);
    object.forwards.add(buffer);
  }

  /** New work goes to an object that the device has, and that was not asked back (§3.3, §3.6). */
  #target(call: string, handle: number): CheckedObject {
    const { objects } = this.#checked;
    const object = objects.find(TCP_LAYER, handle);
    if (object === undefined)
      violation(objects, `${call} to 0x${handle.toString(16)}, which is no connection of the device`);
    if (object.phase !== Phase.Offloaded) violation(objects, `${call} to ${object.name} (digest §3.3, §3.6)`);
    object.used = true;
    return object;
  }

  // --- completions of the device ---

  sendComplete(context: number, buffer: number, status: number): void {
    const object = this.#answered('tcpOffloadSendComplete', context, buffer, Custody.Send, Custody.Disconnect);
    this.#inOrder('tcpOffloadSendComplete', object, object.sends, buffer);
    this.#status('tcpOffloadSendComplete', object, status, ANSWERS);
  }

  receiveComplete(context: number, buffer: number, status: number): void {
    const object = this.#answered('tcpOffloadReceiveComplete', context, buffer, Custody.Receive);
    this.#inOrder('tcpOffloadReceiveComplete', object, object.receives, buffer);
    this.#status('tcpOffloadReceiveComplete', object, status, RECEIVE_ANSWERS);
  }

  /** The FIN is behind all data: success means that nothing before it is outstanding (§3.7). */
  disconnectComplete(context: number, buffer: number, status: number): void {
    const call = 'tcpOffloadDisconnectComplete';
    const object =
      buffer === 0
        ? this.#indicated(call, context)
        : this.#answered(call, context, buffer, Custody.Disconnect, Custody.Send);
    if (buffer !== 0) this.#inOrder(call, object, object.sends, buffer);
    this.#status(call, object, status, ANSWERS);
    if (status === NdisStatus.Success && object.sends.size > 0) {
      violation(this.#checked.objects, `${call} of ${object.name} before its ${object.sends.size} sends (digest §3.7)`);
    }
    if (object.disconnects > 0) object.disconnects--;
    else if (object.inheritedFin) object.inheritedFin = false;
    else violation(this.#checked.objects, `${call} of ${object.name}, of which there is no disconnect (invariant 3)`);
  }

  forwardComplete(context: number, buffer: number, status: number): void {
    const { owner, ledger } = this.#checked;
    const object = this.#answered('tcpOffloadForwardComplete', context, buffer, Custody.Forward);
    object.forwards.delete(buffer);
    this.#status('tcpOffloadForwardComplete', object, status, ANSWERS);
    ledger.enter(owner, buffer, Custody.Received, null);
  }

  #answered(call: string, context: number, buffer: number, ...custodies: readonly Custody[]): CheckedObject {
    const { owner, objects, ledger } = this.#checked;
    const object = ledger.leave(owner, buffer, call, ...custodies).object!;
    if (object.phase === Phase.Offloading) violation(objects, `${call} of ${object.name} (B02)`);
    if (object.phase === Phase.Gone) violation(objects, `${call} of ${object.name} (invariant 7)`);
    // A device that no longer knows the connection cannot say whose it was (¶57).
    const isKnown = context === object.context || (context === 0 && object.phase === Phase.Uploading);
    if (!isKnown) violation(objects, `${call} of ${object.name} says context ${context}, it is ${object.context}`);
    return object;
  }

  #inOrder(call: string, object: CheckedObject, outstanding: Set<number>, buffer: number): void {
    const [first] = outstanding;
    if (first !== buffer) {
      violation(this.#checked.objects, `${call} of ${object.name}: buffer ${buffer} before ${first} (digest §3.7)`);
    }
    outstanding.delete(buffer);
  }

  #status(call: string, object: CheckedObject, status: number, allowed: readonly number[]): void {
    if (allowed.includes(status)) return;
    violation(this.#checked.objects, `${call} of ${object.name} is ${statusName(status)} (digest §3.7)`);
  }

  // --- indications of the device ---

  indicateReceive(context: number, buffer: number): void {
    const { owner, objects, ledger } = this.#checked;
    const object = this.#indicated('indicateReceive', context);
    if (object.phase === Phase.Offloading) violation(objects, `indicateReceive of ${object.name} (B02)`);
    object.used = true;
    ledger.enter(owner, buffer, Custody.Indicated, object);
  }

  /** @param epoch of the delivery, for the end of the stream */
  indicateEvent(context: number, event: number, epoch: number): void {
    const { objects } = this.#checked;
    const object = this.#indicated('indicateEvent', context);
    if (event === TcpOffloadEvent.IndicateDisconnect) {
      // Bytes that were refused, or a post, change the epoch: the end is told again behind them, once (E01, E12).
      if (object.endEpoch === epoch)
        violation(objects, `indicateEvent: disconnect of ${object.name} for the second time (digest §3.8)`);
      object.endEpoch = epoch;
    } else if (event === TcpOffloadEvent.IndicateAbort) {
      if (object.aborted) violation(objects, `indicateEvent: abort of ${object.name} for the second time (E15)`);
      object.aborted = true;
    }
  }

  /** Of a neighbor (§3.9); one whose list carried no context cannot be told. */
  indicateOffloadEvent(context: number): void {
    const { objects } = this.#checked;
    if (objects.inContext(0, context) !== undefined) return;
    violation(objects, `indicateOffloadEvent of context ${context}, which is no neighbor of the device (invariant 7)`);
  }

  #indicated(call: string, context: number): CheckedObject {
    const { objects } = this.#checked;
    const object = objects.inContext(TCP_LAYER, context);
    if (object === undefined) {
      violation(objects, `${call} of context ${context}, which is no connection of the device (invariant 7)`);
    }
    return object;
  }
}
