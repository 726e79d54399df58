/**
 * The whole of `chimney storm`, one run after the other on one thread:
 *
 *   short runs: host path, chimney, offload one by one → the main job → the rival
 *
 * The short runs say what a connection costs the host thread on either path. They also warm up the main thread: what V8
 * compiled for them serves the main job as well. Workers always start cold. Rates, ours and the rival's alike, leave out as
 * many first connections (warmUpOf).
 */
import { ChimneyError } from '../base/errors.ts';
import type { Memory } from '../memory/memory.ts';
import type { ThreadDeath } from '../machine-threads.ts';
import type { Document } from './documents.ts';
import { RIVAL_NODE_NET, RivalNodeNet, type RivalResult } from './rival-node-net.ts';
import { Storm, type StormProgress, type StormResult, warmUpOf } from './storm.ts';
import { hostBusyNs, offloadNs, reportStorm, type StormComparison, type StormReport } from './storm-report.ts';
import type { StormOptions, StormPath } from './storm-options.ts';

export const RIVALS = [RIVAL_NODE_NET] as const;

export interface StormJobOptions {
  readonly storm: StormOptions;
  /** Whether to make the short runs. */
  readonly compare: boolean;
  readonly rivals: readonly string[];
}

/** Who watches the job: the progress line. */
export interface StormJobWatcher {
  phase(text: string): void;
  progress(progress: StormProgress): void;
}

const COMPARED_CONNECTIONS = 3000;
const COMPARED_ROUNDS = 2;
const PROGRESS_MS = 200;

export class StormJob {
  readonly #options: StormJobOptions;
  readonly #documents: readonly Document[];
  readonly #watcher: StormJobWatcher;
  /** Every run's, one after the other. Made first: what does not fit fails before anything has run. */
  readonly #memory: Memory;
  #running: { interrupt(): void } | null = null;
  #interrupted = false;
  readonly #deaths: ThreadDeath[] = [];

  constructor(options: StormJobOptions, documents: readonly Document[], watcher: StormJobWatcher) {
    for (const rival of options.rivals) {
      if (!RIVALS.some(known => known === rival)) {
        const message = `--rivals: no rival '${rival}'; there are ${RIVALS.join(', ')}, none`;
        throw new ChimneyError('ERR_CHIMNEY_OPTION', message);
      }
    }
    this.#options = options;
    this.#documents = documents;
    this.#watcher = watcher;
    this.#memory = new Storm(options.storm, documents).memory;
  }

  /** Ends it early; `run` resolves with the results so far. */
  interrupt(): void {
    this.#interrupted = true;
    this.#running?.interrupt();
  }

  async run(): Promise<StormReport> {
    const { storm, compare } = this.#options;
    const comparison = compare ? await this.#compare() : null;
    let main: StormResult | null = null;
    if (this.#goesOn) {
      this.#watcher.phase(
        `storm: ${storm.connections.toLocaleString('en-US')} connections, ${storm.nics} NICs, path ${storm.path}`,
      );
      main = await this.#storm(new Storm(storm, this.#documents, this.#memory));
    }
    const rivals: RivalResult[] = [];
    if (this.#goesOn && this.#options.rivals.length > 0) rivals.push(await this.#rival());
    return reportStorm({
      options: storm,
      documents: this.#documents,
      main,
      comparison,
      rivals,
      interrupted: this.#interrupted,
      deaths: this.#deaths,
    });
  }

  get #goesOn(): boolean {
    return !this.#interrupted && this.#deaths.length === 0;
  }

  /** Rounds of short runs. What other programs do at the same time only ever adds, so the least of each counts. */
  async #compare(): Promise<StormComparison> {
    const { blockList } = this.#options.storm;
    const least: Record<'host' | 'chimney' | 'oneByOne' | 'inLists', number | null> = {
      host: null,
      chimney: null,
      oneByOne: null,
      inLists: null,
    };
    const note = (figure: keyof typeof least, ns: number | null): void => {
      least[figure] = ns === null ? least[figure] : Math.min(ns, least[figure] ?? ns);
    };
    for (let round = 0; round <= COMPARED_ROUNDS; round++) {
      this.#watcher.phase(round === 0 ? 'warming up' : `comparing the paths, round ${round} of ${COMPARED_ROUNDS}`);
      const host = await this.#short('host', blockList);
      const chimney = await this.#short('chimney', blockList);
      const oneByOne = await this.#short('chimney', 1);
      if (round === 0) continue;
      note('host', host && hostBusyNs(host));
      note('chimney', chimney && hostBusyNs(chimney));
      note('inLists', chimney && offloadNs(chimney));
      note('oneByOne', oneByOne && offloadNs(oneByOne));
    }
    const { host, chimney, oneByOne, inLists } = least;
    return {
      connections: COMPARED_CONNECTIONS,
      hostBusyNs: { host, chimney },
      offloadNs: { oneByOne, inLists },
      blockList,
    };
  }

  /** The same machine and network without failures and faults; null when it did not come to its end. */
  async #short(path: StormPath, blockList: number): Promise<StormResult | null> {
    if (!this.#goesOn) return null;
    const clean = { loss: 0, reorder: 0, duplicate: 0, corrupt: 0, delayMs: 0, failures: [], pcap: null };
    const connections = COMPARED_CONNECTIONS;
    const options = { ...this.#options.storm, ...clean, path, connections, blockList };
    const result = await this.#storm(new Storm(options, this.#documents, this.#memory));
    return result.interrupted || result.deaths.length > 0 ? null : result;
  }

  async #storm(storm: Storm): Promise<StormResult> {
    this.#running = storm;
    const result = await storm.run(progress => this.#watcher.progress(progress), PROGRESS_MS);
    this.#deaths.push(...result.deaths);
    return result;
  }

  async #rival(): Promise<RivalResult> {
    const { connections, seed } = this.#options.storm;
    this.#watcher.phase(`rival: ${RIVAL_NODE_NET}, ${connections.toLocaleString('en-US')} connections over loopback`);
    const rival = new RivalNodeNet(this.#documents, { connections, seed, warmUp: warmUpOf(connections) });
    this.#running = rival;
    return rival.run();
  }
}
