/**
 * The stream of frames that a machine is fed: recorded ones again, mutated, cut into fragments, and ones made from nothing.
 *
 *   recorded ─┬─► as it was: duplicates, old ones in a new order
 *             ├─► mutations ─► lengths and checksums repaired, mostly ─┬─► the NIC it was for, mostly
 *   generated ┘                                                       └─► fragments (RFC 791 3.2, RFC 8200 4.5), with overlaps and gaps
 */
import type { Prng } from '../../base/prng.ts';
import type { Memory } from '../../memory/memory.ts';
import { ETHERNET } from '../../wire/ethernet.ts';
import { IPV4 } from '../../wire/ipv4.ts';
import { IPV6, NextHeader } from '../../wire/ipv6.ts';
import { FRAGMENT } from '../../wire/ipv6-extensions.ts';
import { oneOf } from './draw.ts';
import { FrameLayout } from './frame-layout.ts';
import { GeneratedFrames, type Mac } from './generated-frames.ts';
import { Ipv6Fuzz } from './ipv6-fuzz.ts';
import { FUZZ_FRAME_MAX, Mutations } from './mutations.ts';
import { FRAME_ROOM, type RecordedFrames } from './recorded-frames.ts';

const FRAGMENTS_MAX = 8;
/** The frame in hand, and fragments of it that wait. */
export const SOURCE_BYTES = FRAME_ROOM * (1 + FRAGMENTS_MAX);
const MUTATIONS = [0, 1, 1, 1, 1, 2, 2, 3, 5] as const;

/** Those that mean something in the machine. */
export interface FuzzAddresses {
  readonly ipv4: readonly number[];
  readonly ipv6: readonly Readonly<Int32Array>[];
}

export class FrameSource {
  readonly #memory: Memory;
  readonly #prng: Prng;
  readonly #start: number;
  readonly #recorded: RecordedFrames;
  readonly #macs: readonly Mac[];
  readonly #layout: FrameLayout;
  readonly #pieceLayout: FrameLayout;
  readonly #mutations: Mutations;
  readonly #generated: GeneratedFrames;
  readonly #fragmentLengths: number[] = [];
  #fragmentsTaken = 0;
  #isReversed = false;
  /** Of the frame that `next` made: where it is, how long it is, and the cable that it is for. */
  at = 0;
  length = 0;
  cable = 0;

  /** @param macs of the NICs, in the order of their cables */
  constructor(
    memory: Memory,
    prng: Prng,
    start: number,
    recorded: RecordedFrames,
    macs: readonly Mac[],
    addresses: FuzzAddresses,
  ) {
    this.#memory = memory;
    this.#prng = prng;
    this.#start = start;
    this.#recorded = recorded;
    this.#macs = macs;
    this.#layout = new FrameLayout(memory.view);
    this.#pieceLayout = new FrameLayout(memory.view);
    const ipv6 = new Ipv6Fuzz(memory, prng, addresses.ipv6);
    this.#mutations = new Mutations(memory, prng, this.#layout, recorded, ipv6, addresses.ipv4);
    this.#generated = new GeneratedFrames(memory, prng, recorded, this.#mutations, ipv6);
  }

  next(): void {
    if (this.#fragmentsTaken < this.#fragmentLengths.length) {
      this.#takeFragment();
      return;
    }
    const prng = this.#prng;
    this.at = this.#start;
    if (this.#recorded.count > 0 && prng.chance(0.75)) this.#takeRecorded();
    else this.#generate();
    for (let left = oneOf(prng, MUTATIONS); left > 0; left--) {
      this.length = this.#mutations.mutate(this.at, this.length);
    }
    if (prng.chance(0.85)) {
      this.#layout.read(this.at, this.length);
      this.#layout.repair(prng.chance(0.6));
    }
    if (prng.chance(0.05)) this.#cut();
  }

  #takeRecorded(): void {
    const prng = this.#prng;
    const recorded = this.#recorded;
    const isRecent = prng.chance(0.8);
    const place = recorded.place(prng.below(isRecent ? Math.min(16, recorded.count) : recorded.count));
    this.length = Math.min(FUZZ_FRAME_MAX, recorded.lengthOf(place));
    this.cable = prng.chance(0.97) ? recorded.cableOf(place) : prng.below(this.#macs.length);
    this.#memory.kernels.copy(this.at, recorded.addressOf(place), this.length);
  }

  #generate(): void {
    this.cable = this.#prng.below(this.#macs.length);
    this.length = this.#generated.make(this.at, this.#macs[this.cable]!);
  }

  /** The datagram in hand in pieces: in any order, some twice, some overlapping, some missing. */
  #cut(): void {
    const prng = this.#prng;
    this.#layout.read(this.at, this.length);
    const { transportAt, ipAt, end } = this.#layout;
    if (transportAt < 0 || end - transportAt < 16) return;
    const units = Math.floor((end - transportAt) / 8);
    const identification = prng.below(65_536);
    this.#fragmentLengths.length = 0;
    this.#fragmentsTaken = 0;
    const pieces = Math.min(FRAGMENTS_MAX, prng.between(2, 5));
    const size = Math.max(1, Math.ceil(units / pieces));
    for (let piece = 0; piece < pieces; piece++) {
      const shift = prng.chance(0.2) ? prng.between(-2, 2) : 0;
      const from = Math.max(0, Math.min(units - 1, piece * size + shift));
      const isLast = from + size >= units;
      const count = isLast ? end - transportAt - from * 8 : size * 8;
      if (prng.chance(0.1)) continue;
      const fragment = from | (isLast && prng.chance(0.9) ? 0 : 0x2000);
      this.#piece(identification, fragment, ipAt, transportAt, from * 8, count);
    }
    this.#isReversed = prng.chance(0.3);
    if (this.#fragmentLengths.length > 0) this.#takeFragment();
  }

  #piece(
    identification: number,
    fragment: number,
    ipAt: number,
    transportAt: number,
    from: number,
    count: number,
  ): void {
    const { kernels, view } = this.#memory;
    const to = this.#start + FRAME_ROOM * (1 + this.#fragmentLengths.length);
    const toIp = to + ipAt - this.at;
    const header = transportAt - this.at;
    const { isIpv6, protocol } = this.#layout;
    kernels.copy(to, this.at, header);
    const extension = isIpv6 ? FRAGMENT.headerLength : 0;
    kernels.copy(to + header + extension, transportAt + from, count);
    if (isIpv6) {
      view.setUint8(toIp + IPV6.nextHeader, NextHeader.Fragment);
      view.setUint16(toIp + IPV6.payloadLength, FRAGMENT.headerLength + count);
      view.setUint16(to + header, protocol << 8);
      view.setUint16(to + header + FRAGMENT.offsetAndFlags, ((fragment & 0x1fff) << 3) | (fragment >>> 13));
      view.setInt32(to + header + FRAGMENT.identification, identification);
    } else {
      view.setUint16(toIp + IPV4.identification, identification);
      view.setUint16(toIp + IPV4.fragment, fragment);
      view.setUint16(toIp + IPV4.totalLength, header + count - (ipAt - this.at));
      this.#pieceLayout.read(to, header + count);
      this.#pieceLayout.repairHeader();
    }
    this.#fragmentLengths.push(header + extension + count);
  }

  #takeFragment(): void {
    const taken = this.#fragmentsTaken++;
    const index = this.#isReversed ? this.#fragmentLengths.length - 1 - taken : taken;
    this.at = this.#start + FRAME_ROOM * (1 + index);
    this.length = Math.max(ETHERNET.headerLength, this.#fragmentLengths[index]!);
  }
}
