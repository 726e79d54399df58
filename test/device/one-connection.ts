/** One offloaded connection on the bench: the peer is REMOTE:PORT, the host's handle CONTEXT; SND.NXT 1000, RCV.NXT 5000. */
import { BLOCK_HEADER_BYTES, OffloadStateType } from '../../src/offload/block-list.ts';
import { Completion, DisconnectFlag, Submission } from '../../src/offload/descriptors.ts';
import { TcpOffloadEvent } from '../../src/offload/events.ts';
import { TcbLayout } from '../../src/tcp/tcb.ts';
import { NetBuffer } from '../../src/memory/net-buffer.ts';
import { type Answer, Bench, type BenchOptions } from './bench.ts';

export const REMOTE = 101;
export const PORT = 5001;
export const CONTEXT = 42;

export function of(answers: readonly Answer[], opcode: number): Answer[] {
  return answers.filter(answer => answer.opcode === opcode);
}

/** Events as [type, argument]. */
export function eventsOf(answers: readonly Answer[]): number[][] {
  return of(answers, Completion.TcpIndicateEvent).map(({ a1, a2 }) => [a1, a2]);
}

/** The reasons of Retrieve events. */
export function reasonsOf(answers: readonly Answer[]): number[] {
  return eventsOf(answers)
    .filter(([event]) => event === TcpOffloadEvent.IndicateRetrieve)
    .map(([, reason]) => reason!);
}

export class OneConnection {
  readonly bench: Bench;
  readonly handle: number;
  readonly slot: number;
  readonly #neighbor: number;
  readonly #path: number;

  constructor(options: BenchOptions = {}, change: Partial<Record<string, number>> = {}, vid = 0) {
    this.bench = new Bench(options);
    const { bench } = this;
    const tcp = bench.tcp(PORT, CONTEXT, change);
    const path = bench.path(REMOTE, [tcp]);
    const neighbor = bench.neighbor(1, [path], 0, vid);
    bench.submit(Submission.InitiateOffload, neighbor);
    bench.step();
    bench.frames();
    [this.#neighbor, this.#path, this.handle] = [neighbor, path, tcp].map(at => bench.handleOf(at)) as [
      number,
      number,
      number,
    ];
    this.slot = bench.nic.firmware.table.slotOfHandle(this.handle);
  }

  get tcb() {
    const { table } = this.bench.nic.firmware;
    return table.cursor().at(table.addressOf(this.slot));
  }

  send(text: string): number {
    const buffer = this.bench.buffer(text);
    this.bench.submit(Submission.TcpSend, this.handle, buffer);
    return buffer;
  }

  post(length: number): number {
    const buffer = this.bench.buffer('.'.repeat(length));
    this.bench.submit(Submission.TcpReceive, this.handle, buffer);
    return buffer;
  }

  abort(): void {
    this.bench.submit(Submission.TcpDisconnect, this.handle, 0, 0, DisconnectFlag.Abortive);
  }

  /** The statuses of completed disconnects. */
  disconnectsIn(answers: readonly Answer[]): number[] {
    return of(answers, Completion.TcpDisconnectComplete).map(({ a2 }) => a2);
  }

  /** A segment of the peer. */
  arrive(seq: number, ack: number, text = '', flags = 0, vid = 0): void {
    this.bench.arrive(REMOTE, PORT, seq, ack, text, flags, vid);
  }

  /** A frame of the peer that went up, turned into the TCP segment that the host would forward. */
  forwardable(frame: number): number {
    const buffer = NetBuffer.view(this.bench.memory).at(frame);
    buffer.dataAddress += 34;
    buffer.dataLength -= 34;
    return frame;
  }

  /** Ends the offload; what came of it. */
  terminate() {
    const { bench } = this;
    const tcp = bench.named(OffloadStateType.Tcp, this.handle);
    const path = bench.named(OffloadStateType.Ip4, this.#path, [tcp]);
    bench.submit(Submission.TerminateOffload, bench.named(OffloadStateType.Neighbor, this.#neighbor, [path]));
    const answers = bench.step();
    const { status, netBufferListChain } = bench.block(tcp);
    const tcb = TcbLayout.view(bench.memory).at(tcp + BLOCK_HEADER_BYTES);
    return { answers, block: tcp, status, chain: this.#chain(netBufferListChain), tcb };
  }

  query(): { answers: Answer[]; status: number } {
    const { bench } = this;
    const block = bench.named(OffloadStateType.Tcp, this.handle);
    bench.submit(Submission.QueryOffload, block);
    const answers = bench.step();
    return { answers, status: bench.statusOf(block) };
  }

  #chain(head: number): number[] {
    const chain: number[] = [];
    const buffer = NetBuffer.view(this.bench.memory);
    for (let at = head; at !== 0; at = buffer.at(at).next) chain.push(at);
    return chain;
  }
}
