/**
 * What was on the wire: taps on cables, and the one that writes a pcapng file for Wireshark.
 *
 * A tap sees a cable as its NIC does: outbound frames as the NIC sent them, inbound frames as they reached it, faults
 * included. It copies what it keeps before it returns, and it never fails: a capture whose file cannot be written
 * further counts the frames it misses, lets the traffic go on, and says so when it is closed.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { ChimneyError } from '../base/errors.ts';
import type { Memory } from '../memory/memory.ts';
import { PcapngWriter } from './pcapng.ts';

export interface FrameTap {
  /**
   * A frame on the cable with that interface number.
   * @param outbound sent by the NIC
   * @param fcsError marked with WireFlag.FcsError
   */
  frame(
    interfaceId: number,
    nowUs: number,
    frameAt: number,
    length: number,
    outbound: boolean,
    fcsError: boolean,
  ): void;
}

export interface CaptureOptions {
  /** Bytes kept of each frame. */
  readonly snaplen?: number;
  readonly bufferBytes?: number;
  /** Milliseconds since 1970 of the clock's zero (base/clock.ts `epochMs`); 0 in virtual time. */
  readonly epochMs?: number;
}

/** Takes bytes of the file in order; they are valid until it returns. */
export type CaptureSink = (bytes: Uint8Array) => void;

const SNAPLEN = 65_535;
const BUFFER_BYTES = 256 * 1024;

export class Capture implements FrameTap {
  readonly #writer: PcapngWriter;
  readonly #sink: CaptureSink;
  readonly #name: string;
  readonly #closeFile: () => void;
  readonly #epochUs: number;
  #failure: unknown = undefined;
  #closed = false;
  /** Frames written, and frames that came after the sink failed. */
  frames = 0;
  missed = 0;

  /**
   * @param sink gets the file in pieces of up to `bufferBytes`
   * @param name what error messages call it
   */
  constructor(
    memory: Memory,
    sink: CaptureSink,
    options: CaptureOptions = {},
    name = 'the sink',
    closeFile: () => void = () => {},
  ) {
    const { snaplen = SNAPLEN, bufferBytes = BUFFER_BYTES, epochMs = 0 } = options;
    this.#writer = new PcapngWriter(memory, snaplen, bufferBytes);
    this.#sink = sink;
    this.#name = name;
    this.#closeFile = closeFile;
    this.#epochUs = Math.round(epochMs * 1000);
    this.#writer.sectionHeader();
  }

  /** Creates or overwrites the file. Writing blocks the thread: for files, not for slow pipes. */
  static toFile(memory: Memory, path: string, options: CaptureOptions = {}): Capture {
    let fd: number;
    try {
      fd = openSync(path, 'w');
    } catch (cause) {
      throw captureError(path, cause);
    }
    return new Capture(
      memory,
      bytes => writeAll(fd, bytes),
      options,
      path,
      () => closeSync(fd),
    );
  }

  /** Declares a cable; returns the interface number to tap it with. Not for the data path. */
  addInterface(name: string, description = ''): number {
    if (!this.#writer.hasRoomForInterface) this.flush();
    return this.#writer.interfaceDescription(name, description);
  }

  frame(
    interfaceId: number,
    nowUs: number,
    frameAt: number,
    length: number,
    outbound: boolean,
    fcsError: boolean,
  ): void {
    if (this.#failure !== undefined || this.#closed) {
      this.missed++;
      return;
    }
    if (!this.#writer.hasRoomForFrame(length)) this.flush();
    this.#writer.enhancedPacket(interfaceId, this.#epochUs + nowUs, frameAt, length, outbound, fcsError);
    this.frames++;
  }

  /** Hands over what is buffered, for somebody who reads along. */
  flush(): void {
    const bytes = this.#writer.take();
    if (bytes.length === 0 || this.#failure !== undefined) return;
    try {
      this.#sink(bytes);
    } catch (cause) {
      this.#failure = cause;
    }
  }

  /** Flushes and closes the file; throws what went wrong since it was opened. */
  close(): void {
    if (this.#closed) return;
    this.flush();
    this.#closed = true;
    try {
      this.#closeFile();
    } catch (cause) {
      this.#failure ??= cause;
    }
    if (this.#failure !== undefined) throw captureError(this.#name, this.#failure);
  }
}

function captureError(name: string, cause: unknown): ChimneyError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ChimneyError('ERR_CHIMNEY_CAPTURE', `cannot write the capture to ${name}: ${why}`, { cause });
}

function writeAll(fd: number, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) at += writeSync(fd, bytes, at);
}
