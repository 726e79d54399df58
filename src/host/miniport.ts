/**
 * The miniport driver of one NIC: the only host code that sees rings (architecture §3).
 *
 * Calls down become descriptors; completions become calls up. `poll` drains within a budget, `flush` publishes what the
 * calls of a step left in the ring and rings the NIC's doorbell at most once for all of it.
 */
import { assert } from '../base/assert.ts';
import { NdisStatus } from '../base/status.ts';
import type { Memory } from '../memory/memory.ts';
import type { Cursor } from '../memory/record.ts';
import { DescriptorQueue } from '../ring/descriptor-queue.ts';
import { Completion, Descriptor, Submission } from '../offload/descriptors.ts';
import { type NicBoot, NicStatus } from '../ring/nic-layout.ts';
import { Doorbell } from '../ring/doorbell.ts';
import { RingConsumer, RingProducer } from '../ring/spsc-ring.ts';
import { Adapter, type ProviderTable } from './ndis.ts';
import { type OffloadStatistics, OffloadStatsReader } from './offload-stats-reader.ts';

export class Miniport {
  readonly adapter: Adapter;
  readonly boot: NicBoot;
  readonly #i32: Int32Array;
  readonly #doorbell: Doorbell;
  readonly #submissions: DescriptorQueue;
  readonly #completions: RingConsumer;
  readonly #descriptor: Cursor<typeof Descriptor.fields>;
  readonly #status: Cursor<typeof NicStatus.fields>;
  readonly #offloadStats: OffloadStatsReader;
  /** The NIC is gone: nothing is sent to it any more. */
  dead = false;
  completionsTaken = 0;

  constructor(memory: Memory, boot: NicBoot) {
    const { config, regions } = boot;
    this.boot = boot;
    this.#i32 = memory.i32;
    this.#doorbell = new Doorbell(memory, regions.doorbell);
    this.#submissions = new DescriptorQueue(memory, new RingProducer(memory, regions.submissions, this.#doorbell));
    this.#completions = new RingConsumer(memory, regions.completions, this.#doorbell);
    this.#descriptor = Descriptor.view(memory);
    this.#status = NicStatus.view(memory).at(regions.status.offset);
    this.#offloadStats = new OffloadStatsReader(memory, regions.offloadStats);
    this.adapter = new Adapter(config.name, config.macHi, config.macLo, config.mtu, this.#table());
    this.adapter.poolIds.push(boot.index);
    this.adapter.capabilities = {
      tcpConnections: config.tcpEntries,
      paths: config.pathEntries,
      neighbors: config.neighborEntries,
      supportsIpv4: true,
      supportsIpv6: config.target.supportsIpv6,
      supportsSack: config.target.supportsSack,
      supportsTimestamps: config.target.supportsTimestamps,
      supportsEcn: config.target.supportsEcn,
      rcvWindowMax: config.rcvWindowMax,
      mtu: config.mtu,
    };
  }

  get doorbell(): Doorbell {
    return this.#doorbell;
  }

  /** Counts up while the firmware lives: what a team watches (R37). */
  get heartbeat(): number {
    return Atomics.load(this.#i32, (this.boot.regions.status.offset + NicStatus.offset.heartbeat) >> 2);
  }

  /** NicFault, 0 = none. */
  get fault(): number {
    return this.#status.fault;
  }

  /** What the NIC counted of offloaded traffic (digest §1.7); of one that is gone, its last word. */
  offloadStatistics(): OffloadStatistics {
    return this.#offloadStats.read(this.dead || this.fault !== 0);
  }

  /** Handles up to `budget` completions; returns how many. */
  poll(budget: number): number {
    let work = 0;
    while (work < budget) {
      const slot = this.#completions.next();
      if (slot < 0) {
        assert(!this.#completions.corrupt, `${this.adapter.name}: the completion ring is intact`);
        break;
      }
      this.#complete(this.#descriptor.at(slot), slot);
      work++;
    }
    this.completionsTaken += work;
    return work;
  }

  hasWork(): boolean {
    return this.#completions.hasWork();
  }

  /** Publishes both rings; rings the NIC if it sleeps. */
  flush(): void {
    if (this.dead) return;
    const wanted = this.#submissions.publish();
    const released = this.#completions.release();
    if (wanted || released) this.#doorbell.ringIfWanted();
  }

  #table(): ProviderTable {
    const queue = this.#submissions;
    const operation = (opcode: number) => (root: number) => {
      if (!this.dead) queue.push(opcode, root, 0, 0);
    };
    const call = (opcode: number) => (handle: number, argument: number) => {
      if (!this.dead) queue.push(opcode, handle, argument, 0);
    };
    return {
      sendFrame: buffer => {
        if (this.dead) this.adapter.up.sendFrameComplete(buffer);
        else queue.pushAddress(Submission.SendFrames, buffer);
      },
      returnBuffer: buffer => {
        if (!this.dead) queue.pushAddress(Submission.ReturnBuffers, buffer);
      },
      initiateOffload: operation(Submission.InitiateOffload),
      terminateOffload: operation(Submission.TerminateOffload),
      updateOffload: operation(Submission.UpdateOffload),
      invalidateOffload: operation(Submission.InvalidateOffload),
      queryOffload: operation(Submission.QueryOffload),
      loadOffloadState: operation(Submission.LoadOffloadState),
      tcpOffloadSend: call(Submission.TcpSend),
      tcpOffloadReceive: call(Submission.TcpReceive),
      tcpOffloadDisconnect: (handle, chain, flags) => {
        if (!this.dead) queue.push(Submission.TcpDisconnect, handle, chain, 0, flags);
      },
      tcpOffloadForward: call(Submission.TcpForward),
      tcpOffloadReceiveReturn: call(Submission.TcpReceiveReturn),
      tcpIndicationRefused: (handle, buffer, consumed) => {
        if (!this.dead) queue.push(Submission.TcpIndicationRefused, handle, buffer, consumed);
      },
      setStatistics: operation(Submission.SetStatistics),
      setMac: (hi, lo) => queue.push(Submission.SetMac, hi, lo, 0),
    };
  }

  #complete(descriptor: Cursor<typeof Descriptor.fields>, slot: number): void {
    const { up } = this.adapter;
    const { opcode, a0, a1, a2 } = descriptor;
    switch (opcode) {
      case Completion.FramesReceived:
      case Completion.FramesSent:
        this.#frames(opcode, slot, descriptor.count);
        return;
      case Completion.InitiateOffloadComplete:
        up.initiateOffloadComplete(a0);
        return;
      case Completion.TerminateOffloadComplete:
        up.terminateOffloadComplete(a0);
        return;
      case Completion.UpdateOffloadComplete:
        up.updateOffloadComplete(a0);
        return;
      case Completion.InvalidateOffloadComplete:
        up.invalidateOffloadComplete(a0);
        return;
      case Completion.QueryOffloadComplete:
        up.queryOffloadComplete(a0);
        return;
      case Completion.LoadOffloadStateComplete:
        up.loadOffloadStateComplete(a0);
        return;
      case Completion.TcpSendComplete:
        up.tcpOffloadSendComplete(a0, a1, a2);
        return;
      case Completion.TcpReceiveComplete:
        up.tcpOffloadReceiveComplete(a0, a1, a2);
        return;
      case Completion.TcpDisconnectComplete:
        up.tcpOffloadDisconnectComplete(a0, a1, a2);
        return;
      case Completion.TcpForwardComplete:
        up.tcpOffloadForwardComplete(a0, a1, a2);
        return;
      case Completion.TcpIndicateReceive:
        up.indicateReceive(a0, a1);
        return;
      case Completion.TcpIndicateEvent:
        up.indicateEvent(a0, a1, a2);
        return;
      case Completion.IndicateOffloadEvent:
        up.indicateOffloadEvent(a0, a1, a2);
        return;
      case Completion.IndicateStatus:
        this.adapter.linkUp = a0 === NdisStatus.MediaConnect;
        up.indicateStatus(a0);
        return;
      default:
        assert(false, `${this.adapter.name}: completion ${opcode} is known`);
    }
  }

  #frames(opcode: number, slot: number, count: number): void {
    const { up } = this.adapter;
    const first = (slot + Descriptor.offset.a0) >> 2;
    for (let i = 0; i < count; i++) {
      const address = this.#i32[first + i]!;
      if (opcode === Completion.FramesReceived) up.receiveFrame(address);
      else up.sendFrameComplete(address);
    }
  }
}
