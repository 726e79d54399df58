/**
 * An active-backup team (R36–R38): several NICs behind one MAC, one of them active, failover through the host (Figure 9).
 *
 *   detect (link, heartbeat, administrator) → PAUSE → traffic to the next member, NetworkChange (gratuitous ARP)
 *   → UPLOAD_ALL: the host terminates everything, the calls go to the old member → empty → capabilities → RESUME
 *
 * A member whose heartbeat stopped cannot give state back: calls to it are failed here, and its connections are lost —
 * counted and logged, never silently (the shipped contract needs a cooperating NIC; digest §9).
 */
import { type Clock } from '../base/clock.ts';
import { NdisStatus } from '../base/status.ts';
import type { Memory, Region } from '../memory/memory.ts';
import { HEARTBEAT_MS } from '../ring/nic-layout.ts';
import type { EventLog } from '../base/event-log.ts';
import type { Adapter } from '../host/ndis.ts';
import { isGroupMac } from '../wire/ethernet.ts';
import { type CallEntry, IntermediateDriver } from './intermediate-driver.ts';

export type FailoverCause = 'link' | 'heartbeat' | 'fault' | 'administrator';

export interface FailoverRecord {
  /** The member that failed, and the one that took over. */
  readonly nic: string;
  readonly to: string;
  readonly cause: FailoverCause;
  readonly atUs: number;
  /** From the failure itself, as far as it is known, to the team's notice of it. */
  readonly detectedAfterMs: number;
  readonly connectionsMoved: number;
  connectionsLost: number;
  bytesLost: number;
  /** From the notice to the resume of offloads. */
  ms: number;
}

/** What the team watches of a member besides its adapter. */
export interface MemberHealth {
  heartbeat(): number;
  fault(): number;
  /** When its carrier last changed, µs of the machine's clock, or -1. */
  carrierChangedUs(): number;
  /** Takes the device out of service for good: should it wake, it must not act on state that is no longer its own. */
  fence(): void;
}

const CHECK_US = HEARTBEAT_MS * 1000;
/**
 * Checks without a heartbeat before a member counts as dead: a second. Its connections are lost then, so that a thread which a
 * busy machine has not let run for some hundred milliseconds must not be taken for one that hangs.
 */
const MISSED_MAX = 20;

class MemberState {
  lastHeartbeat = -1;
  missed = 0;
  dead = false;
}

export class ActiveBackupTeam extends IntermediateDriver {
  readonly adapter: Adapter;
  readonly failovers: FailoverRecord[] = [];
  readonly #health: readonly MemberHealth[];
  readonly #states: MemberState[];
  readonly #clock: Clock;
  readonly #log: EventLog;
  readonly #failedCalls: CallEntry[] = [];
  #active = 0;
  /** Member that is being emptied, or -1. */
  #leaving = -1;
  #current: FailoverRecord | null = null;
  #nextCheckUs = 0;

  constructor(
    memory: Memory,
    blocks: Region,
    members: readonly Adapter[],
    health: readonly MemberHealth[],
    name: string,
    clock: Clock,
    log: EventLog,
  ) {
    super(memory, blocks, members);
    const first = members[0]!;
    this.#health = health;
    this.#states = members.map(() => new MemberState());
    this.#clock = clock;
    this.#log = log;
    this.adapter = this.addVirtual(name, first.macHi, first.macLo, Math.min(...members.map(member => member.mtu)));
    this.adapter.capabilities = first.capabilities;
    // A team shows one MAC: every member listens to it.
    for (const member of members.slice(1)) member.down.setMac(first.macHi, first.macLo);
  }

  get active(): Adapter {
    return this.members[this.#active]!;
  }

  get isFailingOver(): boolean {
    return this.#leaving >= 0;
  }

  /** The administrator's order (R37). False when the member is not the active one or nobody can take over. */
  failOver(name: string): boolean {
    if (this.active.name !== name) return false;
    return this.#failOver('administrator', this.#clock.nowUs());
  }

  protected routeOut(): number {
    return this.#active;
  }

  protected routeIn(member: number, address: number): number {
    if (member === this.#active) return 0;
    // The backup hears what is flooded: group frames the stack has heard already. A frame for the team's own address comes
    // this way when the switch has noticed a failure before we have.
    return isGroupMac(this.memory.view.getUint16(this.buffer.at(address).dataAddress)) ? -1 : 0;
  }

  protected override isDead(member: number): boolean {
    return this.#states[member]!.dead;
  }

  protected override deferFailure(call: CallEntry): void {
    this.#failedCalls.push(call);
  }

  protected override entriesChanged(): void {
    if (this.#leaving >= 0 && this.entries.perMember[this.#leaving] === 0) this.#finish();
  }

  protected statusIndicated(member: number, status: number): void {
    const { name } = this.members[member]!;
    if (status === NdisStatus.MediaDisconnect) {
      this.#log.emit('link-down', name, '');
      if (member !== this.#active) return;
      const changed = this.#health[member]!.carrierChangedUs();
      if (!this.#failOver('link', changed)) this.#indicate(NdisStatus.MediaDisconnect);
    } else if (status === NdisStatus.MediaConnect) {
      this.#log.emit('link-up', name, '');
      if (member === this.#active) this.#indicate(NdisStatus.MediaConnect);
      else if (!this.#isUsable(this.#active)) this.#failOver('link', this.#health[this.#active]!.carrierChangedUs());
    }
  }

  step(nowUs: number): void {
    while (this.#failedCalls.length > 0) this.failCall(this.#failedCalls.shift()!);
    if (nowUs < this.#nextCheckUs) return;
    this.#nextCheckUs = nowUs + CHECK_US;
    for (let member = 0; member < this.members.length; member++) this.#check(member, nowUs);
  }

  usUntilNext(nowUs: number): number {
    if (this.#failedCalls.length > 0) return 0;
    return Math.max(0, this.#nextCheckUs - nowUs);
  }

  /** R37: a heartbeat that stands still, or a fault that the device reports. */
  #check(member: number, nowUs: number): void {
    const state = this.#states[member]!;
    const health = this.#health[member]!;
    const heartbeat = health.heartbeat();
    const alive = heartbeat !== state.lastHeartbeat && health.fault() === 0;
    state.lastHeartbeat = heartbeat;
    if (alive) {
      state.missed = 0;
      return;
    }
    if (state.dead || (health.fault() === 0 && ++state.missed < MISSED_MAX)) return;
    this.#declareDead(member, health.fault() === 0 ? 'heartbeat' : 'fault', nowUs);
  }

  #declareDead(member: number, cause: FailoverCause, nowUs: number): void {
    this.#states[member]!.dead = true;
    this.#health[member]!.fence();
    this.#log.emit('device-dead', this.members[member]!.name, cause);
    for (const call of this.calls.values()) if (call.member === member) this.#failedCalls.push(call);
    if (member === this.#active) this.#failOver(cause, nowUs - MISSED_MAX * CHECK_US);
  }

  #isUsable(member: number): boolean {
    return this.members[member]!.linkUp && !this.#states[member]!.dead;
  }

  /** Figure 9, acts 910–930. */
  #failOver(cause: FailoverCause, sinceUs: number): boolean {
    const from = this.#active;
    const to = this.members.findIndex((_, index) => index !== from && this.#isUsable(index));
    if (to < 0) {
      this.#log.emit('failover-impossible', this.members[from]!.name, 'no other member has a link');
      return false;
    }
    const now = this.#clock.nowUs();
    const moved = this.connectionsOn(from);
    this.#current = {
      nic: this.members[from]!.name,
      to: this.members[to]!.name,
      cause,
      atUs: now,
      detectedAfterMs: sinceUs < 0 ? 0 : Math.max(0, now - sinceUs) / 1000,
      connectionsMoved: this.isDead(from) ? 0 : moved,
      connectionsLost: this.isDead(from) ? this.entries.connectionsTaken(from) : 0,
      bytesLost: 0,
      ms: 0,
    };
    this.failovers.push(this.#current);
    this.#log.emit(
      'failover',
      this.members[from]!.name,
      `to ${this.members[to]!.name}: ${cause}, ${moved} connections`,
    );
    this.#indicate(NdisStatus.OffloadPause);
    this.#active = to;
    // A second failure while one member is still being emptied: that one is emptied first.
    if (this.#leaving < 0) this.#leaving = from;
    this.#indicate(NdisStatus.NetworkChange);
    this.#indicate(NdisStatus.UploadAll);
    if (this.entries.perMember[this.#leaving] === 0) this.#finish();
    return true;
  }

  /** Figure 9, act 940: the old member is empty; the stack may offload to the new one, as far as it can. */
  #finish(): void {
    this.#leaving = this.entries.perMember.findIndex((count, member) => count > 0 && member !== this.#active);
    if (this.#leaving >= 0) {
      this.#indicate(NdisStatus.UploadAll);
      return;
    }
    const record = this.#current;
    if (record !== null) record.ms = (this.#clock.nowUs() - record.atUs) / 1000;
    this.#current = null;
    this.adapter.capabilities = this.active.capabilities;
    this.#indicate(NdisStatus.OffloadResume);
  }

  #indicate(status: number): void {
    this.adapter.linkUp = status !== NdisStatus.MediaDisconnect && this.#isUsable(this.#active);
    this.adapter.up.indicateStatus(status);
  }
}
