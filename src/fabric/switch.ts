/**
 * Learning Ethernet switch with VLANs: a customer bridge of IEEE 802.1Q (relay 8.6, learning 8.7), without spanning tree.
 *
 * Every frame in the switch belongs to one VLAN of 1 to 4094. An untagged or priority-tagged (VID 0) frame takes the
 * VLAN of the port it comes in by: the vid of an access port, the native VLAN of a trunk. Where nothing else is said
 * that is VLAN 1, the default VLAN; configuration may write 0, "untagged", for it. So a network without VLANs is VLAN 1
 * on ports that send it untagged.
 *
 *   access port   member of one VLAN, untagged; takes frames tagged with that VID too
 *   trunk         member of its native VLAN, untagged, and of `vids`, tagged; all VLANs unless listed
 *
 * Only C-TAGs (0x8100) are looked at; a frame with an S-TAG outermost is an untagged one.
 *
 * Tags come and go in place: the caller lends 8 bytes, two tags, before the frame, and gets the frame back as it was.
 * `input` may be entered again from a `deliver` (a station that answers at once); no state of a frame outlives a call.
 */
import { assert } from '../base/assert.ts';
import { ChimneyError } from '../base/errors.ts';
import type { Memory } from '../memory/memory.ts';
import { ETHERNET, EtherType, isGroupMac } from '../wire/ethernet.ts';
import { VLAN, Vid, insertTag, removeTag, tciOf } from '../wire/vlan.ts';
import { Learned, MacTable } from './mac-table.ts';
import type { FabricPart, Port, Uplink } from './port.ts';

export type PortMode =
  | { readonly mode: 'access'; readonly vid?: number }
  | { readonly mode: 'trunk'; readonly vids?: readonly number[]; readonly native?: number };

export interface SwitchOptions {
  /** How long an address is remembered, IEEE 802.1Q table 8-6: 300 s. */
  readonly ageingUs?: number;
  /** Places of the learning table, a power of two. */
  readonly macPlaces?: number;
}

const AGEING_US = 300_000_000;
const MAC_PLACES = 8192;
const PORTS_MAX = 4096;

/** How a VLAN leaves by a port; in the port's table by VID. */
const Egress = { NotMember: 0, Untagged: 1, Tagged: 2 } as const;
type Form = typeof Egress.Untagged | typeof Egress.Tagged;

/** A port that can say beforehand that it has no room: a cable. */
interface BusyPort extends Port {
  readonly hasRoom: boolean;
}

/** One port as seen from outside: where its frames enter, and what was counted. */
export class SwitchPort implements Uplink {
  readonly index: number;
  readonly port: Port;
  /** VLAN of untagged frames that come in (802.1Q PVID). */
  readonly pvid: number;
  /** `Egress` by VID. */
  readonly egress: Uint8Array;
  readonly #switch: Switch;
  /**
   * Who speaks the protocols of the reserved addresses on this port (LACP). The frames go nowhere else, tags and all.
   */
  reserved: ((frameAt: number, length: number) => void) | null = null;
  framesIn = 0;
  bytesIn = 0;
  framesOut = 0;
  bytesOut = 0;
  /** The port refused a frame. */
  noRoom = 0;

  constructor(owner: Switch, index: number, port: Port, pvid: number, egress: Uint8Array) {
    this.#switch = owner;
    this.index = index;
    this.port = port;
    this.pvid = pvid;
    this.egress = egress;
  }

  get hasRoom(): boolean {
    return this.#switch.hasRoom;
  }

  input(frameAt: number, length: number): void {
    this.framesIn++;
    this.bytesIn += length;
    this.#switch.relay(this, frameAt, length);
  }

  /** The link went down: what was learned here is forgotten, so that frames find another way. */
  forget(): void {
    this.#switch.forget(this);
  }

  /** Sends a frame out by this port, as it is. */
  send(frameAt: number, length: number): void {
    if (!this.port.deliver(frameAt, length)) {
      this.noRoom++;
      return;
    }
    this.framesOut++;
    this.bytesOut += length;
  }
}

export class Switch implements FabricPart {
  readonly ports: SwitchPort[] = [];
  readonly #view: DataView;
  readonly #table: MacTable;
  readonly #busyPorts: BusyPort[] = [];
  #nowUs = 0;
  /** Frames for one port, and for all members of a VLAN. */
  unicast = 0;
  flooded = 0;
  /** Addresses heard for the first time, and on another port than before: the gratuitous ARP after a failover. */
  learned = 0;
  moves = 0;
  /** Dropped: for 01-80-C2-00-00-0x (802.1Q table 8-1), unless the port has somebody for them. */
  reserved = 0;
  /** Dropped: of a VLAN that the port it came by is no member of. */
  foreignVlan = 0;
  /** Dropped: the destination is where the frame came from. */
  filtered = 0;
  /** Dropped: cut off in header or tag, or a group address for source. */
  invalid = 0;

  constructor(memory: Memory, options: SwitchOptions = {}) {
    this.#view = memory.view;
    this.#table = new MacTable(options.macPlaces ?? MAC_PLACES, options.ageingUs ?? AGEING_US);
  }

  /** False while some cable is busy. */
  get hasRoom(): boolean {
    let hasRoom = true;
    // Asks all of them: each remembers that somebody waits for it.
    for (let i = 0; i < this.#busyPorts.length; i++) hasRoom = this.#busyPorts[i]!.hasRoom && hasRoom;
    return hasRoom;
  }

  /** Addresses in the learning table, aged ones included. */
  get addresses(): number {
    return this.#table.used;
  }

  attach(port: Port, mode: PortMode = { mode: 'trunk' }): SwitchPort {
    assert(this.ports.length < PORTS_MAX, 'a switch has a bounded number of ports');
    const egress = new Uint8Array(Vid.Reserved + 1);
    const pvid = vidFor(port, mode.mode === 'access' ? mode.vid : mode.native);
    if (mode.mode === 'trunk') {
      if (mode.vids === undefined) egress.fill(Egress.Tagged, Vid.Default, Vid.Reserved);
      else for (const vid of mode.vids) egress[vidFor(port, vid)] = Egress.Tagged;
    }
    egress[pvid] = Egress.Untagged;
    const attached = new SwitchPort(this, this.ports.length, port, pvid, egress);
    this.ports.push(attached);
    if ('hasRoom' in port) this.#busyPorts.push(port as BusyPort);
    return attached;
  }

  /** Only tells the time, for ageing. */
  step(nowUs: number): number {
    this.#nowUs = nowUs;
    return 0;
  }

  usUntilNext(): number {
    return -1;
  }

  forget(port: SwitchPort): void {
    this.#table.forget(port.index);
  }

  /** A frame came in by `from`. Called by the port, which counts it. */
  relay(from: SwitchPort, frameAt: number, length: number): void {
    const view = this.#view;
    if (length < ETHERNET.headerLength) {
      this.invalid++;
      return;
    }
    if (isReservedMac(view.getUint16(frameAt), view.getInt32(frameAt + 2))) {
      if (from.reserved === null) this.reserved++;
      else from.reserved(frameAt, length);
      return;
    }
    const isTagged = view.getUint16(frameAt + VLAN.tpid) === EtherType.CustomerVlan;
    const isCutOff = isTagged && length < ETHERNET.headerLength + VLAN.tagLength;
    if (isCutOff || isGroupMac(view.getUint16(frameAt + ETHERNET.source))) {
      this.invalid++;
      return;
    }
    const tci = isTagged ? view.getUint16(frameAt + VLAN.tci) : 0;
    const vid = (tci & Vid.Reserved) === Vid.Null ? from.pvid : tci & Vid.Reserved;
    if (from.egress[vid] === Egress.NotMember) {
      this.foreignVlan++;
      return;
    }
    // 802.1Q 6.9.1: priority-tagged frames keep their priority and get the VID.
    const fullTci = isTagged ? tci | vid : tciOf(0, 0, vid);
    if (isTagged && fullTci !== tci) view.setUint16(frameAt + VLAN.tci, fullTci);
    this.#forward(from, vid, frameAt, length, isTagged, fullTci);
    if (isTagged && fullTci !== tci) view.setUint16(frameAt + VLAN.tci, tci);
  }

  #forward(from: SwitchPort, vid: number, frameAt: number, length: number, isTagged: boolean, tci: number): void {
    const view = this.#view;
    const sourceHi = view.getUint16(frameAt + ETHERNET.source);
    const sourceLo = view.getInt32(frameAt + ETHERNET.source + 2);
    const learned = this.#table.learn(sourceHi, sourceLo, vid, from.index, this.#nowUs);
    if (learned === Learned.New) this.learned++;
    else if (learned === Learned.Moved) this.moves++;

    const destinationHi = view.getUint16(frameAt);
    const isGroup = isGroupMac(destinationHi);
    const known = isGroup ? -1 : this.#table.find(destinationHi, view.getInt32(frameAt + 2), vid, this.#nowUs);
    if (known === from.index) {
      this.filtered++;
      return;
    }
    if (known >= 0) this.unicast++;
    else this.flooded++;

    const asIs = isTagged ? Egress.Tagged : Egress.Untagged;
    this.#emit(from, known, vid, asIs, frameAt, length);
    const other = isTagged ? Egress.Untagged : Egress.Tagged;
    if (!this.#isWanted(from, known, vid, other)) return;
    if (isTagged) {
      const untaggedAt = removeTag(view, frameAt, length);
      this.#emit(from, known, vid, other, untaggedAt, length - VLAN.tagLength);
      insertTag(view, untaggedAt, length - VLAN.tagLength, tci);
    } else {
      const taggedAt = insertTag(view, frameAt, length, tci);
      this.#emit(from, known, vid, other, taggedAt, length + VLAN.tagLength);
      removeTag(view, taggedAt, length + VLAN.tagLength);
    }
  }

  /** Sends to the known port, or to all members but the sender, where the VLAN leaves in that form. */
  #emit(from: SwitchPort, known: number, vid: number, form: Form, frameAt: number, length: number): void {
    if (known >= 0) {
      const to = this.ports[known]!;
      if (to.egress[vid] === form) to.send(frameAt, length);
      return;
    }
    for (let i = 0; i < this.ports.length; i++) {
      const to = this.ports[i]!;
      if (to !== from && to.egress[vid] === form) to.send(frameAt, length);
    }
  }

  #isWanted(from: SwitchPort, known: number, vid: number, form: Form): boolean {
    if (known >= 0) return this.ports[known]!.egress[vid] === form;
    for (let i = 0; i < this.ports.length; i++) {
      const to = this.ports[i]!;
      if (to !== from && to.egress[vid] === form) return true;
    }
    return false;
  }
}

/** 01-80-C2-00-00-00 to -0F stay on their link (802.1Q 8.6.3). */
function isReservedMac(macHi: number, macLo: number): boolean {
  return macHi === 0x0180 && (macLo & 0xfffffff0) === (0xc2000000 | 0);
}

/** The VLAN that the configuration means. */
function vidFor(port: Port, vid: number | undefined): number {
  if (vid === undefined || vid === Vid.Null) return Vid.Default;
  if (!Number.isInteger(vid) || vid < 0 || vid >= Vid.Reserved) {
    throw new ChimneyError('ERR_CHIMNEY_VLAN', `switch port ${port.name}: VLAN ${vid} is not one of 1 to 4094`);
  }
  return vid;
}
