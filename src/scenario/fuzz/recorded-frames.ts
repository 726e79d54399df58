/**
 * The last frames that went to the NICs of a machine: valid ones of live connections, with sequence numbers of now.
 * Mutations start from them.
 */
import type { FrameTap } from '../../fabric/capture.ts';
import type { Memory } from '../../memory/memory.ts';

/** Room for a frame, and for what mutations put in front of it and behind. */
export const FRAME_ROOM = 2048;
const FRAMES = 128;
export const RECORDED_BYTES = FRAMES * FRAME_ROOM;

export class RecordedFrames implements FrameTap {
  readonly #memory: Memory;
  readonly #start: number;
  readonly #lengths = new Int32Array(FRAMES);
  readonly #cables = new Uint8Array(FRAMES);
  #recorded = 0;
  /** What is injected is not recorded: its sum of mutations would soon be noise. */
  isPaused = false;

  constructor(memory: Memory, start: number) {
    this.#memory = memory;
    this.#start = start;
  }

  get count(): number {
    return Math.min(this.#recorded, FRAMES);
  }

  frame(interfaceId: number, _nowUs: number, frameAt: number, length: number, outbound: boolean): void {
    if (outbound || this.isPaused || length > FRAME_ROOM) return;
    const place = this.#recorded++ % FRAMES;
    this.#memory.kernels.copy(this.#start + place * FRAME_ROOM, frameAt, length);
    this.#lengths[place] = length;
    this.#cables[place] = interfaceId;
  }

  /** The place of a frame: 0 is the youngest. */
  place(age: number): number {
    return (this.#recorded - 1 - age) % FRAMES;
  }

  addressOf(place: number): number {
    return this.#start + place * FRAME_ROOM;
  }

  lengthOf(place: number): number {
    return this.#lengths[place]!;
  }

  /** The cable of the NIC that it went to. */
  cableOf(place: number): number {
    return this.#cables[place]!;
  }
}
