/**
 * What a block of a list is, in words: a neighbor's MAC and VLAN, a path's addresses, a connection's name and variables.
 *
 * State is behind the block when it is given; afterwards the handle stands for it, so labels are remembered by handle,
 * each adapter's for itself, because drivers translate handles.
 */
import type { Memory } from '../../memory/memory.ts';
import { NeighborState, PathState } from '../../offload/state-objects.ts';
import { TcbLayout } from '../../tcp/tcb.ts';
import { formatMac } from '../../wire/ethernet.ts';
import { formatIpv4 } from '../../wire/ipv4-text.ts';
import type { BlockNode } from '../block-tree.ts';
import type { ConnectionNames } from './connection-names.ts';

/** Which state stands behind the blocks of an operation's list: everything, what the device gave back, or nothing. */
type StateBehind = 'all' | 'delegated' | 'none';

export class BlockLabels {
  readonly #memory: Memory;
  readonly #names: ConnectionNames;
  readonly #known = new Map<string, string>();

  constructor(memory: Memory, names: ConnectionNames) {
    this.#memory = memory;
    this.#names = names;
  }

  /** For `readBlockTree`: `operation` as in `initiate` or `terminate complete`. */
  of(adapter: string, operation: string): (layer: BlockNode['layer'], handle: number, stateAt: number) => string {
    const behind: StateBehind =
      operation === 'terminate complete' ? 'delegated' : /^(initiate|update)/.test(operation) ? 'all' : 'none';
    let path = '';
    return (layer, handle, stateAt) => {
      const key = `${adapter} ${layer} ${handle}`;
      if (operation.startsWith('initiate') && this.#hasState(layer, stateAt)) {
        const label = layer === 'T' ? this.#connection(stateAt, path) : this.#lower(layer, stateAt);
        if (layer === 'P') path = formatIpv4(PathState.view(this.#memory).at(stateAt).destinationAddress);
        if (operation === 'initiate') return label;
        const short = layer === 'T' ? label.split(' ')[0]! : label.split(',')[0]!;
        if (handle !== 0) this.#known.set(key, short);
        return short;
      }
      const known = this.#known.get(key) ?? '';
      if (layer === 'P') path = / to (\S+)/.exec(known)?.[1] ?? '';
      if (layer === 'N' && behind === 'all' && operation.startsWith('update')) return this.#lower(layer, stateAt);
      if (layer === 'T' && behind === 'delegated') return `${known} ${this.#variables(stateAt, known)}`.trim();
      return known;
    };
  }

  /** A linker or placeholder carries none. */
  #hasState(layer: BlockNode['layer'], stateAt: number): boolean {
    if (layer === 'N') return NeighborState.view(this.#memory).at(stateAt).dlDestinationHi !== 0;
    if (layer === 'P') return PathState.view(this.#memory).at(stateAt).destinationAddress !== 0;
    return layer === 'T';
  }

  #lower(layer: BlockNode['layer'], stateAt: number): string {
    if (layer === 'N') {
      const { dlDestinationHi, dlDestinationLo, vlanId } = NeighborState.view(this.#memory).at(stateAt);
      return formatMac(dlDestinationHi, dlDestinationLo) + (vlanId === 0 ? '' : ` VID ${vlanId}`);
    }
    const { sourceAddress, destinationAddress, pathMtu } = PathState.view(this.#memory).at(stateAt);
    return `${formatIpv4(sourceAddress)} to ${formatIpv4(destinationAddress)}, MTU ${pathMtu}`;
  }

  #connection(stateAt: number, destination: string): string {
    const { remotePort } = TcbLayout.view(this.#memory).at(stateAt);
    const name = this.#names.find(destination, remotePort);
    return `${name} ${this.#variables(stateAt, name)}`;
  }

  /** Sequence numbers from the start of the connection. */
  #variables(stateAt: number, name: string): string {
    const { sndUna, sndNxt, rcvNxt, sendDataBytes } = TcbLayout.view(this.#memory).at(stateAt);
    const { local, remote } = this.#names.starts(name);
    const queued = sendDataBytes === 0 ? '' : `, ${sendDataBytes} queued`;
    return `SND.UNA ${(sndUna - local) | 0} SND.NXT ${(sndNxt - local) | 0} RCV.NXT ${(rcvNxt - remote) | 0}${queued}`;
  }
}
