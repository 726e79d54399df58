/**
 * GET requests (RFC 1945 5, 8.1), written once: a number of variants for each file, of random length each, so that
 * sending one takes no string work. An X-Pad header makes up the length. A client points a descriptor at one.
 */
import type { Prng } from '../../base/prng.ts';
import type { Memory, Region } from '../../memory/memory.ts';
import { type ClientLoadOptions, LOAD_DEFAULTS, requestTextBytes, requestVariants } from './client-load-options.ts';

const PAD = 'abcdefghijklmnopqrstuvwxyz0123456789';

export class RequestTexts {
  readonly variants: number;
  readonly #start: number;
  readonly #stride: number;
  readonly #lengths: Int32Array;

  /** @param host of the Host header, which servers of HTTP/1.0 do not need but many expect */
  constructor(memory: Memory, region: Region, load: ClientLoadOptions, host: string, prng: Prng) {
    const min = load.requestBytesMin ?? LOAD_DEFAULTS.requestBytesMin;
    const max = load.requestBytesMax ?? LOAD_DEFAULTS.requestBytesMax;
    this.variants = requestVariants(load);
    this.#start = region.offset;
    this.#stride = requestTextBytes(load);
    this.#lengths = new Int32Array(load.catalog.length * this.variants);
    for (let i = 0; i < this.#lengths.length; i++) {
      const { path } = load.catalog[Math.floor(i / this.variants)];
      const text = requestText(path, host, prng.between(min, max));
      this.#lengths[i] = text.length;
      for (let at = 0; at < text.length; at++) memory.u8[this.addressOf(i) + at] = text.charCodeAt(at);
    }
  }

  /** Number of a text. */
  indexOf(file: number, variant: number): number {
    return file * this.variants + variant;
  }

  addressOf(index: number): number {
    return this.#start + index * this.#stride;
  }

  lengthOf(index: number): number {
    return this.#lengths[index];
  }
}

/** A request of `length` bytes, or of as many as it takes. */
function requestText(path: string, host: string, length: number): string {
  const head = `GET ${path} HTTP/1.0\r\nHost: ${host}\r\nUser-Agent: chimney\r\nAccept: */*\r\n`;
  const room = length - head.length - '\r\n'.length;
  const withoutPad = 'X-Pad: \r\n'.length;
  if (room < withoutPad) return `${head}\r\n`;
  const pad = PAD.repeat(Math.ceil(room / PAD.length)).slice(0, room - withoutPad);
  return `${head}X-Pad: ${pad}\r\n\r\n`;
}
