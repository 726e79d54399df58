/**
 * NDIS: adapters and the dispatch tables through which layers and devices talk, and through nothing else (R32).
 *
 * `ProviderTable` are the calls down (NDIS_PROVIDER_CHIMNEY_OFFLOAD_{GENERIC,TCP}_CHARACTERISTICS and the send path),
 * `ClientTable` the calls up (NDIS_CLIENT_…). Both are plain objects of functions, exchanged at bind; `patch` replaces an
 * entry by one that may call the original. Patches stack, and unwind in any order.
 *
 * Buffers and blocks are addresses in the machine's memory. A call hands them over: the callee owns them until it
 * answers through the other table.
 */
import { assert } from '../base/assert.ts';
import { NO_OFFLOAD, type OffloadCapabilities } from '../offload/capabilities.ts';

/** Calls down. */
export interface ProviderTable {
  /** MiniportSendNetBufferLists: one NET_BUFFER with a whole frame. Answer: sendFrameComplete. */
  sendFrame(buffer: number): void;
  /** MiniportReturnNetBufferLists: a receive buffer goes back to the device it came from. No answer. */
  returnBuffer(buffer: number): void;
  initiateOffload(root: number): void;
  terminateOffload(root: number): void;
  updateOffload(root: number): void;
  invalidateOffload(root: number): void;
  queryOffload(root: number): void;
  /** Figure 3, second half: the state of objects that initiate only made room for, one layer's list at a time. */
  loadOffloadState(root: number): void;
  /** Handles are the ones that initiate wrote into the blocks. */
  tcpOffloadSend(handle: number, chain: number): void;
  tcpOffloadReceive(handle: number, chain: number): void;
  tcpOffloadDisconnect(handle: number, chain: number, flags: number): void;
  tcpOffloadForward(handle: number, buffer: number): void;
  tcpOffloadReceiveReturn(handle: number, bytes: number): void;
  /** The answer to `indicateReceive` when not all was taken: the buffer is the device's again, `consumed` bytes are not. */
  tcpIndicationRefused(handle: number, buffer: number, consumed: number): void;
  /** Set of OID_…_OFFLOAD_STATS: the counters of one OffloadStatsFamily become zero. */
  setStatistics(family: number): void;
  /** OID_802_3_…: frames to this address are the adapter's. */
  setMac(macHi: number, macLo: number): void;
}

/** Calls up. `context` is the NdisOffloadHandle of the block. */
export interface ClientTable {
  /** NdisMIndicateReceiveNetBufferLists. The callee returns the buffer with returnBuffer. */
  receiveFrame(buffer: number): void;
  sendFrameComplete(buffer: number): void;
  /** The same root that went down, each block with its status. */
  initiateOffloadComplete(root: number): void;
  terminateOffloadComplete(root: number): void;
  updateOffloadComplete(root: number): void;
  invalidateOffloadComplete(root: number): void;
  queryOffloadComplete(root: number): void;
  loadOffloadStateComplete(root: number): void;
  tcpOffloadSendComplete(context: number, buffer: number, status: number): void;
  tcpOffloadReceiveComplete(context: number, buffer: number, status: number): void;
  /** `buffer` is 0 when the disconnect carried none. */
  tcpOffloadDisconnectComplete(context: number, buffer: number, status: number): void;
  tcpOffloadForwardComplete(context: number, buffer: number, status: number): void;
  /** NdisTcpOffloadReceiveHandler: the callee owns the buffer until returnBuffer, or gives it back by tcpIndicationRefused. */
  indicateReceive(context: number, buffer: number): void;
  /** NdisTcpOffloadEventHandler: TcpOffloadEvent and its argument. */
  indicateEvent(context: number, event: number, argument: number): void;
  /** NdisMOffloadEventIndicate, of a neighbor: OffloadEventCode and its argument. */
  indicateOffloadEvent(context: number, code: number, argument: number): void;
  /** NdisMIndicateStatusEx: NdisStatus codes of media and offload. */
  indicateStatus(status: number): void;
}

export class Adapter {
  readonly name: string;
  readonly mtu: number;
  macHi: number;
  macLo: number;
  linkUp = true;
  /** Ids of the receive pools whose buffers come up through this adapter, so that they find their way back. */
  readonly poolIds: number[] = [];
  capabilities: OffloadCapabilities = NO_OFFLOAD;
  /** What the layer above calls. */
  readonly down: ProviderTable;
  /** What the device below calls; set at bind. */
  up: ClientTable = UNBOUND;

  constructor(name: string, macHi: number, macLo: number, mtu: number, down: ProviderTable) {
    this.name = name;
    this.macHi = macHi;
    this.macLo = macLo;
    this.mtu = mtu;
    this.down = down;
  }

  /** Exchanges tables: `client` hears from this adapter from now on (NdisOpenAdapterEx). */
  bind(client: ClientTable): void {
    assert(this.up === UNBOUND, `${this.name} is bound once`);
    this.up = client;
  }

  unbind(): void {
    this.up = UNBOUND;
  }
}

/** Until somebody binds, indications have no one to go to. */
function unbound(): never {
  assert(false, 'the adapter is bound before it indicates');
}

const UNBOUND: ClientTable = {
  receiveFrame: unbound,
  sendFrameComplete: unbound,
  initiateOffloadComplete: unbound,
  terminateOffloadComplete: unbound,
  updateOffloadComplete: unbound,
  invalidateOffloadComplete: unbound,
  queryOffloadComplete: unbound,
  loadOffloadStateComplete: unbound,
  tcpOffloadSendComplete: unbound,
  tcpOffloadReceiveComplete: unbound,
  tcpOffloadDisconnectComplete: unbound,
  tcpOffloadForwardComplete: unbound,
  indicateReceive: unbound,
  indicateEvent: unbound,
  indicateOffloadEvent: unbound,
  indicateStatus: () => {},
};

type Entry = (...args: never[]) => void;
interface Patched {
  readonly original: Entry;
  /** Outermost last. */
  readonly layers: { wrap: (next: Entry) => Entry }[];
}
const patches = new WeakMap<object, Map<string, Patched>>();

/**
 * Replaces `table[name]` by `wrap(next)`, where `next` is what was there (R32, ¶71). Returns the undo, which may be
 * called in any order with those of other patches: the chain is rebuilt from what is left.
 */
export function patch<T extends object, K extends keyof T & string>(
  table: T,
  name: K,
  wrap: (next: T[K]) => T[K],
): () => void {
  let entries = patches.get(table);
  if (entries === undefined) patches.set(table, (entries = new Map()));
  let entry = entries.get(name);
  if (entry === undefined) entries.set(name, (entry = { original: table[name] as Entry, layers: [] }));
  const layer = { wrap: wrap as unknown as (next: Entry) => Entry };
  entry.layers.push(layer);
  rebuild(table, name, entry);
  return () => {
    const index = entry.layers.indexOf(layer);
    if (index < 0) return;
    entry.layers.splice(index, 1);
    rebuild(table, name, entry);
  };
}

function rebuild<T extends object>(table: T, name: keyof T, entry: Patched): void {
  let current = entry.original;
  for (const layer of entry.layers) current = layer.wrap(current);
  table[name] = current as T[keyof T];
}
