/**
 * Watches one host of a simulated machine and writes down what happens as the events of a ladder: the trace of the
 * layers, block lists where they pass from one adapter to the next, data calls and their completions, frames on the
 * cables, the application's calls and upcalls, and the administrator's event log.
 *
 * It looks on only: dispatch tables are patched by wrappers that call the original (R33).
 */
import type { AssembledHost } from '../../assemble-host.ts';
import { statusName } from '../../base/status.ts';
import type { FrameTap } from '../../fabric/capture.ts';
import { type Adapter, patch } from '../../host/ndis.ts';
import type { Memory } from '../../memory/memory.ts';
import { NetBuffer } from '../../memory/net-buffer.ts';
import type { Simulation } from '../../simulation.ts';
import { type BlockNode, readBlockTree } from '../block-tree.ts';
import type { LadderEvent, LadderKind } from '../ladder.ts';
import { BlockLabels } from './block-labels.ts';
import type { ConnectionNames } from './connection-names.ts';
import { FrameReader } from './frame-reader.ts';
import { stepOf } from './steps.ts';

/** Above a team: whichever virtual adapter the list came through. */
const VLANS = 'vlans';
const OPERATIONS = ['initiate', 'terminate', 'update', 'invalidate', 'query'] as const;

export class Recorder implements FrameTap {
  readonly events: LadderEvent[] = [];
  readonly frames: FrameReader;
  readonly #sim: Simulation;
  readonly #host: AssembledHost;
  readonly #memory: Memory;
  readonly #labels: BlockLabels;
  readonly #names: ConnectionNames;
  /** Events of connections that are not followed. */
  leftOut = 0;
  #followed = Number.MAX_SAFE_INTEGER;
  #recording = false;
  #startUs = 0;
  /** The NIC whose indication is on its way up, and the connection whose call is on its way down. */
  #risingFrom = '';
  #calling = '';
  /** Lists on their way, by root. */
  readonly #vlanOf = new Map<number, string>();

  constructor(sim: Simulation, names: ConnectionNames) {
    this.#sim = sim;
    this.#host = sim.host;
    this.#memory = sim.memory;
    this.#names = names;
    this.#labels = new BlockLabels(sim.memory, names);
    this.frames = new FrameReader(sim.memory, names);
    const { host } = this.#host;
    const top = host.interfaces.map(({ adapter }) => adapter);
    const members = host.miniports.map(({ adapter }) => adapter);
    // The last patch is the outermost: calls pass the top adapter first, indications the NIC first.
    for (const adapter of members) this.#watchCallsBelow(adapter);
    for (const adapter of top) this.#watchCallsAbove(adapter);
    for (const adapter of members) this.#watchIndications(adapter);
    const { team, vlans } = this.#host;
    if (team !== null && vlans !== null) this.#watchBlocks(team.adapter, VLANS);
    for (const adapter of members) this.#watchBlocks(adapter, team?.adapter.name ?? (vlans === null ? 'ndis' : VLANS));
    sim.fabric.addTap(this);
    host.log.subscribe(({ kind, subject, text }) => this.#record('log', subject, '', `${kind} ${text}`.trim()));
  }

  /** From now on, time 0. */
  begin(): void {
    this.#recording = true;
    this.#startUs = this.#sim.clock.nowUs();
    this.#host.host.setTrace({ emit: (actor, to, text) => this.#traced(actor, to, text) });
  }

  /** Of more connections than these, data, frames and application calls are left out and counted. */
  follow(connections: number): void {
    this.#followed = connections;
  }

  /** Everybody between the application and the wire. */
  get participants(): string[] {
    const { host, team, vlans } = this.#host;
    const virtual = host.interfaces.map(({ adapter }) => adapter.name);
    const drivers = [...(vlans === null ? [] : virtual), ...(team === null ? [] : [team.adapter.name])];
    const nics = host.miniports.map(({ adapter }) => adapter.name);
    return ['app', 'tli', 'transport', 'network', 'framing', 'ndis', ...drivers, ...nics, 'wire'];
  }

  act(text: string, step: string): void {
    this.#record('act', '', '', text, null, step);
  }

  application(down: boolean, text: string): void {
    this.#record('application', down ? 'app' : 'tli', down ? 'tli' : 'app', text);
  }

  #record(
    kind: LadderKind,
    from: string,
    to: string,
    text: string,
    tree: readonly BlockNode[] | null = null,
    step = stepOf(from, to, text),
  ): void {
    if (!this.#recording) return;
    if (tree === null && Number(/\bc(\d+)\b/.exec(text)?.[1] ?? 0) > this.#followed) {
      this.leftOut++;
      return;
    }
    this.events.push({ us: this.#sim.clock.nowUs() - this.#startUs, kind, from, to, text, step, tree });
  }

  #traced(actor: string, to: string, text: string): void {
    // The answer to a data call is written down with its connection, below.
    if (/^(send|disconnect) complete:/.test(text)) return;
    const last = this.events.at(-1);
    const isSame = last !== undefined && last.from === actor && last.to === 'ndis' && last.text === text;
    if (isSame && last.tree !== null) {
      // The list that came up from the device, and the layer that hears of it first.
      this.events.pop();
      this.#record('call', actor, to, text, last.tree);
    } else this.#record('call', actor, to, text);
  }

  // --- block lists between adapters ---

  #watchBlocks(adapter: Adapter, above: string): void {
    const { name } = adapter;
    for (const operation of OPERATIONS) {
      patch(adapter.down, `${operation}Offload`, next => root => {
        this.#listDown(above, name, operation, root);
        next(root);
      });
      patch(adapter.up, `${operation}OffloadComplete`, next => root => {
        const tree = readBlockTree(this.#memory, root, this.#labels.of(name, `${operation} complete`));
        this.#record('call', name, this.#aboveOf(above, root), `${operation} complete`, tree);
        next(root);
      });
    }
  }

  #listDown(above: string, name: string, operation: string, root: number): void {
    const tree = readBlockTree(this.#memory, root, this.#labels.of(name, operation));
    const last = this.events.at(-1);
    const isSame = last !== undefined && last.to === name && last.text.startsWith(operation) && last.tree === null;
    if (isSame && last.us === this.#sim.clock.nowUs() - this.#startUs) {
      this.events[this.events.length - 1] = { ...last, tree };
    } else {
      // With VLANs above, the virtual adapter that the stack has just called.
      const virtual = this.#host.vlans?.virtuals.map(each => each.name) ?? [];
      const caller = this.events.findLast(({ to }) => virtual.includes(to))?.to;
      if (above === VLANS && caller !== undefined) this.#vlanOf.set(root, caller);
      this.#record('call', this.#aboveOf(above, root), name, `${operation} offload`, tree);
    }
  }

  #aboveOf(above: string, root: number): string {
    return above === VLANS ? (this.#vlanOf.get(root) ?? above) : above;
  }

  // --- data calls ---

  #watchCallsAbove(adapter: Adapter): void {
    const named =
      <A extends unknown[]>(next: (handle: number, ...rest: A) => void) =>
      (handle: number, ...rest: A): void => {
        this.#calling = this.#ownerOf(handle);
        next(handle, ...rest);
      };
    patch(adapter.down, 'tcpOffloadSend', named);
    patch(adapter.down, 'tcpOffloadDisconnect', named);
    for (const [entry, what] of [
      ['tcpOffloadSendComplete', 'send'],
      ['tcpOffloadDisconnectComplete', 'disconnect'],
    ] as const) {
      patch(adapter.up, entry, next => (context, buffer, status) => {
        const from = this.#risingFrom === '' ? adapter.name : this.#risingFrom;
        this.#record(
          'data',
          from,
          'tli',
          `${what} complete ${this.#contextName(context, buffer)}: ${statusName(status)}`,
        );
        next(context, buffer, status);
      });
    }
    patch(adapter.up, 'indicateReceive', next => (context, buffer) => {
      const name = this.#contextName(context, buffer);
      this.#record('data', this.#risingFrom, 'tli', `indicate ${name} ${this.#bytesOf(buffer)} bytes`);
      next(context, buffer);
    });
  }

  #watchCallsBelow(adapter: Adapter): void {
    patch(adapter.down, 'tcpOffloadSend', next => (handle, chain) => {
      this.#record('data', 'tli', adapter.name, `send ${this.#calling} ${this.#bytesOf(chain)} bytes`);
      next(handle, chain);
    });
    patch(adapter.down, 'tcpOffloadDisconnect', next => (handle, chain, flags) => {
      const bytes = chain === 0 ? '' : ` with ${this.#bytesOf(chain)} bytes`;
      this.#record('data', 'tli', adapter.name, `disconnect ${this.#calling}${bytes}`);
      next(handle, chain, flags);
    });
  }

  #watchIndications(adapter: Adapter): void {
    for (const entry of ['tcpOffloadSendComplete', 'tcpOffloadDisconnectComplete'] as const) {
      patch(adapter.up, entry, next => (context, buffer, status) => {
        this.#risingFrom = adapter.name;
        next(context, buffer, status);
        this.#risingFrom = '';
      });
    }
    patch(adapter.up, 'indicateReceive', next => (context, buffer) => {
      this.#risingFrom = adapter.name;
      next(context, buffer);
      this.#risingFrom = '';
    });
    patch(adapter.up, 'receiveFrame', next => buffer => {
      const { dataAddress, dataLength } = NetBuffer.view(this.#memory).at(buffer);
      this.#record('frame', adapter.name, 'framing', this.frames.describe(dataAddress, dataLength, false));
      next(buffer);
    });
  }

  #bytesOf(chain: number): number {
    let bytes = 0;
    for (let at = chain; at !== 0; at = NetBuffer.view(this.#memory).at(at).next) {
      bytes += NetBuffer.view(this.#memory).at(at).dataLength;
    }
    return bytes;
  }

  /** The connection that has this handle of the device's. */
  #ownerOf(handle: number): string {
    const { tli, transport } = this.#host.host;
    let name = '';
    tli.connections.forEach(connection => {
      if (transport.at(connection.slot).offloadHandle === handle) name = this.#names.of(connection);
    });
    return name;
  }

  #contextName(context: number, buffer: number): string {
    const handle = context === 0 ? NetBuffer.view(this.#memory).at(buffer).connection : context;
    const connection = this.#host.host.tli.connections.byHandle(handle);
    return connection === null ? '' : this.#names.of(connection);
  }

  // --- the cables ---

  frame(interfaceId: number, _nowUs: number, frameAt: number, length: number, outbound: boolean): void {
    const nic = this.#sim.fabric.cables[interfaceId]!.name;
    if (!this.#host.host.miniports.some(({ adapter }) => adapter.name === nic)) return;
    const text = this.frames.describe(frameAt, length, outbound);
    if (!outbound) this.#record('frame', 'wire', nic, text);
    else if (this.frames.byDevice) this.#record('frame', nic, 'wire', text);
    else this.#record('frame', 'framing', 'wire', `${text} (${nic})`);
  }
}
