/**
 * A stage with streams: connections from the peers to the host that is watched, open when the ladder begins, and checks
 * that every byte came through, both ways.
 */
import type { TliConnection } from '../../host/connection.ts';
import { OFFLOAD_STATE_NAMES } from '../../offload/offload-state.ts';
import { Stage, type StageOptions, addressOf, SERVER_ADDRESS } from './stage.ts';
import { STREAM_BYTES, StreamEnd } from './streams.ts';

const PORT = 80;
const FIRST_PORT = 5001;

export class Talk extends Stage {
  readonly server: StreamEnd;
  readonly clients: readonly StreamEnd[];
  readonly #count: number;

  /** @param servers address of the watched host, for each peer */
  constructor(options: Omit<StageOptions, 'applicationBytes'>, servers: readonly string[] = [SERVER_ADDRESS]) {
    super({ ...options, applicationBytes: options.connections * STREAM_BYTES });
    this.#count = options.connections;
    const { memory, layout } = this.sim;
    const { recorder, names } = this;
    this.server = new StreamEnd(memory, layout.hosts[0]!.regions.application, 0, c => c.remotePort - FIRST_PORT, {
      connected: connection => names.add(connection),
      upcall: (connection, text) => recorder.application(false, `${names.of(connection)} ${text}`),
      call: (connection, text) => recorder.application(true, `${names.of(connection)} ${text}`),
    });
    this.host.tli.listen(PORT, this.server);
    this.clients = options.peers.map(
      (_, index) =>
        new StreamEnd(memory, layout.hosts[index + 1]!.regions.application, 1, c => c.localPort - FIRST_PORT),
    );
    this.#open(servers);
  }

  #open(servers: readonly string[]): void {
    for (let index = 0; index < this.#count; index++) {
      const peer = this.peer(this.peerOf(index));
      const server = servers[this.peerOf(index) % servers.length]!;
      this.call(peer, () =>
        peer.tli.connect(addressOf(server), PORT, this.clients[this.peerOf(index)]!, FIRST_PORT + index),
      );
      this.until(() => this.server.count > index && this.client(index).streams[index] !== undefined);
    }
    this.begin();
  }

  /** Connections take turns between peers. */
  peerOf(index: number): number {
    return index % this.clients.length;
  }

  client(index: number): StreamEnd {
    return this.clients[this.peerOf(index)]!;
  }

  /** The watched host's end of these, all unless some are named. */
  connections(...indexes: readonly number[]): TliConnection[] {
    const streams = indexes.length === 0 ? this.server.streams : indexes.map(index => this.server.streams[index]!);
    return streams.map(({ connection }) => connection);
  }

  serverSends(index: number, count: number, last = false): void {
    this.call(this.host, () => this.server.send(index, count, last));
  }

  clientSends(index: number, count: number, last = false): void {
    this.call(this.peer(this.peerOf(index)), () => this.client(index).send(index, count, last));
  }

  stateOf(index: number): string {
    const { slot } = this.server.streams[index]!.connection;
    return OFFLOAD_STATE_NAMES[this.host.transport.at(slot).offloadState]!;
  }

  /** Every byte that either side sent has arrived. */
  get isQuiet(): boolean {
    return this.server.streams.every((server, index) => {
      const client = this.client(index).streams[index]!;
      return client.received === server.sent && server.received === client.sent;
    });
  }

  checkBytes(): void {
    this.server.streams.forEach((server, index) => {
      const client = this.client(index).streams[index]!;
      const isWhole = client.received === server.sent && server.received === client.sent;
      const name = `c${index + 1}`;
      this.check(
        `${name}: ${client.received} of ${server.sent} bytes arrived from the host, ${server.received} of ${client.sent} at ` +
          `the host, ${server.wrong + client.wrong} wrong`,
        isWhole && server.wrong + client.wrong === 0,
      );
    });
  }

  checkStates(expected: string): void {
    const states = this.server.streams.map((_, index) => this.stateOf(index));
    this.check(
      `every connection is ${expected} at the end`,
      states.every(state => state === expected),
    );
  }

  /** What the NIC of that name holds at the end. */
  checkNic(name: string, connections: number, paths: number, neighbors: number): void {
    const { tree } = this.sim.nics.find(({ boot }) => boot.config.name === name)!;
    this.check(
      `${name} holds ${tree.connections} connections, ${tree.paths} paths, ${tree.neighbors} neighbors`,
      tree.connections === connections && tree.paths === paths && tree.neighbors === neighbors,
    );
  }

  checkNothingLeft(): void {
    const { blocks, tx, sendDescriptors, chimney } = this.host;
    const left = blocks.inUse + tx.inUse + sendDescriptors.inUse + chimney.requestsPending;
    this.check('no block, buffer or request is left behind', left === 0);
  }
}
