/**
 * What must hold in a machine at any time between two rounds, and at its end: the checker of R5 and R6.
 *
 * The invariants of §8.2 of the digest, and what asserts each:
 *
 *    1 one owner of each delegated variable      `#devices`, `#connections`
 *    2 one owner of each NET_BUFFER              invariants-buffers.ts, over the checkers' buffer-ledger.ts
 *    3 each operation completes once             the checkers: operation-rules.ts, data-rules.ts, `checkEnd`
 *    4 every byte, in order, once                the loads of the fabric (SeedRun), the peers of a ladder
 *    5 reference counts                          `#paths`, `#neighbors`, `#tree`
 *    6 no frame through an invalid neighbor      invariants-neighbor.ts
 *    7 nothing indicated after terminate         the checkers: data-rules.ts
 *    8 nothing goes back between owners          invariants-wire.ts on the wire, progress.ts at every hand-over
 *    9 the window's right edge does not shrink   invariants-wire.ts
 *   10 slots in use = live objects               `#slots`, `checkEnd`
 *
 * Beside these:
 *
 *   ownership   Offloaded on the host ⇔ exactly one NIC has the connection; nobody else has it in other states
 *   counts      references of paths and neighbors, dependents in the NICs' trees, the chimney's own numbers
 *   sequences   SND.UNA <= SND.NXT <= sndMax; the send queue holds what it says; whatever the peer owes has a timer
 *   held work   only during a hand-over, and nobody is kept waiting without a reason
 *   wires       a member that is not active is silent: invariants-silence.ts
 *   the end     every pool is full, every table empty, every byte delivered
 *
 * It reads and never writes; a violation throws. The cost of a check is that of one look at each live connection.
 */
import { AssertionError } from '../base/assert.ts';
import { seqLeq } from '../base/seq.ts';
import { Phase } from '../intermediate-driver/diagnostics/checked-object.ts';
import { NetBuffer } from '../memory/net-buffer.ts';
import { OFFLOAD_STATE_NAMES, OffloadState } from '../offload/offload-state.ts';
import type { Simulation } from '../simulation.ts';
import { BufferWatch } from './invariants-buffers.ts';
import { NeighborWatch } from './invariants-neighbor.ts';
import { SilenceWatch } from './invariants-silence.ts';
import { WireWatch } from './invariants-wire.ts';
import { finOutstanding } from '../tcp/send-queue.ts';
import { type Tcb, TCP_STATE_NAMES, TcpPrivateFlag, TcpState, TcpTimerBit } from '../tcp/tcb.ts';
import type { IpDatagram } from '../wire/ip-datagram.ts';
import type { TcpHeader } from '../wire/tcp.ts';

const S = OffloadState;
const SEND_CHAIN_MAX = 4096;

export class InvariantChecker {
  /** Conditions looked at so far. */
  checked = 0;
  readonly #sim: Simulation;
  /** The NICs of the host that is looked at, which is the first; others may be peers. */
  readonly #nics: Simulation['nics'];
  readonly #silence: SilenceWatch;
  readonly #wire: WireWatch;
  readonly #neighborWatch: NeighborWatch;
  readonly #buffers: BufferWatch;
  readonly #tcb: Tcb;
  readonly #buffer;
  /** By host slot: how many NICs have it. */
  readonly #owners: Uint8Array;
  readonly #dependents = new Map<object, number>();
  readonly #pathUsers: number[] = [];
  readonly #nicDependents: Int32Array[];
  readonly #ofNeighbor: Int32Array[];
  /** By host slot: the largest receive buffer that its connection has had, and which connection that was. */
  readonly #largestRcvWnd: Int32Array;
  readonly #handles: Int32Array;

  /** @param watchesWire false: frames are lost in front of the cable, SYNs too, and what follows cannot be told apart */
  constructor(sim: Simulation, watchesWire = true) {
    const { host } = sim.host;
    this.#sim = sim;
    this.#nics = sim.nics.slice(0, host.miniports.length);
    this.#silence = new SilenceWatch(sim, this.#nics.length);
    this.#wire = new WireWatch(sim.memory, (ip, tcp) => this.#hasSmallerBuffer(ip, tcp), sim.host.host.addresses);
    this.#neighborWatch = new NeighborWatch(sim.memory, this.#nics);
    this.#buffers = new BufferWatch(sim);
    for (const index of this.#nics.keys()) {
      const taps = [this.#silence, this.#neighborWatch, ...(watchesWire ? [this.#wire] : [])];
      for (const tap of taps) sim.fabric.cables[index]!.addTap(tap, index);
    }
    sim.onStep = component => this.#neighborWatch.stepped(component);
    this.#tcb = host.transport.table.cursor();
    this.#buffer = NetBuffer.view(sim.memory);
    this.#owners = new Uint8Array(host.transport.table.capacity);
    this.#largestRcvWnd = new Int32Array(host.transport.table.capacity);
    this.#handles = new Int32Array(host.transport.table.capacity);
    this.#nicDependents = this.#nics.map(nic => new Int32Array(nic.objects.paths.capacity));
    this.#ofNeighbor = this.#nics.map(nic => new Int32Array(nic.objects.neighbors.capacity));
  }

  /** Between two rounds. */
  check(): void {
    this.#devices();
    this.#connections();
    this.#paths();
    this.#neighbors();
    this.#silence.check();
    this.#slots();
    this.#buffers.check();
  }

  /** Segments, frames and buffers that the watches have looked at. */
  get watched(): { segments: number; frames: number; buffers: number } {
    const { segments } = this.#wire;
    return { segments, frames: this.#neighborWatch.frames, buffers: this.#buffers.checked };
  }

  /** When all connections are over and nothing is under way. */
  checkEnd(): void {
    this.check();
    const { fabric } = this.#sim;
    for (const checker of this.#sim.checkers) checker.checkEnd();
    const { host, team, vlans } = this.#sim.host;
    this.#hold(host.tli.active === 0, 'connections left on the switch', host.tli.active);
    this.#hold(host.transport.table.inUse === 0, 'TCBs left on the host', host.transport.table.inUse);
    this.#hold(host.tx.inUse === 0, 'transmit buffers lost', host.tx.inUse);
    this.#hold(host.sendDescriptors.inUse === 0, 'send descriptors lost', host.sendDescriptors.inUse);
    this.#hold(host.copies.inUse === 0, 'copy buffers lost', host.copies.inUse);
    this.#hold(host.blocks.inUse === 0, 'blocks lost', host.blocks.inUse);
    this.#hold(host.chimney.offloaded === 0, 'connections left in the chimney', host.chimney.offloaded);
    this.#hold(host.chimney.requestsPending === 0, 'requests unanswered', host.chimney.requestsPending);
    this.#nics.forEach((nic, index) => {
      const { connections, paths, neighbors } = nic.tree;
      this.#hold(connections === 0, `${nic.boot.config.name}: connections left`, connections);
      this.#hold(paths === 0, `${nic.boot.config.name}: paths left`, paths);
      this.#hold(neighbors === 0, `${nic.boot.config.name}: neighbors left`, neighbors);
      this.#hold(
        nic.firmware.pool.inUse === 0,
        `${nic.boot.config.name}: receive buffers lost`,
        nic.firmware.pool.inUse,
      );
      if (team !== null) this.#hold(team.entriesOn(index) === 0, 'team entries left', team.entriesOn(index));
    });
    for (const driver of [team, vlans]) {
      if (driver !== null) this.#hold(driver.callsPending === 0, 'driver calls unanswered', driver.callsPending);
    }
    if (vlans !== null) this.#hold(vlans.entriesOn(0) === 0, 'VLAN entries left', vlans.entriesOn(0));
    for (const population of fabric.populations) {
      this.#hold(population.connections === 0, 'connections left on stations', population.connections);
      this.#hold(population.buffersInUse === 0, 'buffers of stations lost', population.buffersInUse);
    }
  }

  #hold(holds: boolean, what: string, subject: number): void {
    this.checked++;
    if (!holds) throw new AssertionError(`${what}: ${subject}`);
  }

  /** As `hold`, about a connection; the words are only made when it does not hold. */
  #holdFor(holds: boolean, tcb: Tcb, where: string, what: string): void {
    this.checked++;
    if (holds) return;
    const state = `${TCP_STATE_NAMES[tcb.state]}, ${OFFLOAD_STATE_NAMES[tcb.offloadState]}`;
    const seqs = `una ${tcb.sndUna} nxt ${tcb.sndNxt} max ${tcb.sndMax} queued ${tcb.sendDataBytes} timers ${tcb.timers}`;
    throw new AssertionError(`${where}, TCB at ${tcb.base} (${state}): ${what}; ${seqs} flags ${tcb.privateFlags}`);
  }

  /** As `hold`, about a part of the host's or a NIC's. */
  #holdAt(holds: boolean, name: string, what: string, slot: number, counted: number): void {
    this.checked++;
    if (!holds) throw new AssertionError(`${name}: ${what} ${slot}, ${counted} expected`);
  }

  /** Each NIC's connections belong to one of the host's, and its counts are right. */
  #devices(): void {
    const tcb = this.#tcb;
    this.#owners.fill(0);
    this.#nics.forEach((nic, index) => {
      // What a device that was given up has is nobody's.
      if (this.#sim.host.host.miniports[index]?.dead === true) return;
      const { firmware, objects, boot } = nic;
      const { name } = boot.config;
      const { table } = firmware;
      const dependents = this.#nicDependents[index]!.fill(0);
      let blocked = 0;
      if (nic.faultReason !== '') throw new AssertionError(`${name} stopped: ${nic.faultReason}`);
      for (let slot = 0; slot < table.capacity; slot++) {
        if (!table.isLive(slot)) continue;
        tcb.at(table.addressOf(slot));
        const owner = this.#hostSlotOf(tcb.context);
        this.#holdFor(owner >= 0, tcb, name, 'the host knows nothing of it');
        this.#owners[owner]!++;
        this.#holdFor(objects.paths.isLive(tcb.path), tcb, name, 'its path is there');
        dependents[tcb.path]!++;
        if (tcb.state === TcpState.Closed) continue;
        this.#sequences(tcb, name, index);
        if ((tcb.privateFlags & TcpPrivateFlag.TransmitPending) !== 0) blocked++;
      }
      this.#holdAt(
        blocked <= firmware.blockedCount,
        name,
        'blocked connections in its list',
        blocked,
        firmware.blockedCount,
      );
      this.#tree(nic.objects, index, name);
    });
  }

  #tree(objects: Simulation['nics'][number]['objects'], index: number, name: string): void {
    const { paths, neighbors } = objects;
    const dependents = this.#nicDependents[index]!;
    const ofNeighbor = this.#ofNeighbor[index]!.fill(0);
    for (let slot = 0, left = paths.inUse; left > 0; slot++) {
      if (!paths.isLive(slot)) continue;
      left--;
      objects.placePath(slot);
      const counted = dependents[slot]!;
      this.#holdAt(objects.path.dependents === counted, name, 'dependents of path', slot, counted);
      this.#holdAt(neighbors.isLive(objects.path.neighbor), name, 'the neighbor is there of path', slot, 1);
      ofNeighbor[objects.path.neighbor]!++;
    }
    for (let slot = 0, left = neighbors.inUse; left > 0; slot++) {
      if (!neighbors.isLive(slot)) continue;
      left--;
      objects.placeNeighbor(slot);
      const counted = ofNeighbor[slot]!;
      this.#holdAt(objects.neighbor.dependents === counted, name, 'dependents of neighbor', slot, counted);
    }
  }

  /** Up through the drivers: the host's slot of a context that a NIC has, -1 when it leads nowhere. */
  #hostSlotOf(context: number): number {
    const { host, team, vlans } = this.#sim.host;
    let handle = context;
    if (team !== null) handle = team.upperOf(handle);
    if (vlans !== null) handle = vlans.upperOf(handle);
    return host.transport.table.slotOfHandle(handle);
  }

  /** The application has made the receive buffer of this connection smaller since its segments were first seen. */
  #hasSmallerBuffer(ip: IpDatagram, tcp: TcpHeader): boolean {
    const { interfaces, transport } = this.#sim.host.host;
    const { table } = transport;
    return interfaces.some(({ index }) => {
      const slot = table.lookup(ip.destination, tcp.dstPort, ip.source, tcp.srcPort, index);
      return slot >= 0 && this.#tcb.at(table.addressOf(slot)).initialRcvWnd < this.#largestRcvWnd[slot]!;
    });
  }

  /** Down through the drivers: whether the NIC that has this handle really has it. */
  #isOnDevice(handle: number): boolean {
    const { team, vlans } = this.#sim.host;
    const below = vlans === null ? handle : vlans.lowerOf(handle);
    const member = team === null ? 0 : team.memberOf(below);
    const lowest = team === null ? below : team.lowerOf(below);
    return member >= 0 && this.#nics[member]!.firmware.table.slotOfHandle(lowest) >= 0;
  }

  #connections(): void {
    const { host } = this.#sim.host;
    const { table } = host.transport;
    const tcb = this.#tcb;
    let away = 0;
    this.#dependents.clear();
    this.#pathUsers.length = 0;
    for (let slot = 0; slot < table.capacity; slot++) {
      if (!table.isLive(slot)) continue;
      tcb.at(table.addressOf(slot));
      const { offloadState, path } = tcb;
      const owners = this.#owners[slot]!;
      const handle = table.handleOf(slot);
      const largest = this.#handles[slot] === handle ? this.#largestRcvWnd[slot]! : 0;
      this.#handles[slot] = handle;
      this.#largestRcvWnd[slot] = Math.max(largest, tcb.initialRcvWnd);
      this.#pathUsers[path] = (this.#pathUsers[path] ?? 0) + 1;
      if (offloadState !== S.InHost) away++;
      if (offloadState === S.Offloading || offloadState === S.Offloaded) this.#depend(host.network.path(path));
      if (offloadState === S.InHost) {
        this.#holdFor(owners === 0, tcb, 'host', 'a NIC has it too');
        if (tcb.state !== TcpState.Closed) this.#sequences(tcb, 'host', -1);
      } else if (offloadState === S.Offloaded) {
        this.#holdFor(owners === 1, tcb, 'host', `${owners} NICs have it`);
        this.#holdFor(this.#isOnDevice(tcb.offloadHandle), tcb, 'host', 'its handle is of a live connection');
      } else {
        this.#holdFor(owners <= 1, tcb, 'host', `${owners} NICs have it`);
      }
      this.#heldWork(slot, tcb);
    }
    this.#hold(host.chimney.offloaded === away, 'connections away, and the chimney says', host.chimney.offloaded);
  }

  #heldWork(slot: number, tcb: Tcb): void {
    const { host } = this.#sim.host;
    // A device that has stopped for a connection is as good as gone.
    const isDue = tcb.offloadState === S.Offloaded && (tcb.privateFlags & TcpPrivateFlag.UploadDue) !== 0;
    const isMoving = isDue || tcb.offloadState === S.Offloading || tcb.offloadState === S.Uploading;
    this.#holdFor(isMoving || !host.offload.holds(slot), tcb, 'host', 'segments are held for no hand-over');
    const connection = host.tli.connections.get(slot);
    if (connection === null) return;
    this.#holdFor(isMoving || connection.queuedHead === 0, tcb, 'host', 'sends are held for no hand-over');
    const isExpected = connection.listed || tcb.offloadState === S.Offloading;
    this.#holdFor(isExpected || !connection.paused, tcb, 'host', 'data is held for no offload');
  }

  #sequences(tcb: Tcb, where: string, nic: number): void {
    this.#buffers.queue(tcb, where);
    if (tcb.state < TcpState.Established) return;
    this.#holdFor(seqLeq(tcb.sndUna, tcb.sndNxt), tcb, where, 'SND.UNA <= SND.NXT');
    this.#holdFor(seqLeq(tcb.sndNxt, tcb.sndMax), tcb, where, 'SND.NXT <= sndMax');
    this.#holdFor(tcb.rcvWnd >= 0 && tcb.cwnd > 0, tcb, where, 'windows are positive');
    const buffer = this.#buffer;
    let bytes = 0;
    let count = 0;
    for (let address = tcb.sendDataHead; address !== 0 && count < SEND_CHAIN_MAX; count++) {
      buffer.at(address);
      if (nic < 0) this.#buffers.onHost(address);
      else this.#buffers.onDevice(nic, address);
      bytes += buffer.dataLength - buffer.bytesTransferred;
      address = buffer.next;
    }
    this.#holdFor(bytes === tcb.sendDataBytes, tcb, where, `the send queue holds ${bytes} bytes`);
    // RFC 6298 5.1: whatever the peer owes has a timer; what found no room is in the owner's list, what is to be taken back
    // stands still.
    const isOwed = tcb.sendDataBytes > 0 || finOutstanding(tcb.state);
    const isWatched = (tcb.timers & TcpTimerBit.Retransmit) !== 0;
    const isBlocked = (tcb.privateFlags & (TcpPrivateFlag.TransmitPending | TcpPrivateFlag.UploadDue)) !== 0;
    this.#holdFor(!isOwed || isWatched || isBlocked, tcb, where, 'it waits for an ACK without a timer');
  }

  #depend(object: object): void {
    this.#dependents.set(object, (this.#dependents.get(object) ?? 0) + 1);
  }

  /** R6: references of path objects. */
  #paths(): void {
    for (const path of this.#sim.host.host.network.paths) {
      const users = this.#pathUsers[path.index] ?? 0;
      const counted = this.#dependents.get(path) ?? 0;
      this.#holdAt(path.references === users, 'host', 'users of path', path.index, users);
      this.#holdAt(path.offloadedConnections === counted, 'host', 'connections offloaded on path', path.index, counted);
      const isThere = path.offloadState === S.Offloaded || path.offloadState === S.Offloading;
      this.#holdAt(counted === 0 || isThere, 'host', 'dependents of a path that is nowhere', path.index, 0);
      if (isThere) this.#depend(path.linked!);
    }
  }

  #neighbors(): void {
    for (const neighbor of this.#sim.host.host.framing.neighbors) {
      const counted = this.#dependents.get(neighbor) ?? 0;
      this.#holdAt(neighbor.offloadedPaths === counted, 'host', 'paths on neighbor', neighbor.address, counted);
      const isThere = neighbor.offloadState === S.Offloaded || neighbor.offloadState === S.Offloading;
      this.#holdAt(counted === 0 || isThere, 'host', 'paths on a neighbor that is nowhere', neighbor.address, 0);
    }
  }

  /** What the device was given for certain is in its tables, by its handle, and nothing beyond what it may have. */
  #slots(): void {
    this.#nics.forEach((nic, index) => {
      const checker = this.#sim.checkers.find(({ adapter }) => adapter.name === nic.boot.config.name);
      if (checker === undefined || this.#sim.host.host.miniports[index]?.dead === true) return;
      const { neighbors, paths } = nic.objects;
      for (const [layer, table] of [neighbors, paths, nic.firmware.table].entries()) {
        const { certain, possible } = checker.count(layer);
        this.#holdAt(
          table.inUse >= certain,
          nic.boot.config.name,
          'at least the certain slots of layer',
          layer,
          certain,
        );
        this.#holdAt(
          table.inUse <= possible,
          nic.boot.config.name,
          'no slots but the possible of layer',
          layer,
          possible,
        );
        for (const { handle, phase } of checker.objects.ofLayer(layer)) {
          if (phase === Phase.Offloaded) this.#hold(table.slotOfHandle(handle) >= 0, 'a live handle is stale', handle);
        }
      }
    });
  }
}
