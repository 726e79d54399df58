/**
 * pcapng blocks in a buffer: IETF draft-ietf-opsawg-pcapng, sections 4.1 (SHB), 4.2 (IDB), 4.3 (EPB).
 *
 *   | block type | total length | body, padded to 4 bytes | options | total length |
 *
 * Little-endian throughout, which the byte-order magic tells the reader. Time stamps count microseconds
 * (if_tsresol 6). The owner asks for room first, and takes the bytes away when there is none; no frame allocates.
 */
import { assert } from '../base/assert.ts';
import type { Memory } from '../memory/memory.ts';

const BlockType = { SectionHeader: 0x0a0d0d0a, InterfaceDescription: 1, EnhancedPacket: 6 } as const;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const LINKTYPE_ETHERNET = 1;
const Option = {
  EndOfOptions: 0,
  ShbUserApplication: 4,
  IfName: 2,
  IfDescription: 3,
  IfTsresol: 9,
  EpbFlags: 2,
} as const;
const USER_APPLICATION = 'chimney';
const MICROSECONDS = 6;

/** epb_flags: bits 0-1 direction, bit 24 CRC error (draft section 4.3.1). */
const EpbFlag = { Inbound: 1, Outbound: 2, CrcError: 1 << 24 } as const;

/** An enhanced packet block without its frame: 28 before, 12 of options, 4 of length behind, up to 3 of padding. */
const EPB_BYTES = 28 + 12 + 4 + 3;
/** An interface description block with two texts of that many UTF-16 units, three bytes of UTF-8 each at most. */
const TEXT_MAX = 255;
const IDB_BYTES_MAX = 2 * (3 * TEXT_MAX) + 64;

export class PcapngWriter {
  readonly #memory: Memory;
  readonly #snaplen: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #words: Int32Array;
  #at = 0;
  #interfaces = 0;

  constructor(memory: Memory, snaplen: number, bufferBytes: number) {
    assert(snaplen > 0 && bufferBytes >= snaplen + 2048, 'a pcapng buffer holds a frame of snaplen bytes, or an IDB');
    assert(bufferBytes % 4 === 0, 'a pcapng buffer is whole words');
    this.#memory = memory;
    this.#snaplen = snaplen;
    this.#bytes = new Uint8Array(bufferBytes);
    this.#view = new DataView(this.#bytes.buffer);
    this.#words = new Int32Array(this.#bytes.buffer);
  }

  hasRoomForFrame(length: number): boolean {
    return this.#at + Math.min(length, this.#snaplen) + EPB_BYTES <= this.#bytes.length;
  }

  get hasRoomForInterface(): boolean {
    return this.#at + IDB_BYTES_MAX <= this.#bytes.length;
  }

  /** The bytes since the last call, valid until the next one that writes. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#at);
    this.#at = 0;
    return taken;
  }

  sectionHeader(): void {
    const start = this.#open(BlockType.SectionHeader);
    this.#put32(BYTE_ORDER_MAGIC);
    this.#put16(1);
    this.#put16(0);
    // Section length -1: not known, read until the file ends.
    this.#put32(-1);
    this.#put32(-1);
    this.#textOption(Option.ShbUserApplication, USER_APPLICATION);
    this.#put32(Option.EndOfOptions);
    this.#close(start);
  }

  /** Returns the interface's number: they count from 0 in the order of their blocks. */
  interfaceDescription(name: string, description: string): number {
    const start = this.#open(BlockType.InterfaceDescription);
    this.#put16(LINKTYPE_ETHERNET);
    this.#put16(0);
    this.#put32(this.#snaplen);
    this.#textOption(Option.IfName, name);
    if (description !== '') this.#textOption(Option.IfDescription, description);
    this.#put16(Option.IfTsresol);
    this.#put16(1);
    this.#put32(MICROSECONDS);
    this.#put32(Option.EndOfOptions);
    this.#close(start);
    return this.#interfaces++;
  }

  /** @param timeUs microseconds since 1970 */
  enhancedPacket(
    interfaceId: number,
    timeUs: number,
    frameAt: number,
    length: number,
    outbound: boolean,
    crcError: boolean,
  ): void {
    const captured = Math.min(length, this.#snaplen);
    const start = this.#open(BlockType.EnhancedPacket);
    this.#put32(interfaceId);
    this.#put32(Math.floor(timeUs / 0x1_0000_0000));
    this.#put32(timeUs % 0x1_0000_0000);
    this.#put32(captured);
    this.#put32(length);
    this.#putFrame(frameAt, captured);
    this.#put16(Option.EpbFlags);
    this.#put16(4);
    this.#put32((outbound ? EpbFlag.Outbound : EpbFlag.Inbound) | (crcError ? EpbFlag.CrcError : 0));
    this.#put32(Option.EndOfOptions);
    this.#close(start);
  }

  #open(type: number): number {
    const start = this.#at;
    this.#put32(type);
    this.#put32(0);
    return start;
  }

  #close(start: number): void {
    const total = this.#at + 4 - start;
    this.#put32(total);
    this.#view.setUint32(start + 4, total, true);
  }

  #put16(value: number): void {
    this.#view.setUint16(this.#at, value, true);
    this.#at += 2;
  }

  #put32(value: number): void {
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
  }

  /** Padded with zeros to whole words. By words where the frame is aligned: a view to copy with would be garbage. */
  #putFrame(frameAt: number, length: number): void {
    const to = this.#at;
    this.#at += (length + 3) & ~3;
    if ((length & 3) !== 0) this.#words[(this.#at >> 2) - 1] = 0;
    let done = 0;
    if ((frameAt & 3) === 0) {
      const from = frameAt >> 2;
      const target = to >> 2;
      const words = length >> 2;
      for (let i = 0; i < words; i++) this.#words[target + i] = this.#memory.i32[from + i]!;
      done = words * 4;
    }
    for (; done < length; done++) this.#bytes[to + done] = this.#memory.u8[frameAt + done]!;
  }

  #textOption(code: number, text: string): void {
    const { written } = new TextEncoder().encodeInto(text.slice(0, TEXT_MAX), this.#bytes.subarray(this.#at + 4));
    this.#put16(code);
    this.#put16(written);
    const end = this.#at + ((written + 3) & ~3);
    this.#bytes.fill(0, this.#at + written, end);
    this.#at = end;
  }
}
