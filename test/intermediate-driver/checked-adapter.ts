/**
 * An adapter under the checker, driven by hand from both sides: what a host issues goes down, what a device would complete
 * goes up. Neither side does anything by itself.
 */
import { Adapter, type ClientTable, type ProviderTable } from '../../src/host/ndis.ts';
import { OffloadChecker } from '../../src/intermediate-driver/diagnostics/offload-checker.ts';
import { createMemory, type Memory, type Region } from '../../src/memory/memory.ts';
import { NetBuffer } from '../../src/memory/net-buffer.ts';
import { Block, BLOCK_HEADER_BYTES, BlockPool, BlockRole, OffloadStateType } from '../../src/offload/block-list.ts';
import { TcbLayout, TcpConstFlag, TcpState } from '../../src/tcp/tcb.ts';

const DOWN = [
  'sendFrame',
  'returnBuffer',
  'initiateOffload',
  'terminateOffload',
  'updateOffload',
  'invalidateOffload',
  'queryOffload',
  'loadOffloadState',
  'tcpOffloadSend',
  'tcpOffloadReceive',
  'tcpOffloadDisconnect',
  'tcpOffloadForward',
  'tcpOffloadReceiveReturn',
  'tcpIndicationRefused',
  'setStatistics',
  'setMac',
] as const satisfies readonly (keyof ProviderTable)[];
const UP = [
  'receiveFrame',
  'sendFrameComplete',
  'initiateOffloadComplete',
  'terminateOffloadComplete',
  'updateOffloadComplete',
  'invalidateOffloadComplete',
  'queryOffloadComplete',
  'loadOffloadStateComplete',
  'tcpOffloadSendComplete',
  'tcpOffloadReceiveComplete',
  'tcpOffloadDisconnectComplete',
  'tcpOffloadForwardComplete',
  'indicateReceive',
  'indicateEvent',
  'indicateOffloadEvent',
  'indicateStatus',
] as const satisfies readonly (keyof ClientTable)[];

/** A table whose entries only note their calls. */
function noting<T>(names: readonly string[], calls: string[]): T {
  return Object.fromEntries(
    names.map(name => [name, (...args: number[]) => void calls.push(`${name}(${args.join(', ')})`)]),
  ) as T;
}

const BUFFERS_AT = 128 * 1024;

export interface Chain {
  readonly neighbor: number;
  readonly path: number;
  readonly tcp: number;
}

export class CheckedAdapter {
  readonly memory: Memory = createMemory(256 * 1024);
  readonly region: Region = { name: 'blocks', offset: 64 * 1024, byteLength: 64 * 1024 };
  readonly pool = new BlockPool(this.memory, this.region);
  readonly adapter: Adapter;
  readonly checker: OffloadChecker;
  /** Calls that came through, either way. */
  readonly calls: string[] = [];
  #buffers = 0;
  #handles = 0x100;

  constructor() {
    this.adapter = new Adapter('nic0', 0, 1, 1500, noting<ProviderTable>(DOWN, this.calls));
    this.adapter.bind(noting<ClientTable>(UP, this.calls));
    this.checker = new OffloadChecker(this.memory, this.region, this.adapter).attach();
  }

  get down(): ProviderTable {
    return this.adapter.down;
  }

  get up(): ClientTable {
    return this.adapter.up;
  }

  at(address: number) {
    return Block.view(this.memory).at(address);
  }

  state(address: number) {
    return TcbLayout.view(this.memory).at(address + BLOCK_HEADER_BYTES);
  }

  /** A block, with those that depend on it. */
  block(type: OffloadStateType, role: number, handle: number, dependents: readonly number[] = []): number {
    const address = this.pool.allocate(type);
    const block = this.at(address);
    block.role = role;
    block.offloadHandle = handle;
    this.link(address, dependents);
    return address;
  }

  link(address: number, dependents: readonly number[]): void {
    const [first = 0] = dependents;
    this.at(address).dependentBlockList = first;
    dependents.forEach((each, index) => (this.at(each).nextBlock = dependents[index + 1] ?? 0));
  }

  neighbor(role: number, handle: number, dependents: readonly number[] = []): number {
    return this.block(OffloadStateType.Neighbor, role, handle, dependents);
  }

  path(role: number, handle: number, dependents: readonly number[] = []): number {
    return this.block(OffloadStateType.Ip4, role, handle, dependents);
  }

  /** A new connection's block: ESTABLISHED at 1000 and 2000, with timestamps. */
  connection(context: number): number {
    const address = this.block(OffloadStateType.Tcp, BlockRole.New, 0);
    this.at(address).ndisOffloadHandle = context;
    const state = this.state(address);
    state.state = TcpState.Established;
    state.constFlags = TcpConstFlag.Timestamp;
    state.rcvNxt = 1000;
    state.sndUna = state.sndNxt = state.sndMax = 2000;
    state.tsTime = 5000;
    return address;
  }

  buffer(next = 0): number {
    const address = BUFFERS_AT + 64 * this.#buffers++;
    NetBuffer.view(this.memory).at(address).next = next;
    return address;
  }

  /** What a device that takes everything writes. */
  succeed(...blocks: readonly number[]): void {
    for (const address of blocks) {
      const block = this.at(address);
      block.status = 0;
      if (block.role === BlockRole.New && block.offloadHandle === 0) block.offloadHandle = this.#handles++;
    }
  }

  /** Offloads a neighbor, a path and a connection of that context; returns their handles. */
  offload(context = 7): Chain {
    const tcp = this.connection(context);
    const path = this.path(BlockRole.New, 0, [tcp]);
    const neighbor = this.neighbor(BlockRole.New, 0, [path]);
    this.down.initiateOffload(neighbor);
    this.succeed(neighbor, path, tcp);
    this.up.initiateOffloadComplete(neighbor);
    return {
      neighbor: this.at(neighbor).offloadHandle,
      path: this.at(path).offloadHandle,
      tcp: this.at(tcp).offloadHandle,
    };
  }

  /** Asks a connection back, alone; returns the root and its block. */
  terminate(handle: number): { root: number; tcp: number } {
    const tcp = this.block(OffloadStateType.TcpDelegated, BlockRole.New, handle);
    const path = this.path(BlockRole.Placeholder, 0, [tcp]);
    const root = this.neighbor(BlockRole.Placeholder, 0, [path]);
    this.down.terminateOffload(root);
    this.succeed(root, path, tcp);
    const state = this.state(tcp);
    state.rcvNxt = 1000;
    state.sndUna = state.sndNxt = state.sndMax = 2000;
    state.tsTime = 5000;
    return { root, tcp };
  }
}
