/**
 * Two populations and the wire between them, in virtual time: clients on one side, a server on the other. The wire keeps
 * frames in order and loses none unless it is told otherwise.
 */
import { createHash } from 'node:crypto';
import { Prng } from '../../../src/base/prng.ts';
import { createMemory, type Memory, type Region, RegionPlan } from '../../../src/memory/memory.ts';
import { NetBuffer } from '../../../src/memory/net-buffer.ts';
import type { CloseReason } from '../../../src/tcp/effects.ts';
import type { Port, Uplink } from '../../../src/fabric/port.ts';
import type { CatalogFile } from '../../../src/fabric/stations/client-load-options.ts';
import { Population } from '../../../src/fabric/stations/population.ts';
import {
  type PopulationOptions,
  type PopulationRegions,
  populationRegions,
} from '../../../src/fabric/stations/population-regions.ts';
import type { StationApp } from '../../../src/fabric/stations/station-app.ts';
import type { StationGroupOptions } from '../../../src/fabric/stations/station-group.ts';
import { parseIpv4Address } from '../../../src/wire/ipv4-text.ts';

export const ip = (text: string): number => {
  const address = parseIpv4Address(text);
  if (address === undefined) throw new Error(`no address: ${text}`);
  return address;
};

export const SERVER = ip('10.0.0.1');
export const ROUTER = ip('10.0.0.254');

/** Hosts of the server's own subnet. */
export const local = (count: number, more: Partial<StationGroupOptions> = {}): StationGroupOptions => ({
  name: 'local',
  kind: 'local',
  firstAddress: ip('10.0.1.0'),
  prefixLength: 16,
  count,
  serverAddress: SERVER,
  serverPort: 80,
  ...more,
});

/** Hosts of 172.16/16, behind a router in the server's subnet. */
export const remote = (count: number, more: Partial<StationGroupOptions> = {}): StationGroupOptions => ({
  name: 'remote',
  kind: 'router',
  firstAddress: ip('172.16.0.1'),
  prefixLength: 16,
  count,
  routerAddress: ROUTER,
  serverAddress: SERVER,
  serverPort: 80,
  ...more,
});

export const serverGroup: StationGroupOptions = {
  name: 'server',
  kind: 'local',
  firstAddress: SERVER,
  prefixLength: 16,
  count: 1,
  serverAddress: 0,
  serverPort: 0,
  gateway: ROUTER,
};

export const SERVER6 = 'fd00::1';
export const ROUTER6 = 'fd00::fe';

/** The same over IPv6. */
export const local6 = (count: number, more: Partial<StationGroupOptions> = {}): StationGroupOptions => ({
  ...local(count),
  firstAddress: 'fd00::100',
  prefixLength: 64,
  serverAddress: SERVER6,
  ...more,
});

export const remote6 = (count: number, more: Partial<StationGroupOptions> = {}): StationGroupOptions => ({
  ...remote(count),
  firstAddress: 'fd01::1',
  prefixLength: 64,
  routerAddress: ROUTER6,
  serverAddress: SERVER6,
  ...more,
});

export const serverGroup6: StationGroupOptions = {
  ...serverGroup,
  firstAddress: SERVER6,
  prefixLength: 64,
  gateway: ROUTER6,
};

export interface Faults {
  readonly loss?: number;
  readonly duplication?: number;
  /** Probability of being held back by up to `reorderUs`. */
  readonly reordering?: number;
  readonly reorderUs?: number;
  readonly corruption?: number;
  /** Part of the time in which there is no room, in periods of 100 µs. */
  readonly noRoom?: number;
}

interface Flying {
  readonly at: number;
  readonly order: number;
  readonly to: Port;
  readonly bytes: Uint8Array;
}

export class World {
  readonly memory: Memory;
  readonly clients: Population;
  readonly server: Population;
  readonly regions: PopulationRegions;
  /** Scratch of the tests. */
  readonly spare: Region;
  /** Every frame, as it entered the wire. */
  readonly log: { from: string; bytes: Uint8Array }[] = [];
  keepLog = false;
  faults: Faults;
  nowUs = 0;
  frames = 0;
  readonly #wireAt: number;
  readonly #prng: Prng;
  readonly #flying: Flying[] = [];
  #noRoomPeriod = -1;
  #hasRoom = true;

  constructor(
    clientOptions: Partial<PopulationOptions>,
    faults: Faults = {},
    serverOptions: Partial<PopulationOptions> = {},
    spareBytes = 1 << 20,
  ) {
    const clients = { name: 'clients', groups: [local(10)], seed: 1, ...clientOptions };
    const server = { name: 'server', groups: [serverGroup], seed: 2, slots: 4096, ...serverOptions };
    const plan = new RegionPlan();
    this.regions = populationRegions(plan, clients);
    const serverRegions = populationRegions(plan, server);
    this.#wireAt = plan.add('wire', 2048).offset + 32;
    this.spare = plan.add('spare', spareBytes);
    this.memory = createMemory(plan.byteLength);
    this.faults = faults;
    this.#prng = new Prng(clients.seed).fork('wire');
    this.clients = new Population(this.memory, this.regions, clients, 0);
    this.server = new Population(this.memory, serverRegions, server, 0);
    this.clients.attach(this.#uplinkTo(this.server));
    this.server.attach(this.#uplinkTo(this.clients));
  }

  /** Delivers a frame to a population as if it came over the wire. */
  deliver(to: Port, bytes: Uint8Array): boolean {
    this.memory.u8.set(bytes, this.#wireAt);
    return to.deliver(this.#wireAt, bytes.length);
  }

  /** Runs until `isDone`; false when time ran out first, or nothing was left to do. */
  run(isDone: () => boolean, limitUs: number): boolean {
    const until = this.nowUs + limitUs;
    for (;;) {
      this.#arrive();
      this.clients.step(this.nowUs);
      this.server.step(this.nowUs);
      if (isDone()) return true;
      const next = this.#next();
      if (next < 0 || this.nowUs + next > until) return false;
      this.nowUs += next;
    }
  }

  /** Lets `us` microseconds pass. */
  pass(us: number): void {
    const end = this.nowUs + us;
    this.run(() => false, us);
    this.nowUs = end;
    this.run(() => false, 0);
  }

  #uplinkTo(to: Port): Uplink {
    const hasRoom = (): boolean => this.#roomNow();
    return {
      input: (frameAt, length) => this.#send(to, frameAt, length),
      get hasRoom() {
        return hasRoom();
      },
    };
  }

  #roomNow(): boolean {
    if (this.faults.noRoom === undefined) return true;
    const period = Math.floor(this.nowUs / 100);
    if (period !== this.#noRoomPeriod) {
      this.#noRoomPeriod = period;
      this.#hasRoom = !this.#prng.chance(this.faults.noRoom);
    }
    return this.#hasRoom;
  }

  #send(to: Port, frameAt: number, length: number): void {
    const { loss = 0, duplication = 0, reordering = 0, reorderUs = 3000, corruption = 0 } = this.faults;
    const bytes = this.memory.u8.slice(frameAt, frameAt + length);
    if (this.keepLog) this.log.push({ from: to === this.server ? 'clients' : 'server', bytes: bytes.slice() });
    // What lies in front of a frame is the uplink's to use.
    this.memory.u8.fill(0xee, frameAt - 8, frameAt);
    this.frames++;
    if (this.#prng.chance(loss)) return;
    if (this.#prng.chance(corruption)) bytes[this.#prng.between(14, length - 1)] ^= 1 << this.#prng.below(8);
    const copies = this.#prng.chance(duplication) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const late = this.#prng.chance(reordering) ? this.#prng.below(reorderUs) : 0;
      this.#flying.push({ at: this.nowUs + 50 + late, order: this.frames, to, bytes });
    }
  }

  #arrive(): void {
    const due = this.#flying.filter(frame => frame.at <= this.nowUs);
    if (due.length === 0) return;
    const later = this.#flying.filter(frame => frame.at > this.nowUs);
    this.#flying.length = 0;
    this.#flying.push(...later);
    due.sort((a, b) => a.at - b.at || a.order - b.order);
    for (const { to, bytes } of due) this.deliver(to, bytes);
  }

  #next(): number {
    const times = [this.clients.usUntilNext(this.nowUs), this.server.usUntilNext(this.nowUs)];
    for (const frame of this.#flying) times.push(Math.max(0, frame.at - this.nowUs));
    const next = times.filter(us => us >= 0);
    return next.length === 0 ? -1 : Math.min(...next);
  }
}

/** What the server makes of a file: how much of it, with which head. */
export interface Reply {
  readonly head?: string;
  readonly status?: string;
  /** Bytes of the body that are sent. */
  readonly length?: number;
  readonly corrupt?: boolean;
  readonly reset?: boolean;
  readonly silent?: boolean;
}

/** An HTTP/1.0 server as a station's application. Its files lie in memory; its descriptors too, two a connection. */
export class FileServer implements StationApp {
  readonly holdsReceived = false;
  readonly catalog: CatalogFile[] = [];
  readonly requestLengths: number[] = [];
  errors: string[] = [];
  ended_ = 0;
  readonly #world: World;
  readonly #reply: (path: string, nth: number) => Reply;
  readonly #requests = new Map<number, string>();
  readonly #contents: number[] = [];
  readonly #descriptorsAt: number;
  readonly #headsAt: number;
  readonly #wrongAt: number;
  #served = 0;

  /** Room that it takes in the world's spare region. */
  static spareBytes(sizes: readonly number[]): number {
    return sizes.reduce((sum, size) => sum + size, 0) + 4096 * (2 * 64 + 256) + 400_000;
  }

  constructor(world: World, sizes: readonly number[], reply: (path: string, nth: number) => Reply = () => ({})) {
    this.#world = world;
    this.#reply = reply;
    this.#descriptorsAt = world.spare.offset;
    this.#headsAt = this.#descriptorsAt + 4096 * 2 * NetBuffer.byteLength;
    let at = this.#headsAt + 4096 * 256;
    const made = makeFiles(sizes);
    for (const { file, bytes } of made) {
      world.memory.u8.set(bytes, at);
      this.catalog.push(file);
      this.#contents.push(at);
      at += bytes.length;
    }
    // Other bytes than any file has.
    this.#wrongAt = at;
    world.memory.u8.fill(0xaa, at, at + 310_000);
    world.server.listen(world.server.groups[0]!.firstAddress, 80, this);
  }

  established(connection: number): void {
    this.#requests.set(connection, '');
  }

  received(connection: number, at: number, length: number): void {
    const before = this.#requests.get(connection);
    if (before === undefined) {
      this.errors.push(`bytes for unknown connection ${connection}`);
      return;
    }
    const text = before + String.fromCharCode(...this.#world.memory.u8.subarray(at, at + length));
    this.#requests.set(connection, text);
    if (text.endsWith('\r\n\r\n')) this.#serve(connection, text);
  }

  sendCompleted(): void {}

  peerClosed(connection: number): void {
    if (!this.#requests.get(connection)?.endsWith('\r\n\r\n')) this.errors.push('closed before the request was whole');
  }

  ended(connection: number, _reason: CloseReason): void {
    this.#requests.delete(connection);
    this.ended_++;
  }

  #serve(connection: number, text: string): void {
    const { server, memory } = this.#world;
    this.requestLengths.push(text.length);
    const path =
      /^GET (\S+) HTTP\/1\.0\r\nHost: (?:10\.0\.0\.1|\[fd00::1\])\r\n(?:[\w-]+: [^\r\n]*\r\n)*\r\n$/.exec(text)?.[1] ??
      '?';
    const index = this.catalog.findIndex(file => file.path === path);
    if (index < 0) {
      this.errors.push(`bad request: ${text.slice(0, 60)}`);
      server.abort(connection);
      return;
    }
    const file = this.catalog[index]!;
    const reply = this.#reply(path, this.#served++);
    if (reply.silent) return;
    if (reply.reset) {
      server.abort(connection);
      return;
    }
    const status = reply.status ?? '200 OK';
    const head = reply.head ?? `HTTP/1.0 ${status}\r\nServer: test\r\nContent-Length: ${file.size}\r\n\r\n`;
    const headAt = this.#headsAt + connection * 256;
    memory.u8.set(Buffer.from(head), headAt);
    const length = reply.length ?? file.size;
    const bodyAt = reply.corrupt ? this.#wrongAt : this.#contents[index]!;
    const descriptor = NetBuffer.view(memory);
    const first = this.#descriptorsAt + connection * 2 * NetBuffer.byteLength;
    descriptor.at(first).dataAddress = headAt;
    descriptor.dataLength = head.length;
    descriptor.next = length > 0 ? first + NetBuffer.byteLength : 0;
    descriptor.at(first + NetBuffer.byteLength).dataAddress = bodyAt;
    descriptor.dataLength = length;
    descriptor.next = 0;
    if (!server.sendAndClose(connection, first)) this.errors.push('the reply was not taken');
  }
}

/** Files of the given sizes, all different. */
export function makeFiles(sizes: readonly number[]): { file: CatalogFile; bytes: Uint8Array }[] {
  return sizes.map((size, index) => {
    const prng = new Prng(index + 77);
    const bytes = Uint8Array.from({ length: size }, () => prng.int32() & 0xff);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return { file: { path: `/file${index}.bin`, size, sha256 }, bytes };
  });
}

/** Records what it is told; sends what it is told to. */
export class Recorder implements StationApp {
  readonly events: string[] = [];
  received_ = '';
  readonly holdsReceived: boolean;
  onEstablished: (connection: number) => void = () => undefined;
  onReceived: (connection: number, bytes: Uint8Array) => void = () => undefined;
  onPeerClosed: (connection: number) => void = () => undefined;
  readonly #memory: Memory;

  constructor(memory: Memory, holdsReceived = false) {
    this.#memory = memory;
    this.holdsReceived = holdsReceived;
  }

  established(connection: number): void {
    this.events.push('established');
    this.onEstablished(connection);
  }

  received(connection: number, at: number, length: number): void {
    const bytes = this.#memory.u8.slice(at, at + length);
    this.received_ += Buffer.from(bytes).toString('latin1');
    this.onReceived(connection, bytes);
  }

  sendCompleted(): void {
    this.events.push('sendCompleted');
  }

  peerClosed(connection: number): void {
    this.events.push('peerClosed');
    this.onPeerClosed(connection);
  }

  ended(_connection: number, reason: CloseReason): void {
    this.events.push(`ended ${reason}`);
  }
}
