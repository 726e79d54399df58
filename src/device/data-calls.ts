/**
 * The data calls of the interface in the device (digest §3.7): send, receive, disconnect, forward, receive return.
 *
 * Each names a connection by its handle. A handle that is stale is no fault: the call crossed the end of the offload, and is
 * answered UPLOAD_IN_PROGRESS (¶57). A chain that lies outside of the window is one.
 */
import { NdisStatus } from '../base/status.ts';
import type { Memory, Window } from '../memory/memory.ts';
import { NetBuffer, NetBufferFlag } from '../memory/net-buffer.ts';
import { Completion, Submission } from '../offload/descriptors.ts';
import type { DescriptorQueue } from '../ring/descriptor-queue.ts';
import type { NetBufferCursor } from '../tcp/send-queue.ts';
import { parseTcp, TcpHeader, TcpParse } from '../wire/tcp.ts';
import { isChainGranted } from './granted.ts';
import { NicFault } from './nic-fault.ts';
import type { NicStatistics } from './statistics.ts';
import type { TcpFirmware } from './tcp-firmware.ts';

export class DataCalls {
  readonly #memory: Memory;
  readonly #window: Window;
  readonly #firmware: TcpFirmware;
  readonly #host: DescriptorQueue;
  readonly #stats: NicStatistics;
  readonly #buffer: NetBufferCursor;
  readonly #tcp = new TcpHeader();
  /** Of the call that was answered with a reason. */
  fault: NicFault = NicFault.None;

  constructor(memory: Memory, window: Window, firmware: TcpFirmware, host: DescriptorQueue, stats: NicStatistics) {
    this.#memory = memory;
    this.#window = window;
    this.#firmware = firmware;
    this.#host = host;
    this.#stats = stats;
    this.#buffer = NetBuffer.view(memory);
  }

  /** Carries a call out; returns why the device must stop, or ''. */
  call(opcode: number, handle: number, argument: number, flags: number): string {
    const firmware = this.#firmware;
    const slot = firmware.table.slotOfHandle(handle);
    if (slot < 0) {
      // A call that crossed the end of the offload: the host asked for both, its own bookkeeping stands.
      this.#stats.staleHandles++;
      this.#refuse(opcode, argument);
      return '';
    }
    // What is not one of these carries a chain.
    const isChain = opcode !== Submission.TcpReceiveReturn;
    if (isChain && !isChainGranted(this.#window, this.#buffer, argument)) {
      return this.#fault(NicFault.Window, `chain ${argument} of descriptor ${opcode}`);
    }
    switch (opcode) {
      case Submission.TcpSend:
        firmware.send(slot, argument);
        return '';
      case Submission.TcpReceive:
        firmware.post(slot, argument);
        return '';
      case Submission.TcpDisconnect:
        firmware.disconnect(slot, argument, flags);
        return '';
      case Submission.TcpForward:
        this.#forward(slot, argument);
        return '';
      case Submission.TcpIndicationRefused:
        if (firmware.indicationRefused(slot, argument)) return '';
        return this.#fault(NicFault.Protocol, `refused buffer ${argument} was not indicated`);
      case Submission.TcpReceiveReturn:
        firmware.receiveReturn(slot, argument);
        return '';
      default:
        return this.#fault(NicFault.Protocol, `unknown descriptor ${opcode}`);
    }
  }

  #fault(fault: NicFault, why: string): string {
    this.fault = fault;
    return why;
  }

  /** ¶57: data for a connection that is not (or no longer) here goes back, upload in progress. */
  #refuse(opcode: number, argument: number): void {
    if (opcode === Submission.TcpReceiveReturn || argument === 0) return;
    if (opcode === Submission.TcpIndicationRefused) {
      if (this.#firmware.pool.isLent(argument)) this.#firmware.pool.free(argument);
      return;
    }
    // No context: the connection is gone here. The buffer itself says whose it was.
    if (opcode === Submission.TcpForward) {
      this.#host.push(Completion.TcpForwardComplete, 0, argument, NdisStatus.UploadInProgress);
      return;
    }
    if (!isChainGranted(this.#window, this.#buffer, argument)) return;
    const completion = opcode === Submission.TcpReceive ? Completion.TcpReceiveComplete : Completion.TcpSendComplete;
    for (let address = argument; address !== 0;) {
      const buffer = this.#buffer.at(address);
      const { next } = buffer;
      buffer.next = 0;
      this.#host.push(completion, 0, address, NdisStatus.UploadInProgress);
      address = next;
    }
  }

  /** MiniportTcpOffloadForward: one whole TCP segment that reached the host (R29). */
  #forward(slot: number, address: number): void {
    const buffer = this.#buffer.at(address);
    const { dataAddress, dataLength, flags } = buffer;
    const context = this.#firmware.contextOf(slot);
    let status: number = NdisStatus.Success;
    const parsed = parseTcp(this.#memory.view, dataAddress, dataAddress + dataLength, this.#tcp) === TcpParse.Ok;
    this.#tcp.congestionExperienced = (flags & NetBufferFlag.CongestionExperienced) !== 0;
    if (parsed && !this.#firmware.segment(slot, this.#tcp, true)) {
      // It stands still until it is taken back: the device keeps the segment, or the layer does.
      if (this.#firmware.keepForwarded(slot, address)) return;
      status = this.#firmware.corruption.has(slot) ? NdisStatus.RequestAborted : NdisStatus.UploadInProgress;
    }
    this.#host.push(Completion.TcpForwardComplete, context, address, status);
  }
}
