/**
 * TCP entries of a NIC: made room for, loaded with their state, set going (digest §3.2, §4.4).
 *
 * Room and state may come in one request (as shipped) or one after the other (Figure 3); both end here. Nothing of the
 * host's memory is kept but what was handed over: send chains and posted receives.
 */
import { NdisStatus } from '../base/status.ts';
import type { Memory, Window } from '../memory/memory.ts';
import { BLOCK_HEADER_BYTES } from '../offload/block-list.ts';
import { importDelegated } from '../offload/handover.ts';
import { SentTransfer } from '../offload/sent-transfer.ts';
import { StateRange } from '../offload/state-objects.ts';
import { TCP_TRANSFER_OFFSET, TcpTransfer } from '../offload/tcp-transfer.ts';
import type { NicBoot } from '../ring/nic-layout.ts';
import { segmentSizeFor } from '../tcp/segment-size.ts';
import { adoptOutOfOrder } from '../tcp/reassembly.ts';
import { resumePushing } from '../tcp/nagle.ts';
import { findRecordEnds } from '../tcp/record-end.ts';
import { mayOffload, TcpConstFlag, TcpDelegatedFlag } from '../tcp/tcb.ts';
import { isChainGranted } from './granted.ts';
import type { InvertedTree } from './inverted-tree.ts';
import { NO_MEMORY, ReceivedCopies } from './received-copies.ts';
import type { NicStatistics } from './statistics.ts';
import type { TcpFirmware } from './tcp-firmware.ts';

export class TcpLoader {
  readonly #memory: Memory;
  readonly #window: Window;
  readonly #boot: NicBoot;
  readonly #firmware: TcpFirmware;
  readonly #tree: InvertedTree;
  readonly #stats: NicStatistics;
  readonly #transfer;
  readonly #copies: ReceivedCopies;
  readonly #sent: SentTransfer;
  /** Slots loaded by the request in hand, to be set going after its completion, and the receives that came along (¶76). */
  readonly #loaded: Int32Array;
  readonly #receives: Int32Array;
  #loadedCount = 0;
  /** Copies for the connection in hand. */
  #buffered = 0;
  #outOfOrder = 0;

  constructor(
    memory: Memory,
    boot: NicBoot,
    window: Window,
    firmware: TcpFirmware,
    tree: InvertedTree,
    stats: NicStatistics,
  ) {
    this.#memory = memory;
    this.#window = window;
    this.#boot = boot;
    this.#firmware = firmware;
    this.#tree = tree;
    this.#stats = stats;
    this.#transfer = TcpTransfer.view(memory);
    this.#copies = new ReceivedCopies(memory, window, firmware.pool);
    this.#sent = new SentTransfer(memory);
    this.#loaded = new Int32Array(boot.config.tcpEntries);
    this.#receives = new Int32Array(boot.config.tcpEntries);
  }

  /** A slot on a path, without state; -1 when there is none. */
  reserve(path: number, context: number): number {
    const tree = this.#tree;
    const { table, tcb } = this.#firmware;
    const slot = table.allocate();
    if (slot < 0) {
      this.#stats.offloadsRefused++;
      return -1;
    }
    tree.attachConnection(path, slot);
    tree.placeNeighbor(tree.path.neighbor);
    tcb.at(table.addressOf(slot));
    tcb.localAddress = tree.path.localAddress;
    tcb.remoteAddress = tree.path.remoteAddress;
    tcb.path = path;
    tcb.context = context;
    tcb.vid = tree.neighborState.vlanId;
    return slot;
  }

  /** The state behind a block goes into a slot: live from now on, or refused and given up. */
  load(slot: number, blockAt: number): number {
    const firmware = this.#firmware;
    const { table, tcb } = firmware;
    tcb.at(table.addressOf(slot));
    this.#memory.kernels.copy(tcb.base, blockAt + BLOCK_HEADER_BYTES, StateRange.tcp.all);
    let status = this.#judge(slot);
    if (status === NdisStatus.Success) {
      status = this.#copyReceived(slot, blockAt);
      if (status !== NdisStatus.Success) this.#firmware.pool.release(slot);
    }
    if (status !== NdisStatus.Success) {
      this.release(slot);
      this.#stats.offloadsRefused++;
      return status;
    }
    tcb.bufferedData = 0;
    // With the state's own request the path was new as well: what it says is known only now.
    this.#tree.placePath(tcb.path);
    tcb.localAddress = this.#tree.path.localAddress;
    tcb.remoteAddress = this.#tree.path.remoteAddress;
    this.#tree.placeNeighbor(this.#tree.path.neighbor);
    tcb.vid = this.#tree.neighborState.vlanId;
    tcb.effectiveMss = Math.min(tcb.effectiveMss, segmentSizeFor(tcb, this.#tree.pathState.pathMtu));
    importDelegated(tcb, firmware.now, firmware);
    resumePushing(tcb, firmware.buffers);
    findRecordEnds(tcb, firmware.buffers);
    adoptOutOfOrder(tcb, this.#outOfOrder, firmware.buffers);
    this.#sent.take(tcb, blockAt, firmware.now, firmware.sent);
    const finReceived = (tcb.delegatedFlags & TcpDelegatedFlag.FinReceived) !== 0;
    firmware.delivery.load(slot, tcb.context, this.#buffered, finReceived);
    table.insert(slot);
    firmware.begin(slot);
    this.#stats.offloadsTaken++;
    this.#receives[this.#loadedCount] = this.#transfer.at(blockAt + TCP_TRANSFER_OFFSET).postedReceives;
    this.#loaded[this.#loadedCount++] = slot;
    return NdisStatus.Success;
  }

  /** Whether the device can serve a connection with the state that the cursor is on. */
  #judge(slot: number): number {
    const { tcb } = this.#firmware;
    if (!mayOffload(tcb.state)) return NdisStatus.Failure;
    const refusal = this.refusalOf(tcb.initialRcvWnd, tcb.constFlags);
    if (refusal !== NdisStatus.Success) return refusal;
    if (!this.#isGranted(tcb.sendDataHead)) return NdisStatus.Failure;
    return this.#firmware.pool.reserve(slot) ? NdisStatus.Success : NdisStatus.OffloadTcpRcvBuffer;
  }

  /** A19, A21: what this device cannot do, each with its own status. */
  refusalOf(initialRcvWnd: number, constFlags: number): number {
    const { rcvWindowMax, target } = this.#boot.config;
    if (initialRcvWnd > rcvWindowMax) return NdisStatus.OffloadTcpRcvWindow;
    if ((constFlags & TcpConstFlag.Sack) !== 0 && !target.supportsSack) return NdisStatus.NotSupported;
    if ((constFlags & TcpConstFlag.Timestamp) !== 0 && !target.supportsTimestamps) return NdisStatus.NotSupported;
    if ((constFlags & TcpConstFlag.Ecn) !== 0 && !target.supportsEcn) return NdisStatus.NotSupported;
    return NdisStatus.Success;
  }

  /** Gives a slot up that has not gone live. */
  release(slot: number): void {
    const { table, tcb } = this.#firmware;
    tcb.at(table.addressOf(slot));
    this.#tree.detachConnection(tcb.path, slot);
    table.free(slot);
  }

  /** A request begins. */
  begin(): void {
    this.#loadedCount = 0;
  }

  /** After the completion is on its way: loaded connections may transmit and indicate (B02). */
  start(): void {
    for (let i = 0; i < this.#loadedCount; i++) {
      const slot = this.#loaded[i]!;
      const receives = this.#receives[i]!;
      if (receives !== 0 && this.#isGranted(receives)) this.#firmware.post(slot, receives);
      this.#firmware.kick(slot);
    }
    this.#loadedCount = 0;
  }

  /**
   * Both chains or none; a status. Out-of-order text that finds no room is no reason to refuse, unless the peer has been told of
   * it: what was SACKed is never dropped (RFC 2018 8), so the connection stays where it is until there is room.
   */
  #copyReceived(slot: number, blockAt: number): number {
    const { tcb } = this.#firmware;
    const copies = this.#copies;
    this.#buffered = copies.copy(slot, tcb.bufferedData, true);
    if (this.#buffered < 0) return NdisStatus.Failure;
    this.#outOfOrder = copies.copy(slot, this.#transfer.at(blockAt + TCP_TRANSFER_OFFSET).outOfOrder, false);
    if (this.#outOfOrder >= 0) return NdisStatus.Success;
    const isReadable = this.#outOfOrder === NO_MEMORY;
    this.#outOfOrder = 0;
    if (isReadable && (tcb.constFlags & TcpConstFlag.Sack) === 0) return NdisStatus.Success;
    copies.free(this.#buffered);
    return isReadable ? NdisStatus.OffloadTcpRcvBuffer : NdisStatus.Failure;
  }

  /** An adopted send chain must lie where the device may read. */
  #isGranted(head: number): boolean {
    return isChainGranted(this.#window, this.#firmware.buffers, head);
  }
}
