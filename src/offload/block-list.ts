/**
 * Block lists: the tree that carries any number of connections, paths and neighbors in one call (R10, R11, Figure 5).
 *
 *   neighbor ──next──► neighbor …          next:      same layer
 *      │ dependent                         dependent: the layer above
 *      ▼
 *     path ──next──► path …
 *      │ dependent
 *      ▼
 *     TCP ──next──► TCP …
 *
 * A block is a 64-byte header (NDIS_PROTOCOL/MINIPORT_OFFLOAD_BLOCK_LIST) with its state behind it, in a slot of the
 * host's block region. Where the shipped structure has a pointer to the handle (MiniportOffloadContext), ours holds the
 * handle itself, in and out: the block lies in memory that both sides see.
 */
import { assert } from '../base/assert.ts';
import type { Kernels } from '../memory/kernels.ts';
import type { Memory, Region } from '../memory/memory.ts';
import { type Cursor, record, u16, u8, word } from '../memory/record.ts';

export const Block = record('OFFLOAD_BLOCK_LIST', 64, {
  type: u8('Header.Type: OffloadStateType'),
  role: u8('BlockRole, for initiate'),
  revision: u16('Header.Revision of the state behind the block'),
  nextBlock: word('NextBlock: next of the same layer, or 0'),
  dependentBlockList: word('DependentBlockList: first of the layer above, or 0'),
  status: word('Status: NDIS_STATUS of this block, written by the device'),
  offloadHandle: word(
    '*MiniportOffloadContext: the device’s handle; in for linkers and all later operations, out for new',
  ),
  ndisOffloadHandle: word('NdisOffloadHandle: handle of the layer above, passed back in indications'),
  protocolReserved0: word('the host’s'),
  protocolReserved1: word('the host’s'),
  miniportReserved0: word('the device’s'),
  miniportReserved1: word('the device’s'),
  imReserved0: word('the intermediate driver’s'),
  imReserved1: word('the intermediate driver’s'),
  scratch: word('of the current owner; undefined after a hand-over'),
  sourceHandle: word('NDIS routing: saved and restored by intermediate drivers'),
  portNumber: word('0 = default'),
  netBufferListChain: word('outstanding send data, first NET_BUFFER or 0'),
});
export type BlockCursor = Cursor<typeof Block.fields>;

/** OFFLOAD_STATE_TYPE, with the header’s numbers; combined types carry const, cached and delegated. */
export const OffloadStateType = {
  NeighborCached: 2,
  NeighborDelegated: 3,
  Neighbor: 4,
  Ip4Cached: 6,
  Ip4Delegated: 7,
  Ip4: 8,
  Ip6Cached: 10,
  Ip6Delegated: 11,
  Ip6: 12,
  TcpCached: 14,
  TcpDelegated: 15,
  Tcp: 17,
  /** FilterReserved: the block that an intermediate driver puts under a neighbor (R12). */
  FilterReserved: 0xfe,
} as const;
export type OffloadStateType = (typeof OffloadStateType)[keyof typeof OffloadStateType];

/** 2.2 of the digest: what initiate does with a block. */
export const BlockRole = {
  /** New: allocate, take the state behind the block. */
  New: 0,
  /** Linker: the object exists under `offloadHandle`; it carries new dependents (R7). */
  Linker: 1,
  /** Placeholder: neither handle nor state; only there to hold the tree together. */
  Placeholder: 2,
  /** New, and its state follows later (LoadOffloadState): only its ResourceNeeds stand behind the block. */
  Reserve: 3,
} as const;

export const BLOCK_HEADER_BYTES = Block.byteLength;
/** Header, TCP state (248), what travels beside it (tcp-transfer.ts), and room for later kinds of state object (R20). */
export const BLOCK_SLOT_BYTES = 512;
/** Connections that one list may carry; a host of fewer makes no larger ones. */
export const BLOCK_LIST_MAX = 131_072;
/** Neighbor, path, TCP. */
export const BLOCK_DEPTH_MAX = 3;

export function layerOf(type: number): number {
  if (type <= OffloadStateType.Neighbor) return 0;
  if (type <= OffloadStateType.Ip6) return 1;
  return 2;
}

/** Of the types of a path: is it one of IPv6? */
export function isIpv6Type(type: number): boolean {
  return type > OffloadStateType.Ip4 && type <= OffloadStateType.Ip6;
}

/** The host's store of blocks. One thread owns it; a block belongs to the device between request and completion. */
export class BlockPool {
  readonly start: number;
  readonly end: number;
  readonly capacity: number;
  readonly #free: Int32Array;
  readonly #kernels: Kernels;
  readonly #cursor: BlockCursor;
  #available: number;

  constructor(memory: Memory, region: Region) {
    this.capacity = Math.floor(region.byteLength / BLOCK_SLOT_BYTES);
    this.start = region.offset;
    this.end = region.offset + this.capacity * BLOCK_SLOT_BYTES;
    this.#kernels = memory.kernels;
    this.#free = new Int32Array(this.capacity);
    for (let i = 0; i < this.capacity; i++) this.#free[i] = this.start + (this.capacity - 1 - i) * BLOCK_SLOT_BYTES;
    this.#available = this.capacity;
    this.#cursor = Block.view(memory);
  }

  get available(): number {
    return this.#available;
  }

  get inUse(): number {
    return this.capacity - this.#available;
  }

  /** The number of a block from 0 on, -1 for an address that is none. */
  indexOf(address: number): number {
    const from = address - this.start;
    if (from < 0 || address >= this.end || from % BLOCK_SLOT_BYTES !== 0) return -1;
    return from / BLOCK_SLOT_BYTES;
  }

  /** A zeroed block, or 0 when there is none. */
  allocate(type: OffloadStateType): number {
    if (this.#available === 0) return 0;
    const address = this.#free[--this.#available]!;
    this.#kernels.zero(address, BLOCK_SLOT_BYTES);
    this.#cursor.at(address).type = type;
    return address;
  }

  free(address: number): void {
    assert(address >= this.start && address < this.end, 'the block is of this pool');
    this.#cursor.at(address).type = 0;
    this.#free[this.#available++] = address;
  }
}

/**
 * Walks a tree depth first, then breadth: block, its dependents, its next (digest §2.3) — the order in which scarce
 * resources make the most whole chains. No recursion on `nextBlock`; three saved addresses are the whole stack.
 *
 *   for (let at = walk.start(root); at !== 0; at = walk.next()) …
 *
 * Pointers come from shared memory: each is checked against the bounds before use; a bad one ends the walk and sets
 * `corrupt`.
 */
export class BlockWalk {
  readonly #cursor: BlockCursor;
  readonly #low: number;
  readonly #high: number;
  readonly #parents = new Int32Array(BLOCK_DEPTH_MAX);
  #level = 0;
  #at = 0;
  #budget = 0;
  corrupt = false;

  constructor(memory: Memory, region: Region) {
    this.#cursor = Block.view(memory);
    this.#low = region.offset;
    this.#high = region.offset + region.byteLength;
  }

  /** Layers below the block in hand: 0 for a root. */
  get level(): number {
    return this.#level;
  }

  /** The block that the one in hand depends on, or 0. */
  get parent(): number {
    return this.#level === 0 ? 0 : this.#parents[this.#level - 1]!;
  }

  start(root: number): number {
    this.#level = 0;
    this.corrupt = false;
    // Every block is visited once: a longer walk is a loop in the links.
    this.#budget = Math.ceil((this.#high - this.#low) / BLOCK_SLOT_BYTES);
    this.#at = this.#checked(root);
    return this.#at;
  }

  next(skipDependents = false): number {
    const cursor = this.#cursor.at(this.#at);
    const dependent = cursor.dependentBlockList;
    if (dependent !== 0 && !skipDependents) {
      if (this.#level + 1 >= BLOCK_DEPTH_MAX) {
        this.corrupt = true;
        return 0;
      }
      this.#parents[this.#level] = this.#at;
      this.#level++;
      this.#at = this.#checked(dependent);
      return this.#at;
    }
    let at = this.#at;
    for (;;) {
      const next = this.#cursor.at(at).nextBlock;
      if (next !== 0) {
        this.#at = this.#checked(next);
        return this.#at;
      }
      if (this.#level === 0) return 0;
      this.#level--;
      at = this.#parents[this.#level]!;
    }
  }

  #checked(address: number): number {
    const inside = address >= this.#low && address + BLOCK_SLOT_BYTES <= this.#high;
    if (!inside || (address & 3) !== 0 || this.#budget-- <= 0) {
      this.corrupt = true;
      return 0;
    }
    return address;
  }
}
