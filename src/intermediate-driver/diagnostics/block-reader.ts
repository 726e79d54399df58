/**
 * Block lists as a checker sees them: each block of a tree with what it said when the list was issued, so that it can be
 * compared with what it says when the list is completed.
 *
 * `Status` is written by the device; until then the checker has put PENDING there, so that a block without a status
 * shows.
 */
import { NdisStatus } from '../../base/status.ts';
import type { Memory, Region } from '../../memory/memory.ts';
import { NetBuffer, NetBufferFlag } from '../../memory/net-buffer.ts';
import {
  Block,
  BLOCK_HEADER_BYTES,
  type BlockCursor,
  BlockWalk,
  layerOf,
  OffloadStateType,
} from '../../offload/block-list.ts';
import { TCP_TRANSFER_OFFSET, TcpTransfer } from '../../offload/tcp-transfer.ts';
import { type Tcb, TcbLayout, TcpConstFlag, TcpState } from '../../tcp/tcb.ts';
import type { CheckedObject, Progress } from './checked-object.ts';

const CHAIN_MAX = 0xffff;
/** Of a block that carries no object of the three layers (R12). */
const NO_LAYER = -1;

export interface CheckedBlock {
  readonly address: number;
  readonly type: number;
  readonly layer: number;
  readonly role: number;
  readonly handle: number;
  readonly context: number;
  readonly nextBlock: number;
  readonly dependentBlockList: number;
  readonly parent: CheckedBlock | null;
  readonly dependents: CheckedBlock[];
  object: CheckedObject | null;
  status: number;
}

export class BlockReader {
  readonly #walk: BlockWalk;
  readonly #block: BlockCursor;
  readonly #buffer;
  readonly #tcb: Tcb;
  readonly #transfer;

  constructor(memory: Memory, blocks: Region) {
    this.#walk = new BlockWalk(memory, blocks);
    this.#block = Block.view(memory);
    this.#buffer = NetBuffer.view(memory);
    this.#tcb = TcbLayout.view(memory);
    this.#transfer = TcpTransfer.view(memory);
  }

  /** The blocks of a tree in walk order, statuses PENDING from now on; null when it is not one. */
  read(root: number): CheckedBlock[] | null {
    const walk = this.#walk;
    const blocks: CheckedBlock[] = [];
    const byAddress = new Map<number, CheckedBlock>();
    for (let address = walk.start(root); address !== 0; address = walk.next()) {
      const { type, role, offloadHandle, ndisOffloadHandle, nextBlock, dependentBlockList } = this.#block.at(address);
      const parent = byAddress.get(walk.parent) ?? null;
      const block: CheckedBlock = {
        address,
        type,
        layer: type === OffloadStateType.FilterReserved ? NO_LAYER : layerOf(type),
        role,
        handle: offloadHandle,
        context: ndisOffloadHandle,
        nextBlock,
        dependentBlockList,
        parent,
        dependents: [],
        object: null,
        status: NdisStatus.Pending,
      };
      parent?.dependents.push(block);
      this.#block.at(address).status = NdisStatus.Pending;
      byAddress.set(address, block);
      blocks.push(block);
    }
    return walk.corrupt ? null : blocks;
  }

  /** Takes the status that the device wrote. False: the block's links are no longer those that it went down with. */
  takeStatus(block: CheckedBlock): boolean {
    const { status, nextBlock, dependentBlockList } = this.#block.at(block.address);
    block.status = status;
    return nextBlock === block.nextBlock && dependentBlockList === block.dependentBlockList;
  }

  handleOf(block: CheckedBlock): number {
    return this.#block.at(block.address).offloadHandle;
  }

  /** The send data that lies with a block. */
  sendChain(block: CheckedBlock): number[] {
    return this.chain(this.#block.at(block.address).netBufferListChain);
  }

  chain(head: number): number[] {
    const buffers: number[] = [];
    for (let address = head; address !== 0 && buffers.length < CHAIN_MAX; address = this.#buffer.next) {
      buffers.push(address);
      this.#buffer.at(address);
    }
    return buffers;
  }

  isDisconnect(buffer: number): boolean {
    return (this.#buffer.at(buffer).flags & NetBufferFlag.Disconnect) !== 0;
  }

  /** Receives that travel in the request (¶76), and segments that the device kept (¶57). */
  postedReceives(block: CheckedBlock): number[] {
    return this.chain(this.#transfer.at(block.address + TCP_TRANSFER_OFFSET).postedReceives);
  }

  keptSegments(block: CheckedBlock): number[] {
    return this.chain(this.#transfer.at(block.address + TCP_TRANSFER_OFFSET).forwardedSegments);
  }

  /** Out-of-order data: the device's buffers at a terminate, the host's at an initiate. */
  outOfOrder(block: CheckedBlock): number[] {
    return this.chain(this.#transfer.at(block.address + TCP_TRANSFER_OFFSET).outOfOrder);
  }

  // --- the state behind a connection's block ---

  tcpState(block: CheckedBlock): number {
    return this.#stateOf(block).state;
  }

  /** A FIN was sent and is not acknowledged. */
  finSent(block: CheckedBlock): boolean {
    const { state } = this.#stateOf(block);
    return state === TcpState.FinWait1 || state === TcpState.Closing || state === TcpState.LastAck;
  }

  bufferedData(block: CheckedBlock): number[] {
    return this.chain(this.#stateOf(block).bufferedData);
  }

  /** @param stamps whether the connection uses timestamps; a list that does not carry CONST cannot say */
  progress(block: CheckedBlock, stamps = (this.#stateOf(block).constFlags & TcpConstFlag.Timestamp) !== 0): Progress {
    const { rcvNxt, sndUna, sndMax, tsTime } = this.#stateOf(block);
    return { rcvNxt, sndUna, sndMax, tsTime: stamps ? tsTime : null };
  }

  #stateOf(block: CheckedBlock): Tcb {
    return this.#tcb.at(block.address + BLOCK_HEADER_BYTES);
  }
}
