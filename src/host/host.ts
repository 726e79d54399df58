/**
 * The host: TLI switch, Transport, Network, Framing, chimney and miniports, composed (R46). A plain object with
 * `step(now)`; the machine drives it from the event loop, the simulation from virtual time.
 *
 *   application ─ tli ─ transport ─ network ─ framing ─ adapters' dispatch tables ─ miniports ═ rings ═ NICs
 *                  └──────────── chimney ─────────────────────┘
 */
import { assert } from '../base/assert.ts';
import { type Clock, ticksOf } from '../base/clock.ts';
import type { Prng } from '../base/prng.ts';
import { NdisStatus, statusName } from '../base/status.ts';
import type { Trace } from '../base/trace.ts';
import { BufferPool, poolBytes } from '../memory/buffer-pool.ts';
import type { Memory, Region, RegionPlan } from '../memory/memory.ts';
import { BLOCK_SLOT_BYTES, BlockPool } from '../offload/block-list.ts';
import { TcpOffloadEvent, TcpUploadReason, uploadReasonName } from '../offload/events.ts';
import type { Polled } from '../ring/poll-loop.ts';
import { TcbLayout } from '../tcp/tcb.ts';
import { AddressTable } from '../wire/address-table.ts';
import type { TcpParams } from '../tcp/params.ts';
import { AddressConflicts } from './address-conflicts.ts';
import { Chimney } from './chimney.ts';
import { EventLog } from '../base/event-log.ts';
import { Framing } from './framing.ts';
import { HandOvers } from './hand-overs.ts';
import { Interface, IPV4_ADDRESSES_MAX } from './interface.ts';
import { Ipv4Address } from './ipv4-address.ts';
import { LoadMeter } from './load-meter.ts';
import type { Miniport } from './miniport.ts';
import type { Adapter, ClientTable } from './ndis.ts';
import { Network } from './network.ts';
import type { HostOffloadOptions } from './offload-options.ts';
import { OffloadControl } from './offload-control.ts';
import type { OffloadPolicy } from './policy/offload-policy.ts';
import { REASSEMBLY_BYTES } from './reassembler.ts';
import { Recalls } from './recalls.ts';
import { TcpErrors } from './tcp-errors.ts';
import { TliSwitch } from './tli.ts';
import { Transport } from './transport.ts';
import { TransportOffload } from './transport-offload.ts';
import { HostUdp } from './udp.ts';
import { UDP_BYTES_MAX } from './udp-output.ts';

export interface HostConfig {
  readonly connections: number;
  readonly mtu: number;
  readonly txBuffers: number;
  /** NET_BUFFERs for sends from memory that stays where it is. */
  readonly sendDescriptors: number;
  /** Buffers for sends that are copied. */
  readonly copyBuffers: number;
  readonly copyBufferBytes: number;
  readonly blocks: number;
  /** Bytes for applications to send from in place. */
  readonly applicationBytes: number;
  readonly blockListMax: number;
  readonly offload: HostOffloadOptions;
  readonly tcp: TcpParams;
}

export interface HostRegions {
  readonly tcbs: Region;
  readonly tx: Region;
  readonly sendDescriptors: Region;
  readonly copies: Region;
  readonly blocks: Region;
  readonly application: Region;
  readonly reassembly: Region;
  readonly datagram: Region;
}

const TX_ROOM = 18 + 14 + 8;

export function planHost(plan: RegionPlan, config: HostConfig): HostRegions {
  return {
    tcbs: plan.add('host.tcbs', config.connections * TcbLayout.byteLength),
    tx: plan.add('host.tx', poolBytes({ count: config.txBuffers, dataBytes: config.mtu + TX_ROOM })),
    sendDescriptors: plan.add('host.send-descriptors', poolBytes({ count: config.sendDescriptors, dataBytes: 0 })),
    copies: plan.add('host.copies', poolBytes({ count: config.copyBuffers, dataBytes: config.copyBufferBytes })),
    blocks: plan.add('host.blocks', config.blocks * BLOCK_SLOT_BYTES),
    application: plan.add('host.application', Math.max(64, config.applicationBytes)),
    reassembly: plan.add('host.reassembly', REASSEMBLY_BYTES),
    datagram: plan.add('host.datagram', UDP_BYTES_MAX),
  };
}

/** Host pools have ids behind those of the NICs' receive pools. */
const FIRST_POOL_ID = 0x100;

/** IPv6 addresses beside those of peers with a connection: own ones, routers, neighbors, idle paths. */
const ADDRESSES_BESIDE = 16_384;

/** Something that sits between adapters and wants a share of every step (teams: heartbeats, failover). */
export interface Driver {
  step(nowUs: number): void;
  usUntilNext(nowUs: number): number;
}

export class Host implements Polled {
  readonly config: HostConfig;
  readonly log: EventLog;
  readonly tx: BufferPool;
  readonly sendDescriptors: BufferPool;
  readonly copies: BufferPool;
  readonly blocks: BlockPool;
  readonly addresses: AddressTable;
  readonly framing: Framing;
  readonly conflicts: AddressConflicts;
  readonly network: Network;
  readonly transport: Transport;
  readonly udp: HostUdp;
  readonly tli: TliSwitch;
  readonly offload: TransportOffload;
  readonly chimney: Chimney;
  readonly load = new LoadMeter();
  readonly control: OffloadControl;
  readonly miniports: Miniport[] = [];
  readonly drivers: Driver[] = [];
  readonly #interfaces: Interface[] = [];

  constructor(
    memory: Memory,
    regions: HostRegions,
    config: HostConfig,
    clock: Clock,
    prng: Prng,
    policy: OffloadPolicy,
  ) {
    this.config = config;
    this.log = new EventLog(clock);
    const txShape = { count: config.txBuffers, dataBytes: config.mtu + TX_ROOM };
    this.tx = new BufferPool(memory, regions.tx, txShape, FIRST_POOL_ID);
    const descriptorShape = { count: config.sendDescriptors, dataBytes: 0 };
    this.sendDescriptors = new BufferPool(memory, regions.sendDescriptors, descriptorShape, FIRST_POOL_ID + 1);
    const copyShape = { count: config.copyBuffers, dataBytes: config.copyBufferBytes };
    this.copies = new BufferPool(memory, regions.copies, copyShape, FIRST_POOL_ID + 2);
    this.blocks = new BlockPool(memory, regions.blocks);
    this.addresses = new AddressTable(config.connections + ADDRESSES_BESIDE);
    this.framing = new Framing(memory, this.addresses, this.tx, this.blocks, config.offload.updates);
    this.conflicts = new AddressConflicts(this.framing.arp, prng.fork('address conflicts'), this.log);
    this.framing.arp.conflicts = this.conflicts;
    const { updates } = config.offload;
    this.network = new Network(
      memory,
      this.addresses,
      this.framing,
      this.tx,
      this.blocks,
      regions.reassembly,
      updates,
      prng,
    );
    this.transport = new Transport(
      memory,
      regions.tcbs,
      config.connections,
      this.network,
      this.#interfaces,
      config.tcp,
      prng,
    );
    this.udp = new HostUdp(memory, this.network, this.#interfaces, regions.datagram, prng.fork('UDP'));
    this.offload = new TransportOffload(memory, this.transport, this.network, this.blocks, config.offload.updates);
    this.tli = new TliSwitch(memory, this.transport, this.sendDescriptors, this.copies, config.offload);
    this.offload.source = this.tli;
    this.chimney = new Chimney(
      this.tli,
      this.offload,
      this.#handOvers(),
      clock,
      this.log,
      this.load,
      policy,
      config.blockListMax,
    );
    const recalls = new Recalls(this.chimney, this.tli, this.transport);
    this.control = new OffloadControl(memory, this.framing, this.network, this.offload, this.blocks, recalls);
    this.framing.network = this.network;
    this.network.transport = this.transport;
    this.network.ipv6.watched = neighbor => this.control.reachability.used(neighbor);
    this.transport.doubted = neighbor => this.control.reachability.suspected(neighbor);
    this.network.ipv6.log = this.log;
    this.transport.diversion = this.offload;
    this.transport.errors = new TcpErrors(this.transport, this.network);
    this.network.errors = this.transport.errors;
    this.network.datagrams = this.udp;
  }

  #handOvers(): HandOvers {
    const { blockListMax, offload } = this.config;
    return new HandOvers(this.offload, this.network, this.framing, this.blocks, blockListMax, offload);
  }

  /** The addresses that connections may have at this end, of both IP versions. */
  get ownAddresses(): number[] {
    return this.#interfaces.flatMap(({ ipv4, ipv6 }) => [
      ...ipv4.filter(({ isAssigned }) => isAssigned).map(({ address }) => address),
      ...(ipv6?.addresses.filter(({ isAssigned }) => isAssigned).map(({ number }) => number) ?? []),
    ]);
  }

  get interfaces(): readonly Interface[] {
    return this.#interfaces;
  }

  /** Every layer reports to the trace from now on. */
  setTrace(trace: Trace | null): void {
    this.framing.trace = trace;
    this.network.trace = trace;
    this.offload.trace = trace;
    this.chimney.trace = trace;
    this.control.setTrace(trace);
  }

  /** Binds the stack to an adapter and gives it an IPv4 address; 0: it has none, and speaks IPv6 only. */
  addInterface(adapter: Adapter, address: number, prefixLength: number): Interface {
    const iface = new Interface(this.#interfaces.length, adapter, address, prefixLength);
    this.#interfaces.push(iface);
    this.framing.interfaces.push(iface);
    if (address !== 0) this.network.paths.routes.add(address, prefixLength, 0, iface);
    adapter.bind(this.#client(iface));
    return iface;
  }

  /** One more IPv4 address of an interface. */
  addAddress(iface: Interface, address: number, prefixLength: number): void {
    assert(iface.ipv4.length < IPV4_ADDRESSES_MAX, `an interface has ${IPV4_ADDRESSES_MAX} IPv4 addresses at most`);
    iface.ipv4.push(new Ipv4Address(address, prefixLength));
    this.network.paths.routes.add(address, prefixLength, 0, iface);
  }

  /** IPv4 addresses of the interface are used only when nobody is found to have them (RFC 5227 2.1): some seconds from now. */
  probeAddresses(iface: Interface): void {
    for (const own of iface.ipv4) this.conflicts.begin(iface, own);
  }

  /** The time of calls from outside of a step: the timers that they start count from it. */
  setTime(nowUs: number): void {
    this.transport.now = ticksOf(nowUs);
    this.framing.now = this.transport.now;
    this.network.now = this.transport.now;
    this.conflicts.now = this.transport.now;
    this.control.reachability.now = this.transport.now;
    this.chimney.nowUs = nowUs;
  }

  step(nowUs: number, budget: number): number {
    this.setTime(nowUs);
    let work = 0;
    for (const miniport of this.miniports) work += miniport.poll(budget);
    work += this.transport.expireTimers(this.transport.now);
    work += this.tli.receives.expire(this.transport.now);
    if (this.framing.neighbors.unresolvedCount > 0) work += this.framing.neighbors.expire();
    work += this.network.expire() + this.conflicts.expire();
    if (this.transport.blockedCount > 0 && this.tx.available > 0) work += this.transport.retryBlocked();
    if (this.transport.upcalls.pending) {
      work++;
      this.transport.upcalls.drain(this.tli);
    }
    for (const driver of this.drivers) driver.step(nowUs);
    work += this.control.step(this.transport.now);
    work += this.chimney.step(nowUs);
    for (const miniport of this.miniports) miniport.flush();
    return work;
  }

  hasWork(): boolean {
    if (this.transport.upcalls.pending || this.control.hasWork) return true;
    return this.miniports.some(miniport => miniport.hasWork());
  }

  usUntilNext(nowUs: number): number {
    let least = this.chimney.usUntilNext(nowUs);
    const sooner = (us: number): void => {
      if (us >= 0 && (least < 0 || us < least)) least = us;
    };
    const now = ticksOf(nowUs);
    const toUs = (ticks: number): number => (ticks < 0 ? -1 : Math.max(0, ticks * 1000 - (nowUs % 1000)));
    sooner(toUs(this.transport.ticksUntilTimer(now)));
    sooner(toUs(this.tli.receives.ticksUntilNext(now)));
    sooner(toUs(this.framing.neighbors.ticksUntilNext()));
    sooner(toUs(this.network.ticksUntilNext()));
    sooner(toUs(this.conflicts.ticksUntilNext()));
    sooner(toUs(this.control.ticksUntilNext()));
    for (const driver of this.drivers) sooner(driver.usUntilNext(nowUs));
    return least;
  }

  #client(iface: Interface): ClientTable {
    const { adapter } = iface;
    const { tli, chimney, control, framing } = this;
    const complete = (root: number): void => chimney.complete(root);
    return {
      receiveFrame: buffer => framing.receiveFrame(iface, buffer),
      sendFrameComplete: buffer => this.tx.free(buffer),
      initiateOffloadComplete: root => {
        if (!control.initiateComplete(root)) chimney.complete(root);
      },
      terminateOffloadComplete: complete,
      updateOffloadComplete: root => control.updateComplete(root),
      invalidateOffloadComplete: root => control.invalidations.complete(root),
      queryOffloadComplete: root => control.queries.complete(root),
      loadOffloadStateComplete: root => chimney.loaded(root),
      tcpOffloadSendComplete: (context, buffer, status) => {
        if (status !== NdisStatus.Success) this.#traceFailed(adapter, 'send', status);
        tli.sendComplete(context, buffer, status);
      },
      tcpOffloadReceiveComplete: (context, buffer, status) => tli.receiveComplete(context, buffer, status),
      tcpOffloadDisconnectComplete: (context, buffer, status) => {
        if (status !== NdisStatus.Success) this.#traceFailed(adapter, 'disconnect', status);
        tli.disconnectComplete(context, buffer, status);
      },
      tcpOffloadForwardComplete: (context, buffer, status) => this.#forwardComplete(adapter, context, buffer, status),
      indicateReceive: (context, buffer) => {
        const connection = tli.connections.byHandle(context);
        if (connection === null) adapter.down.returnBuffer(buffer);
        else tli.indicated(connection, buffer);
      },
      indicateEvent: (context, event, argument) => this.#event(adapter, context, event, argument),
      indicateOffloadEvent: (context, code, argument) => control.reachability.indicated(context, code, argument),
      indicateStatus: status => this.#status(iface, status),
    };
  }

  #forwardComplete(adapter: Adapter, context: number, buffer: number, status: number): void {
    const connection = this.tli.connections.byHandle(context === 0 ? this.offload.ownerOf(buffer) : context);
    if (connection === null) adapter.down.returnBuffer(buffer);
    else this.offload.forwardComplete(connection.slot, buffer, status);
  }

  /** 732 and 734 of Figure 7: an outstanding request is answered, and was not done. */
  #traceFailed(adapter: Adapter, request: string, status: number): void {
    this.chimney.trace?.emit(adapter.name, 'tli', `${request} complete: ${statusName(status)}`);
  }

  #event(adapter: Adapter, context: number, event: number, argument: number): void {
    const connection = this.tli.connections.byHandle(context);
    if (connection === null) return;
    if (event === TcpOffloadEvent.IndicateDisconnect) {
      this.chimney.trace?.emit(adapter.name, 'tli', 'disconnect');
      this.tli.endIndicated(connection, argument);
    } else if (event === TcpOffloadEvent.IndicateAbort) {
      this.chimney.trace?.emit(adapter.name, 'tli', 'abort');
      this.tli.abortIndicated(connection);
    } else if (event === TcpOffloadEvent.IndicateRetrieve) {
      // 702 and 704 of Figure 7.
      this.chimney.trace?.emit(adapter.name, 'ndis', `retrieve: ${uploadReasonName(argument)}`);
      this.chimney.trace?.emit('ndis', 'transport', `retrieve: ${uploadReasonName(argument)}`);
      if (argument === TcpUploadReason.HardwareFailure) {
        this.log.emit('hardware-failure', adapter.name, `a connection on port ${connection.localPort} is lost`);
      }
      this.chimney.retrieve(connection, argument);
    }
  }

  #status(iface: Interface, status: number): void {
    const { adapter } = iface;
    switch (status) {
      case NdisStatus.OffloadPause:
        this.chimney.pause(adapter);
        return;
      case NdisStatus.UploadAll:
        this.chimney.uploadAll(adapter);
        return;
      case NdisStatus.OffloadResume:
        this.chimney.resume(adapter);
        return;
      case NdisStatus.NetworkChange:
        this.framing.announce(iface);
        this.transport.pathChanged(iface);
        return;
      case NdisStatus.MediaConnect:
      case NdisStatus.MediaDisconnect:
        this.log.emit(status === NdisStatus.MediaConnect ? 'link-up' : 'link-down', adapter.name, '');
    }
  }
}
