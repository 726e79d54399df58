/**
 * A connection of a script and of the machine: what the script calls its numbers, and what they are on the wire.
 *
 * As in packetdrill, numbers of segments with SYN are taken as they stand, those of others count from the ISNs. The remote
 * end's ISN is the script's; the host chooses its own. A TS val that the host sent is known by the script's name for it.
 */
import { TcpFlag } from '../wire/tcp.ts';
import type { Arrival } from './receive-rtt.ts';
import { WireRecord } from './wire-record.ts';

export const SocketStage = {
  New: 0,
  Listening: 1,
  /** A SYN came; the host answers next. */
  SynReceived: 2,
  SynAckSent: 3,
  Accepted: 4,
  /** connect() was called. */
  Connecting: 5,
  SynSent: 6,
  Connected: 7,
} as const;
export type SocketStage = (typeof SocketStage)[keyof typeof SocketStage];

export class ScriptSocket {
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  stage: SocketStage = SocketStage.New;
  localPort = 0;
  remotePort = 0;
  scriptLocalIsn = 0;
  localIsn = 0;
  scriptRemoteIsn = 0;
  remoteIsn = 0;
  /** The file that system calls know it by; -1: none yet. */
  fd = -1;
  #hasTimestamp = false;
  #firstScriptTs = 0;
  #firstTs = 0;
  #scriptLabel = 0;
  #label = 0;
  readonly #tsByScript = new Map<number, number>();
  /** Bytes [from, to) of the host's stream were on the wire at that time. */
  onText: (from: number, to: number, us: number) => void = () => {};
  /** What went over the wire for it. */
  readonly record = new WireRecord();
  /** Bytes that the application has written to it in all. */
  written: () => number = () => 0;
  /** Text that came for it, since somebody has looked. */
  arrivals: Arrival[] = [];

  constructor(protocol: 'tcp' | 'udp' | 'icmp') {
    this.protocol = protocol;
  }

  /** From the script's number to the wire's, of the remote end and of the host. */
  remoteSeq(flags: number, number: number): number {
    return isSyn(flags) ? number | 0 : (number + this.remoteIsn) | 0;
  }

  localSeq(flags: number, number: number): number {
    return (number + this.#localOffset(flags)) | 0;
  }

  scriptLocalSeq(flags: number, number: number): number {
    return (number - this.#localOffset(flags)) >>> 0;
  }

  scriptRemoteSeq(flags: number, number: number): number {
    return isSyn(flags) ? number >>> 0 : (number - this.remoteIsn) >>> 0;
  }

  #localOffset(flags: number): number {
    return isSyn(flags) ? (this.localIsn - this.scriptLocalIsn) | 0 : this.localIsn;
  }

  /** The host sent `live` where the script has `script`. Answers what that makes of `live` in the script's terms. */
  matchTimestamp(script: number, live: number): number {
    this.#tsByScript.set(script >>> 0, live | 0);
    if (!this.#hasTimestamp) {
      this.#hasTimestamp = true;
      this.#firstScriptTs = script | 0;
      this.#firstTs = live | 0;
    }
    return this.scriptTimestamp(live);
  }

  /** There is more of the host's stream than what ends with this segment. */
  textGoesOnBehind({ flags, seq, length }: { flags: number; seq: number; length: number }): boolean {
    return length > 0 && this.record.goesOnBehind((this.localSeq(flags, seq) + length) | 0, this.written());
  }

  /** Labels are the host's own choice; the script says where it stays and where it is another. */
  matchFlowLabel(script: number, live: number): boolean {
    if (live <= 0) return false;
    const isSame = script === this.#scriptLabel;
    if (isSame) return live === this.#label;
    if (this.#scriptLabel !== 0 && live === this.#label) return false;
    this.#scriptLabel = script;
    this.#label = live;
    return true;
  }

  scriptTimestamp(live: number): number {
    return this.#hasTimestamp ? (live - this.#firstTs + this.#firstScriptTs) >>> 0 : live >>> 0;
  }

  /** What to echo for a val of the script's; undefined when the host has not sent it. */
  liveTimestamp(script: number, scaled: boolean): number | undefined {
    const exact = this.#tsByScript.get(script >>> 0);
    if (exact !== undefined || !scaled || !this.#hasTimestamp) return exact;
    return (script - this.#firstScriptTs + this.#firstTs) | 0;
  }
}

function isSyn(flags: number): boolean {
  return (flags & TcpFlag.Syn) !== 0;
}
