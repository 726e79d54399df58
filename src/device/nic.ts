/**
 * A NIC: rings to the host, a MAC on the wire, and firmware between them, as a plain object with `step(now)`
 * (architecture §2.6). The worker shell and the simulation drive the same object.
 *
 *   host ══ submissions ══►  step: requests → wire → timers → blocked senders → publish  ◄══ cable ══ fabric
 *        ◄══ completions ══
 *
 * While completions are backlogged the NIC takes in nothing new, so it never needs more room than it has.
 */
import { ticksOf } from '../base/clock.ts';
import type { Memory } from '../memory/memory.ts';
import { Window } from '../memory/memory.ts';
import { NetBuffer } from '../memory/net-buffer.ts';
import type { Cursor } from '../memory/record.ts';
import { NdisStatus } from '../base/status.ts';
import { DescriptorQueue } from '../ring/descriptor-queue.ts';
import { BATCH_MAX, Completion, Descriptor, Submission } from '../offload/descriptors.ts';
import type { TcpUploadReason } from '../offload/events.ts';
import { HEARTBEAT_MS, type NicBoot, NicStatus, RECEIVE_HEADROOM } from '../ring/nic-layout.ts';
import { Doorbell } from '../ring/doorbell.ts';
import type { Polled } from '../ring/poll-loop.ts';
import { RingConsumer, RingProducer } from '../ring/spsc-ring.ts';
import { isIpv6 } from '../wire/address-table.ts';
import { IPV4 } from '../wire/ipv4.ts';
import { IPV6 } from '../wire/ipv6.ts';
import { DataCalls } from './data-calls.ts';
import { InvertedTree } from './inverted-tree.ts';
import { Mac } from './mac.ts';
import { Initiate } from './initiate.ts';
import { LoadState } from './load-state.ts';
import { NicFault } from './nic-fault.ts';
import { PublishedStatistics } from './published-statistics.ts';
import { DROPPED, NORMAL_PATH, ReceiveLookup } from './receive-lookup.ts';
import { StateOperations } from './state-operations.ts';
import { NicStatistics, trafficOf } from './statistics.ts';
import { Terminate } from './terminate.ts';
import { TcpLoader } from './tcp-loader.ts';
import { TcpFirmware } from './tcp-firmware.ts';

/** Room that one descriptor or one frame may need in the receive pool. */
const POOL_RESERVE = 2;

export class Nic implements Polled {
  readonly boot: NicBoot;
  /** After each state operation, for whoever watches what the NIC holds in the middle of a step. */
  onOperation: () => void = () => {};
  readonly stats = new NicStatistics();
  /** Why the device stopped, or empty. */
  faultReason = '';
  readonly firmware: TcpFirmware;
  /** Paths and neighbors: for checks and statistics, not to be changed. */
  readonly objects: InvertedTree;
  readonly #memory: Memory;
  readonly #window: Window;
  readonly #mac: Mac;
  readonly #loader: TcpLoader;
  readonly #initiate: Initiate;
  readonly #loadState: LoadState;
  readonly #terminate: Terminate;
  readonly #operations: StateOperations;
  readonly #calls: DataCalls;
  readonly #submissions: RingConsumer;
  readonly #host: DescriptorQueue;
  readonly #hostBell: Doorbell;
  readonly #fabricBell: Doorbell;
  readonly #status: Cursor<typeof NicStatus.fields>;
  readonly #linkIndex: number;
  readonly #carrierIndex: number;
  readonly #heartbeatIndex: number;
  readonly #lookup: ReceiveLookup;
  readonly #published: PublishedStatistics;
  readonly #buffer: Cursor<typeof NetBuffer.fields>;
  readonly #descriptor: Cursor<typeof Descriptor.fields>;
  #stalled = false;
  /** The host's frames wait for room on the wire. */
  #framesWait = false;
  #nextHeartbeatUs = 0;

  constructor(memory: Memory, boot: NicBoot) {
    const { regions } = boot;
    this.boot = boot;
    this.#memory = memory;
    this.#hostBell = new Doorbell(memory, boot.hostDoorbell);
    this.#fabricBell = new Doorbell(memory, boot.fabricDoorbell);
    this.#window = new Window([...boot.grants, boot.blocks, regions.receivePool]);
    this.#submissions = new RingConsumer(memory, regions.submissions, this.#hostBell);
    this.#host = new DescriptorQueue(memory, new RingProducer(memory, regions.completions, this.#hostBell));
    const toFabric = new RingProducer(memory, regions.toFabric, this.#fabricBell);
    const fromFabric = new RingConsumer(memory, regions.fromFabric, this.#fabricBell);
    this.#mac = new Mac(memory, boot.config, toFabric, fromFabric, regions.sink.offset, this.stats);
    const tree = new InvertedTree(memory, regions, boot.config.tcpEntries, boot.config.target.nceStaleTicks);
    this.objects = tree;
    this.firmware = new TcpFirmware(memory, boot, this.#mac, tree, this.#host, this.stats);
    this.#published = new PublishedStatistics(memory, regions.offloadStats, this.stats);
    this.#lookup = new ReceiveLookup(memory, this.firmware.table, tree.addresses, boot.config, this.stats);
    this.#loader = new TcpLoader(memory, boot, this.#window, this.firmware, tree, this.stats);
    this.#initiate = new Initiate(memory, boot, this.#loader, this.firmware, tree, this.stats);
    this.#loadState = new LoadState(memory, boot, this.#loader, this.firmware, tree, this.stats);
    this.#terminate = new Terminate(memory, boot, this.firmware, tree, this.stats);
    this.#operations = new StateOperations(memory, boot, this.firmware, tree, this.stats);
    this.#calls = new DataCalls(memory, this.#window, this.firmware, this.#host, this.stats);
    this.#buffer = NetBuffer.view(memory);
    this.#descriptor = Descriptor.view(memory);
    this.#status = NicStatus.view(memory).at(regions.status.offset);
    this.#carrierIndex = (regions.status.offset + NicStatus.offset.carrier) >> 2;
    this.#linkIndex = (regions.status.offset + NicStatus.offset.linkUp) >> 2;
    this.#heartbeatIndex = (regions.status.offset + NicStatus.offset.heartbeat) >> 2;
    Atomics.store(memory.i32, this.#linkIndex, 1);
  }

  get tree(): { paths: number; neighbors: number; connections: number } {
    const { paths, neighbors } = this.objects;
    return { paths: paths.inUse, neighbors: neighbors.inUse, connections: this.firmware.table.inUse };
  }

  get doorbellsRung(): number {
    return this.#hostBell.rings + this.#fabricBell.rings;
  }

  step(nowUs: number, budget: number): number {
    if (!this.#mayAct) return 0;
    this.firmware.setTime(ticksOf(nowUs));
    this.#beat(nowUs);
    let work = this.#senseLink();
    if (!this.#host.backlogged) work += this.#takeSubmissions(budget);
    if (!this.#host.backlogged) work += this.#takeFrames(budget);
    if (!this.#host.backlogged) work += this.firmware.expireTimers(this.firmware.now);
    if (this.firmware.blockedCount > 0) work += this.firmware.retryBlocked();
    if (work > 0) this.#published.publish();
    this.#publish();
    return work;
  }

  /** A NIC that hung and was given up may wake again: what it had is no longer its own. */
  get #mayAct(): boolean {
    return !this.#stalled && this.#status.fault === NicFault.None && this.#status.fenced === 0;
  }

  hasWork(): boolean {
    if (!this.#mayAct) return false;
    const carrier = Atomics.load(this.#memory.i32, this.#carrierIndex);
    if ((carrier !== 0) !== this.#mac.linkUp) return true;
    if (this.#host.backlogged) return this.#host.ring.free() > 0;
    if (this.firmware.blockedCount > 0 && this.#mac.hasRoom()) return true;
    if (this.#mac.hasFrames()) return true;
    return this.#framesWait ? this.#mac.freeSlots() >= BATCH_MAX : this.#submissions.hasWork();
  }

  usUntilNext(nowUs: number): number {
    // Timers of a NIC that hangs are overdue, and nobody waits for them.
    if (!this.#mayAct) return HEARTBEAT_MS * 1000;
    const ticks = this.firmware.ticksUntilTimer(ticksOf(nowUs));
    if (ticks < 0) return HEARTBEAT_MS * 1000;
    return Math.min(HEARTBEAT_MS * 1000, Math.max(0, ticks * 1000 - (nowUs % 1000)));
  }

  // --- control plane ---

  /** Firmware hangs: nothing is processed, the heartbeat stops. */
  stall(): void {
    this.#stalled = true;
  }

  resume(): void {
    this.#stalled = false;
  }

  /** The state of a connection, or of all of them (a reset of the function), is lost in the hardware (C15, D26). */
  corrupt(slot: number | 'all'): void {
    this.#forSlots(slot, at => this.firmware.corrupt(at));
  }

  /** Asks the host for a connection, or for all of them (D30). */
  requestUpload(slot: number | 'all', reason: TcpUploadReason): void {
    this.#forSlots(slot, at => this.firmware.requestUpload(at, reason));
    this.#publish();
  }

  #forSlots(slot: number | 'all', work: (slot: number) => void): void {
    const { table } = this.firmware;
    const first = slot === 'all' ? 0 : slot;
    const last = slot === 'all' ? table.capacity - 1 : slot;
    for (let at = first; at <= last; at++) if (table.isLive(at)) work(at);
  }

  // --- the parts of a step ---

  #beat(nowUs: number): void {
    if (nowUs < this.#nextHeartbeatUs) return;
    this.#nextHeartbeatUs = nowUs + HEARTBEAT_MS * 1000;
    this.firmware.lookForIdle();
    Atomics.store(this.#memory.i32, this.#heartbeatIndex, (this.#status.heartbeat + 1) | 0);
  }

  /** Media sense: the carrier word is the fabric's; the host hears of a change through a status indication. */
  #senseLink(): number {
    const up = Atomics.load(this.#memory.i32, this.#carrierIndex) !== 0;
    if (up === this.#mac.linkUp) return 0;
    this.#mac.linkUp = up;
    Atomics.store(this.#memory.i32, this.#linkIndex, up ? 1 : 0);
    this.#host.push(Completion.IndicateStatus, up ? NdisStatus.MediaConnect : NdisStatus.MediaDisconnect, 0, 0);
    return 1;
  }

  #takeSubmissions(budget: number): number {
    let work = 0;
    while (work < budget && !this.#host.backlogged) {
      const slot = this.#submissions.next();
      if (slot < 0) {
        if (this.#submissions.corrupt) this.#fault(NicFault.Protocol, 'submission ring is corrupt');
        break;
      }
      const blocked = !this.#submission(this.#descriptor.at(slot));
      if (blocked) {
        this.#submissions.unread();
        break;
      }
      work++;
    }
    return work;
  }

  /** One descriptor. False: no room on the wire for its frames, leave it in the ring. */
  #submission(descriptor: Cursor<typeof Descriptor.fields>): boolean {
    const { opcode, a0, a1, flags } = descriptor;
    switch (opcode) {
      case Submission.SendFrames:
        return this.#sendFrames(descriptor);
      case Submission.ReturnBuffers:
        this.#returnBuffers(descriptor);
        return true;
      case Submission.InitiateOffload:
        this.#operation(this.#initiate.run(a0), Completion.InitiateOffloadComplete, a0);
        this.#loader.start();
        return true;
      case Submission.LoadOffloadState:
        this.#operation(this.#loadState.run(a0), Completion.LoadOffloadStateComplete, a0);
        this.#loader.start();
        return true;
      case Submission.TerminateOffload:
        this.#operation(this.#terminate.run(a0), Completion.TerminateOffloadComplete, a0);
        return true;
      case Submission.UpdateOffload:
        this.#operation(this.#operations.update(a0), Completion.UpdateOffloadComplete, a0);
        return true;
      case Submission.InvalidateOffload:
        this.#operation(this.#operations.invalidate(a0), Completion.InvalidateOffloadComplete, a0);
        return true;
      case Submission.QueryOffload:
        this.#operation(this.#operations.query(a0), Completion.QueryOffloadComplete, a0);
        return true;
      case Submission.SetStatistics:
        this.#published.zero(a0);
        return true;
      case Submission.SetMac:
        this.#mac.macHi = a0;
        this.#mac.macLo = a1;
        return true;
      default:
        this.#dataCall(opcode, a0, a1, flags);
        return true;
    }
  }

  #dataCall(opcode: number, a0: number, a1: number, flags: number): void {
    const problem = this.#calls.call(opcode, a0, a1, flags);
    if (problem !== '') this.#fault(this.#calls.fault, problem);
  }

  #operation(ok: boolean, completion: number, root: number): void {
    this.onOperation();
    if (ok) {
      this.#host.push(completion, root, 0, 0);
      this.firmware.tellCorrupt();
    } else {
      this.#fault(NicFault.Protocol, `block list ${root} is not one`);
    }
  }

  #sendFrames(descriptor: Cursor<typeof Descriptor.fields>): boolean {
    const { count, base } = descriptor;
    const i32 = this.#memory.i32;
    const first = (base + Descriptor.offset.a0) >> 2;
    this.#framesWait = this.#mac.freeSlots() < count;
    if (this.#framesWait) return false;
    for (let i = 0; i < count; i++) {
      const address = i32[first + i]!;
      if (!this.#window.allows(address, NetBuffer.byteLength)) {
        this.#fault(NicFault.Window, `frame descriptor ${address}`);
        return true;
      }
      const buffer = this.#buffer.at(address);
      const { dataAddress, dataLength } = buffer;
      if (!this.#window.allows(dataAddress, dataLength) || dataLength > this.boot.config.mtu + 22) {
        this.#fault(NicFault.Window, `frame of ${dataLength} bytes at ${dataAddress}`);
        return true;
      }
      const at = this.#mac.reserve();
      this.#memory.kernels.copy(at, dataAddress, dataLength);
      this.#mac.transmit(at, dataLength);
      this.stats.hostFramesTransmitted++;
      this.#host.pushAddress(Completion.FramesSent, address);
    }
    return true;
  }

  #returnBuffers(descriptor: Cursor<typeof Descriptor.fields>): void {
    const { count, base } = descriptor;
    const first = (base + Descriptor.offset.a0) >> 2;
    for (let i = 0; i < count; i++) {
      const address = this.#memory.i32[first + i]!;
      if (this.firmware.pool.isLent(address)) this.firmware.pool.free(address);
      else this.#fault(NicFault.Protocol, `returned buffer ${address} was not lent`);
    }
  }

  #takeFrames(budget: number): number {
    let work = 0;
    while (work < budget && !this.#host.backlogged && this.#mac.receive()) {
      work++;
      const { frameAt, frameLength } = this.#mac;
      const slot = this.firmware.table.inUse > 0 ? this.#lookup.slotOf(frameAt, frameLength) : NORMAL_PATH;
      if (slot === DROPPED) continue;
      if (slot === NORMAL_PATH || !this.#offloadedSegment(slot)) this.#toHost(frameAt, frameLength);
    }
    return work;
  }

  /** False: the frame goes up the normal path. */
  #offloadedSegment(slot: number): boolean {
    const { ip, tcp } = this.#lookup;
    const traffic = trafficOf(this.stats, ip.destination);
    const length = ip.payloadEnd - ip.payloadAt;
    if (!this.#lookup.takeSegment()) {
      traffic.inErrors++;
      return true;
    }
    if (!this.firmware.segment(slot, tcp, false))
      return this.firmware.keep(slot, ip.payloadAt, length, tcp.congestionExperienced);
    traffic.inDatagrams++;
    traffic.inOctets += (isIpv6(ip.source) ? IPV6.headerLength : IPV4.headerLength) + length;
    return true;
  }

  #toHost(frameAt: number, frameLength: number): void {
    const { pool } = this.firmware;
    const address = pool.unreserved > POOL_RESERVE ? pool.allocate() : 0;
    if (address === 0) {
      this.stats.dropNoBuffer++;
      return;
    }
    const buffer = this.#buffer.at(address);
    const data = pool.dataOf(address) + RECEIVE_HEADROOM;
    buffer.dataAddress = data;
    buffer.dataLength = frameLength;
    buffer.next = 0;
    this.#memory.kernels.copy(data, frameAt, frameLength);
    this.stats.hostFramesReceived++;
    this.#host.pushAddress(Completion.FramesReceived, address);
  }

  #publish(): void {
    const fabric = this.#mac.publish();
    const released = this.#submissions.release();
    const host = this.#host.publish();
    if (fabric) this.#fabricBell.ringIfWanted();
    if (host || released) this.#hostBell.ringIfWanted();
    // Out of room: say so, so that a consumer that makes some rings back.
    this.#mac.setWaiting(this.firmware.blockedCount > 0 || this.#framesWait);
    this.#host.ring.setWaiting(this.#host.backlogged);
  }

  /** The other side broke the protocol or the window: the device stops (architecture §2.8). */
  #fault(fault: number, why: string): void {
    this.faultReason = why;
    this.#status.fault = fault;
    this.#hostBell.ringIfWanted();
  }
}
