/**
 * The load: clients that each open a connection, fetch one file with HTTP/1.0 (RFC 1945) and check every byte of it.
 *
 *   open ─► SYN … established ─► request + FIN ─► head ─► body ─► SHA-256 ─► FIN of the server ─► TIME-WAIT: completed
 *
 * Keeps `concurrency` connections open until `connections` have ended, and opens from `step` only, a few at a time. A
 * client closes its direction right behind the request. All that is random comes from the seed: station, file, request.
 * A client is a number below `concurrency` with its place in each array; it is free again when its connection has ended.
 */
import { ticksOf, US_PER_TICK } from '../../base/clock.ts';
import { Prng } from '../../base/prng.ts';
import type { Memory } from '../../memory/memory.ts';
import { NetBuffer } from '../../memory/net-buffer.ts';
import { CloseReason } from '../../tcp/effects.ts';
import type { NetBufferCursor } from '../../tcp/send-queue.ts';
import { isIpv6 } from '../../wire/address-table.ts';
import type { FabricPart } from '../port.ts';
import { type CatalogFile, checkClientLoad, type ClientLoadOptions, LOAD_DEFAULTS } from './client-load-options.ts';
import { type Failure, LoadCounters, type LoadReport } from './load-counters.ts';
import type { LoadRegions } from './population-regions.ts';
import type { Population } from './population.ts';
import { ReplyBodies } from './reply-bodies.ts';
import { HEAD_BAD, HEAD_INCOMPLETE, ReplyParser } from './reply-parser.ts';
import { RequestTexts } from './request-texts.ts';
import { SlotLists } from './slot-lists.ts';
import type { StationApp } from './station-app.ts';

/** What a client waits for. */
const Stage = { Connecting: 0, Head: 1, Body: 2, Verified: 3, Failed: 4 } as const;

/** Both lists of clients: the free ones, and the busy ones by the time they started. */
const FREE = 0;
const BUSY = 1;
/** How soon to try again what found no room, or no TCB. */
const RETRY_US = 100;

export class ClientLoad implements StationApp, FabricPart {
  readonly holdsReceived = false;
  readonly #population: Population;
  readonly #options: ClientLoadOptions;
  readonly #catalog: readonly CatalogFile[];
  readonly #timeoutTicks: number;
  readonly #opensPerStep: number;
  readonly #prng: Prng;
  readonly #counters: LoadCounters;
  readonly #parser: ReplyParser;
  readonly #bodies: ReplyBodies;
  readonly #texts: RequestTexts;
  readonly #descriptors: number;
  readonly #descriptor: NetBufferCursor;
  readonly #clients: SlotLists;
  readonly #clientOf: Int32Array;
  readonly #connectionOf: Int32Array;
  readonly #fileOf: Int32Array;
  readonly #textOf: Int32Array;
  readonly #stageOf: Uint8Array;
  readonly #startedAt: Int32Array;
  /** A connection could not be opened for want of a TCB or a port: the next step tries again. */
  #isStarved = false;
  #ended = 0;
  #publishedEnded = -1;
  #publishedStarted = -1;

  /** Registers itself with the population, which steps it. */
  constructor(population: Population, memory: Memory, regions: LoadRegions, options: ClientLoadOptions) {
    checkClientLoad(options);
    const { concurrency } = options;
    this.#population = population;
    this.#options = options;
    this.#catalog = options.catalog;
    this.#timeoutTicks = options.timeoutTicks ?? LOAD_DEFAULTS.timeoutTicks;
    this.#opensPerStep = options.opensPerStep ?? LOAD_DEFAULTS.opensPerStep;
    this.#prng = new Prng(options.seed).fork(`load ${population.name}`);
    this.#counters = new LoadCounters(memory, regions.progress.offset);
    this.#parser = new ReplyParser(memory.u8, concurrency);
    this.#bodies = new ReplyBodies(memory, regions.bodies, regions.bodyBytes, concurrency);
    const { serverAddress } = population.groups[0];
    const server = population.addresses.format(serverAddress);
    // RFC 3986 3.2.2.
    const host = isIpv6(serverAddress) ? `[${server}]` : server;
    this.#texts = new RequestTexts(memory, regions.requests, options, host, this.#prng.fork('requests'));
    this.#descriptors = regions.descriptors.offset;
    this.#descriptor = NetBuffer.view(memory);
    this.#clients = new SlotLists(concurrency, 2);
    for (let client = 0; client < concurrency; client++) this.#clients.append(FREE, client);
    this.#clientOf = new Int32Array(population.slots).fill(-1);
    this.#connectionOf = new Int32Array(concurrency).fill(-1);
    this.#fileOf = new Int32Array(concurrency);
    this.#textOf = new Int32Array(concurrency);
    this.#stageOf = new Uint8Array(concurrency);
    this.#startedAt = new Int32Array(concurrency);
    population.drive(this);
  }

  report(): LoadReport {
    return this.#counters.report(this.#population.counters.retransmissions);
  }

  /** Buffers of assembled bodies in use. */
  get bodiesInUse(): number {
    return this.#bodies.inUse;
  }

  step(nowUs: number): number {
    const now = ticksOf(nowUs);
    let did = this.#giveUpOnOld(now);
    this.#isStarved = false;
    while (did < this.#opensPerStep && this.#mayOpen && this.#population.uplinkHasRoom && !this.#isStarved) {
      if (this.#open(now)) did++;
      else this.#isStarved = true;
    }
    const counters = this.#counters;
    if (this.#publishedEnded !== this.#ended || this.#publishedStarted !== counters.started) {
      this.#publishedEnded = this.#ended;
      this.#publishedStarted = counters.started;
      counters.finished = this.#ended === this.#options.connections;
      counters.publish(this.#population.counters.retransmissions);
    }
    return did;
  }

  usUntilNext(nowUs: number): number {
    if (this.#publishedEnded !== this.#ended) return 0;
    if (this.#mayOpen) return this.#population.uplinkHasRoom && !this.#isStarved ? 0 : RETRY_US;
    const oldest = this.#clients.first(BUSY);
    if (oldest < 0) return -1;
    const left = (this.#startedAt[oldest] + this.#timeoutTicks - ticksOf(nowUs)) | 0;
    return Math.max(0, left) * US_PER_TICK;
  }

  // The application: one reply.

  established(connection: number): void {
    const client = this.#clientOf[connection];
    const descriptor = this.#descriptor.at(this.#descriptors + client * NetBuffer.byteLength);
    const text = this.#textOf[client];
    descriptor.dataAddress = this.#texts.addressOf(text);
    descriptor.dataLength = this.#texts.lengthOf(text);
    descriptor.next = 0;
    this.#stageOf[client] = Stage.Head;
    this.#population.sendAndClose(connection, descriptor.base);
  }

  received(connection: number, at: number, length: number): void {
    const client = this.#clientOf[connection];
    const stage = this.#stageOf[client];
    if (stage === Stage.Body) this.#body(client, at, length);
    else if (stage === Stage.Head) this.#head(client, at, length);
    else if (stage === Stage.Verified) this.#tooLong(client, length);
  }

  sendCompleted(_connection: number, _buffer: number): void {
    // The request is only sent once; its descriptor is the client's until the connection has ended.
  }

  peerClosed(_connection: number): void {
    // Whether the reply was whole shows when the connection has ended.
  }

  ended(connection: number, reason: CloseReason): void {
    const client = this.#clientOf[connection];
    const stage = this.#stageOf[client];
    const counters = this.#counters;
    this.#clientOf[connection] = -1;
    this.#connectionOf[client] = -1;
    if (reason === CloseReason.Reset || reason === CloseReason.Refused) counters.reset++;
    if (stage === Stage.Verified && reason === CloseReason.Normal) {
      counters.completed++;
      counters.bytesVerified += this.#bodies.lengthOf(client);
    } else if (stage !== Stage.Failed) {
      if (stage === Stage.Head || stage === Stage.Body) {
        counters.bytesLost += this.#catalog[this.#fileOf[client]].size - this.#bodies.lengthOf(client);
      }
      this.#fail(client, failureOf(reason));
    }
    this.#bodies.end(client);
    this.#clients.remove(client);
    this.#clients.append(FREE, client);
    counters.active--;
    this.#ended++;
  }

  // Inside.

  get #mayOpen(): boolean {
    return this.#counters.started < this.#options.connections && this.#clients.first(FREE) >= 0;
  }

  #open(now: number): boolean {
    const prng = this.#prng;
    const population = this.#population;
    const station = prng.below(population.stations);
    const file = prng.below(this.#catalog.length);
    const text = this.#texts.indexOf(file, prng.below(this.#texts.variants));
    const { serverAddress, serverPort } = population.groupOf(station);
    const connection = population.connect(station, serverAddress, serverPort, this);
    if (connection < 0) return false;
    const client = this.#clients.takeFirst(FREE);
    this.#clients.append(BUSY, client);
    this.#clientOf[connection] = client;
    this.#connectionOf[client] = connection;
    this.#fileOf[client] = file;
    this.#textOf[client] = text;
    this.#stageOf[client] = Stage.Connecting;
    this.#startedAt[client] = now;
    this.#parser.start(client);
    this.#bodies.start(client);
    this.#counters.started++;
    this.#counters.active++;
    return true;
  }

  /** Ends what has taken longer than the time-out; returns how many. */
  #giveUpOnOld(now: number): number {
    let did = 0;
    for (;;) {
      const oldest = this.#clients.first(BUSY);
      if (oldest < 0 || ((now - this.#startedAt[oldest]) | 0) < this.#timeoutTicks) return did;
      this.#population.abort(this.#connectionOf[oldest]);
      did++;
    }
  }

  #head(client: number, at: number, length: number): void {
    const end = at + length;
    const bodyAt = this.#parser.parse(client, at, end);
    if (bodyAt === HEAD_INCOMPLETE) return;
    const file = this.#catalog[this.#fileOf[client]];
    if (bodyAt === HEAD_BAD) {
      this.#fail(client, 'badHead');
    } else if (this.#parser.status[client] !== 200) {
      this.#fail(client, 'badStatus');
    } else if (this.#parser.contentLength[client] >= 0 && this.#parser.contentLength[client] !== file.size) {
      this.#fail(client, 'wrongLength');
    } else {
      this.#stageOf[client] = Stage.Body;
      this.#body(client, bodyAt, end - bodyAt);
    }
  }

  #body(client: number, at: number, length: number): void {
    const file = this.#catalog[this.#fileOf[client]];
    const bodies = this.#bodies;
    const missing = file.size - bodies.lengthOf(client);
    if (length < missing) {
      bodies.add(client, at, length, file.size);
      return;
    }
    let digest: string;
    if (missing === file.size) {
      digest = bodies.digestInPlace(client, at, missing);
    } else {
      bodies.add(client, at, missing, file.size);
      digest = bodies.digest(client);
    }
    if (digest === file.sha256) {
      this.#stageOf[client] = Stage.Verified;
    } else {
      this.#counters.bytesWrong += file.size;
      this.#fail(client, 'wrongContent');
    }
    if (length > missing) this.#tooLong(client, length - missing);
  }

  #tooLong(client: number, excess: number): void {
    this.#counters.bytesWrong += excess;
    if (this.#stageOf[client] === Stage.Verified) this.#fail(client, 'longReply');
  }

  #fail(client: number, failure: Failure): void {
    this.#stageOf[client] = Stage.Failed;
    this.#counters.failed++;
    this.#counters.failures[failure]++;
  }
}

/** Why a connection failed that had nothing wrong with its reply but that it was not whole. */
function failureOf(reason: CloseReason): Failure {
  switch (reason) {
    case CloseReason.Normal:
      return 'shortReply';
    case CloseReason.Reset:
    case CloseReason.Replaced:
      return 'reset';
    case CloseReason.Refused:
      return 'refused';
    case CloseReason.TimedOut:
    case CloseReason.Unreachable:
      return 'timedOut';
    case CloseReason.Aborted:
      return 'tookTooLong';
  }
}
