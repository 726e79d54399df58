/**
 * Query (R22, ¶55): what a device knows of an object at this moment, for statistics and diagnostics. Ownership does not
 * move; queries of one object may overlap (C14).
 *
 * The answer is shown to a callback: a status, and a cursor on the state, valid during the call. Delegated fields are as
 * of the query: timers as remainders, -1 where none runs; SendBacklogSize in `sendDataHead`, ReceiveBacklogSize in
 * `bufferedData` (C13).
 */
import type { Memory } from '../memory/memory.ts';
import {
  Block,
  BLOCK_HEADER_BYTES,
  type BlockCursor,
  type BlockPool,
  BlockRole,
  OffloadStateType,
} from '../offload/block-list.ts';
import { NeighborState, PathState } from '../offload/state-objects.ts';
import { type Tcb, TcbLayout } from '../tcp/tcb.ts';
import type { ConnectionObject } from './connection-object.ts';
import type { Adapter } from './ndis.ts';
import type { Neighbor } from './neighbor.ts';
import { isThere, type OffloadedObject } from './offloaded-object.ts';
import type { Path } from './path.ts';

type Cursors = {
  path: ReturnType<typeof PathState.view>;
  neighbor: ReturnType<typeof NeighborState.view>;
};

interface Question {
  readonly object: OffloadedObject;
  readonly adapter: Adapter;
  readonly answer: (status: number, stateAt: number) => void;
}

export class Queries {
  readonly #blocks: BlockPool;
  readonly #block: BlockCursor;
  readonly #tcp: Tcb;
  readonly #path: Cursors['path'];
  readonly #neighbor: Cursors['neighbor'];
  readonly #out = new Map<number, Question>();

  constructor(memory: Memory, blocks: BlockPool) {
    this.#blocks = blocks;
    this.#block = Block.view(memory);
    this.#tcp = TcbLayout.view(memory);
    this.#path = PathState.view(memory);
    this.#neighbor = NeighborState.view(memory);
  }

  /** False: it is on no device, or there is no block for the question now. */
  connection(object: ConnectionObject, adapter: Adapter, answer: (status: number, tcb: Tcb) => void): boolean {
    return this.#ask(OffloadStateType.Tcp, 0, {
      object,
      adapter,
      answer: (status, at) => answer(status, this.#tcp.at(at)),
    });
  }

  path(path: Path, answer: (status: number, state: Cursors['path']) => void): boolean {
    return this.#ask(path.blockType, 0, {
      object: path,
      adapter: path.iface.adapter,
      answer: (status, at) => answer(status, this.#path.at(at)),
    });
  }

  neighbor(neighbor: Neighbor, answer: (status: number, state: Cursors['neighbor']) => void): boolean {
    return this.#ask(OffloadStateType.Neighbor, neighbor.id, {
      object: neighbor,
      adapter: neighbor.iface.adapter,
      answer: (status, at) => answer(status, this.#neighbor.at(at)),
    });
  }

  #ask(type: OffloadStateType, context: number, question: Question): boolean {
    const { object, adapter } = question;
    const address = isThere(object) ? this.#blocks.allocate(type) : 0;
    if (address === 0) return false;
    const block = this.#block.at(address);
    block.role = BlockRole.Linker;
    block.offloadHandle = object.offloadHandle;
    block.ndisOffloadHandle = context;
    object.callsOut++;
    this.#out.set(address, question);
    adapter.down.queryOffload(address);
    return true;
  }

  complete(root: number): boolean {
    const question = this.#out.get(root);
    if (question === undefined) return false;
    this.#out.delete(root);
    question.object.callsOut--;
    question.answer(this.#block.at(root).status, root + BLOCK_HEADER_BYTES);
    this.#blocks.free(root);
    return true;
  }
}
