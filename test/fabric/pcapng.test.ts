/** The writer against a reader of its own, and against Wireshark's. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChimneyError } from '../../src/base/errors.ts';
import { Capture, type FrameTap } from '../../src/fabric/capture.ts';
import { TraceHash } from '../../src/fabric/trace-hash.ts';
import { type TestMemory, arpFrame, icmpFrame, place, rawFrame, tcpFrame, testMemory, udpFrame } from './fixture.ts';

interface Block {
  readonly type: number;
  readonly body: Buffer;
}

interface Packet {
  readonly interfaceId: number;
  readonly timeUs: number;
  readonly length: number;
  readonly bytes: Buffer;
  readonly flags: number;
}

/** Cuts a file into blocks; both lengths of each agree, and nothing is left over. */
function blocksOf(file: Buffer): Block[] {
  const blocks: Block[] = [];
  for (let at = 0; at < file.length;) {
    const total = file.readUInt32LE(at + 4);
    expect(total % 4).toBe(0);
    expect(file.readUInt32LE(at + total - 4)).toBe(total);
    blocks.push({ type: file.readUInt32LE(at), body: file.subarray(at + 8, at + total - 4) });
    at += total;
  }
  return blocks;
}

function optionsOf(bytes: Buffer): Map<number, Buffer> {
  const options = new Map<number, Buffer>();
  for (let at = 0; at < bytes.length;) {
    const code = bytes.readUInt16LE(at);
    const length = bytes.readUInt16LE(at + 2);
    if (code === 0) {
      expect(at + 4).toBe(bytes.length);
      return options;
    }
    options.set(code, bytes.subarray(at + 4, at + 4 + length));
    at += 4 + Math.ceil(length / 4) * 4;
  }
  throw new Error('the options have no end');
}

function packetOf({ type, body }: Block): Packet {
  expect(type).toBe(6);
  const captured = body.readUInt32LE(12);
  const padded = Math.ceil(captured / 4) * 4;
  expect(body.subarray(20 + captured, 20 + padded).every(byte => byte === 0)).toBe(true);
  return {
    interfaceId: body.readUInt32LE(0),
    timeUs: body.readUInt32LE(4) * 2 ** 32 + body.readUInt32LE(8),
    length: body.readUInt32LE(16),
    bytes: body.subarray(20, 20 + captured),
    flags: optionsOf(body.subarray(20 + padded))
      .get(2)!
      .readUInt32LE(0),
  };
}

function tapFrame(base: TestMemory, tap: FrameTap, bytes: Buffer, timeUs = 0, outbound = false, shift = 0): void {
  base.memory.u8.set(bytes, base.scratchAt + shift);
  tap.frame(0, timeUs, base.scratchAt + shift, bytes.length, outbound, false);
}

let base: TestMemory;
let file: Buffer;

beforeEach(() => {
  base = testMemory();
  file = Buffer.alloc(0);
});

const append = (bytes: Uint8Array): void => {
  file = Buffer.concat([file, bytes]);
};

describe('pcapng', () => {
  it('says who wrote it and what the interfaces are', () => {
    const capture = new Capture(base.memory, append, { snaplen: 2000 });
    expect(capture.addInterface('nic0', 'cable of NIC 0 — left')).toBe(0);
    expect(capture.addInterface('nic1')).toBe(1);
    capture.close();
    const [section, ...interfaces] = blocksOf(file);
    expect(section!.type).toBe(0x0a0d0d0a);
    expect(section!.body.subarray(0, 16).toString('hex')).toBe(`4d3c2b1a01000000${'ff'.repeat(8)}`);
    expect(optionsOf(section!.body.subarray(16)).get(4)!.toString()).toBe('chimney');
    expect(interfaces.map(({ type }) => type)).toEqual([1, 1]);
    expect(interfaces[0]!.body.subarray(0, 8).toString('hex')).toBe('01000000d0070000');
    const options = interfaces.map(({ body }) => optionsOf(body.subarray(8)));
    expect(options.map(option => option.get(2)!.toString())).toEqual(['nic0', 'nic1']);
    expect(options[0]!.get(3)!.toString()).toBe('cable of NIC 0 — left');
    expect(options[0]!.get(9)).toEqual(Buffer.from([6]));
    expect(options[1]!.has(3)).toBe(false);
  });

  it('keeps frames of any length and alignment, with time, direction and CRC errors', () => {
    const epochMs = 1_785_000_000_123.456;
    const capture = new Capture(base.memory, append, { epochMs });
    capture.addInterface('nic0');
    const frames = Array.from({ length: 12 }, (_, i) => tcpFrame({}, i, 30 + i));
    for (const [i, frame] of frames.entries()) {
      base.memory.u8.set(frame, base.scratchAt + (i % 4));
      capture.frame(i % 2, i * 1000, base.scratchAt + (i % 4), frame.length, i % 3 === 0, i === 5);
    }
    expect(file).toHaveLength(0);
    capture.close();
    const packets = blocksOf(file).slice(2).map(packetOf);
    expect(packets.map(({ bytes }) => bytes)).toEqual(frames);
    for (const [i, packet] of packets.entries()) {
      expect(packet.length).toBe(frames[i]!.length);
      expect(packet.interfaceId).toBe(i % 2);
      expect(packet.timeUs).toBe(1_785_000_000_123_456 + i * 1000);
      expect(packet.flags).toBe((i % 3 === 0 ? 2 : 1) | (i === 5 ? 1 << 24 : 0));
    }
    expect(capture).toMatchObject({ frames: 12, missed: 0 });
  });

  it('cuts frames at snaplen and says how long they were', () => {
    const capture = new Capture(base.memory, append, { snaplen: 61 });
    capture.addInterface('nic0');
    const frame = tcpFrame({}, 0, 1000);
    tapFrame(base, capture, frame);
    capture.close();
    const packet = packetOf(blocksOf(file)[2]!);
    expect(packet.length).toBe(frame.length);
    expect(packet.bytes).toEqual(frame.subarray(0, 61));
  });

  it('hands over full buffers only, and all of it in the end', () => {
    const sizes: number[] = [];
    const capture = new Capture(base.memory, bytes => (append(bytes), sizes.push(bytes.length)), {
      snaplen: 1514,
      bufferBytes: 4096,
    });
    capture.addInterface('nic0');
    for (let i = 0; i < 100; i++) tapFrame(base, capture, rawFrame({}, i, 46 + i * 14), i);
    capture.addInterface('x'.repeat(300), 'y'.repeat(70_000));
    capture.close();
    capture.close();
    expect(Math.max(...sizes)).toBeLessThanOrEqual(4096);
    expect(Math.min(...sizes.slice(0, -2))).toBeGreaterThan(4096 - 1514 - 60);
    const blocks = blocksOf(file);
    expect(blocks).toHaveLength(103);
    expect(blocks.slice(2, -1).map(block => packetOf(block).bytes.readInt32BE(14))).toEqual(
      Array.from({ length: 100 }, (_, i) => i),
    );
  });

  it('never disturbs the traffic: a failed sink is reported at the end, by name', () => {
    const capture = new Capture(
      base.memory,
      () => {
        throw new Error('ENOSPC: no space left on device');
      },
      { snaplen: 1514, bufferBytes: 4096 },
      '/captures/a.pcapng',
    );
    for (let i = 0; i < 100; i++) tapFrame(base, capture, rawFrame({}));
    expect(capture.missed).toBeGreaterThan(50);
    expect(() => capture.close()).toThrow('cannot write the capture to /captures/a.pcapng: ENOSPC');
    tapFrame(base, capture, rawFrame({}));
  });

  it('refuses a path that cannot be written, in one clear error', () => {
    const path = '/nonexistent/folder/a.pcapng';
    let thrown: unknown;
    try {
      Capture.toFile(base.memory, path);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ChimneyError);
    expect(thrown).toMatchObject({ code: 'ERR_CHIMNEY_CAPTURE' });
    expect((thrown as Error).message).toMatch(/^cannot write the capture to \/nonexistent\/folder\/a\.pcapng: ENOENT/);
  });
});

describe('a capture file', () => {
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'chimney-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  function writeFile(): string {
    const path = join(folder, 'a.pcapng');
    const capture = Capture.toFile(base.memory, path, { epochMs: 1_785_000_000_000 });
    capture.addInterface('nic0', 'cable of NIC 0');
    const frames = [
      arpFrame({}),
      icmpFrame({}),
      tcpFrame({ vid: 10 }, 1000, 333),
      tcpFrame({ vid: 10 }, 1333, 1),
      udpFrame({}, 9),
      rawFrame({}),
    ];
    for (const [i, frame] of frames.entries()) tapFrame(base, capture, frame, i * 1500, i % 2 === 0, i % 4);
    capture.frame(0, 9000, place(base, rawFrame({})), 60, false, true);
    capture.close();
    return path;
  }

  it('holds what was captured', () => {
    expect(blocksOf(readFileSync(writeFile()))).toHaveLength(9);
  });

  const tshark = spawnSync('tshark', ['--version']);
  const isMissing = tshark.error !== undefined || tshark.status !== 0;
  if (isMissing) console.log('skipped: tshark is not installed (apt-get install tshark), so Wireshark was not asked');

  it.skipIf(isMissing)('is one that Wireshark finds nothing wrong with', () => {
    const path = writeFile();
    const ask = (...args: string[]): string[] => {
      const checks = ['-o', 'ip.check_checksum:TRUE', '-o', 'tcp.check_checksum:TRUE', '-o', 'udp.check_checksum:TRUE'];
      const { stdout, stderr, status } = spawnSync('tshark', ['-n', '-r', path, ...checks, ...args], {
        encoding: 'utf8',
      });
      expect(stderr.replace(/Running as user.*\n/g, '')).toBe('');
      expect(status).toBe(0);
      return stdout.split('\n').filter(line => line !== '');
    };
    const bad = [
      '_ws.malformed',
      'ip.checksum.status == Bad',
      'tcp.checksum.status == Bad',
      'udp.checksum.status == Bad',
    ];
    expect(ask('-Y', [...bad, 'icmp.checksum.status == Bad'].join(' || '))).toEqual([]);
    const good = ['-Y', 'tcp.checksum.status == Good && vlan.id == 10'];
    expect(ask(...good)).toHaveLength(2);
    const protocols = [
      'arp',
      'ip:icmp:data',
      'vlan:ethertype:ip:tcp',
      'vlan:ethertype:ip:tcp',
      'ip:udp:data',
      'data',
      'data',
    ];
    const expected = protocols.map(name => `eth:ethertype:${name}\tnic0`);
    expect(ask('-T', 'fields', '-e', 'frame.protocols', '-e', 'frame.interface_name')).toEqual(expected);
    expect(ask('-Y', 'frame.packet_flags_direction == 2')).toHaveLength(3);
    expect(ask('-Y', 'frame.packet_flags_direction == 1')).toHaveLength(4);
    expect(ask('-Y', 'frame.packet_flags_crc_error == 1 && frame.number == 7')).toHaveLength(1);
    expect(ask('-Y', 'frame.time_epoch == 1785000000.0015 && icmp')).toHaveLength(1);
    expect(ask('-T', 'fields', '-e', 'frame.interface_description', '-c', '1')).toEqual(['cable of NIC 0']);
  });
});

describe('trace hash', () => {
  const digestOf = (change: (hash: TraceHash) => void): string => {
    const hash = new TraceHash(base.memory);
    tapFrame(base, hash, tcpFrame({}, 1, 101), 1000);
    change(hash);
    return hash.digest();
  };

  it('is the same everywhere', () => {
    expect(new TraceHash(base.memory).digest()).toMatchInlineSnapshot(`"1388a0fb8da88b87"`);
    expect(digestOf(hash => tapFrame(base, hash, arpFrame({}), 2 ** 33 + 5))).toMatchInlineSnapshot(
      `"11c1ed2644a30670"`,
    );
  });

  it('depends on the bytes, not on where they lie', () => {
    const frame = tcpFrame({}, 7, 99);
    const digests = [0, 1, 2, 3].map(shift => digestOf(hash => tapFrame(base, hash, frame, 5, false, shift)));
    expect(new Set(digests).size).toBe(1);
  });

  it('depends on time, interface, direction, FCS, every bit, length and order', () => {
    const frame = rawFrame({}, 3, 47);
    const at = base.scratchAt;
    const length = frame.length;
    const variants: ((hash: TraceHash) => void)[] = [
      hash => hash.frame(0, 5, at, length, false, false),
      hash => hash.frame(0, 6, at, length, false, false),
      hash => hash.frame(0, 2 ** 32 + 5, at, length, false, false),
      hash => hash.frame(1, 5, at, length, false, false),
      hash => hash.frame(0, 5, at, length, true, false),
      hash => hash.frame(0, 5, at, length, false, true),
      hash => hash.frame(0, 5, at, length - 1, false, false),
      hash => hash.add(5),
      hash => (hash.add(1), hash.add(2)),
      hash => (hash.add(2), hash.add(1)),
      () => {},
    ];
    for (let bit = 0; bit < length * 8; bit++) {
      variants.push(hash => {
        base.memory.u8[at + (bit >> 3)]! ^= 1 << (bit & 7);
        hash.frame(0, 5, at, length, false, false);
      });
    }
    const digests = variants.map(change => digestOf(hash => (place(base, frame), change(hash))));
    expect(new Set(digests).size).toBe(variants.length);
    expect(digests.every(digest => /^[0-9a-f]{16}$/.test(digest))).toBe(true);
  });
});
