/** The capture of a storm, as tshark reads it: one interface a cable, nothing malformed, every checksum right. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { documentOf } from 'chimney/internal/scenario/documents';
import { Storm } from 'chimney/internal/scenario/storm';
import { stormOptions } from 'chimney/internal/scenario/storm-options';

const hasTshark = spawnSync('tshark', ['--version']).status === 0;
if (!hasTshark) console.log('skipped: tshark is not installed (apt-get install tshark)');

const folder = mkdtempSync(join(tmpdir(), 'chimney-capture-'));
const plain = join(folder, 'plain.pcapng');
const tagged = join(folder, 'tagged.pcapng');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const documents = [100, 3000].map((length, index) => documentOf(`/${index}`, new Uint8Array(length).fill(index)));

const captured: Record<string, number> = {};

async function capture(pcap: string, vlans: number[]): Promise<void> {
  const options = stormOptions({
    connections: 300,
    concurrency: 64,
    stations: 64,
    vlans,
    path: 'chimney',
    pcap,
    failures: vlans.length > 0 ? [] : [{ nic: 'nic0', at: 0.5 }],
  });
  const result = await new Storm(options, documents).run(() => {});
  expect(result.connections.completed).toBe(300);
  captured[pcap] = result.capturedFrames;
}

/** One line a frame that the filter lets through. */
function tshark(pcap: string, filter: string, ...fields: string[]): string[] {
  const checks = ['-o', 'ip.check_checksum:TRUE', '-o', 'tcp.check_checksum:TRUE'];
  const wanted = ['frame.number', ...fields].flatMap(field => ['-e', field]);
  const run = spawnSync('tshark', ['-r', pcap, ...checks, '-Y', filter, '-T', 'fields', ...wanted], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  expect(run.status, run.stderr).toBe(0);
  return run.stdout.split('\n').filter(line => line !== '');
}

describe.skipIf(!hasTshark)('tshark reads the capture of a storm', () => {
  beforeAll(async () => {
    await capture(plain, []);
    await capture(tagged, [10, 20]);
  });

  test('every frame is there, on the interface of its cable; both NICs were used', () => {
    const names = tshark(plain, 'frame', 'frame.interface_name').map(line => line.split('\t')[1]);
    expect(names.length).toBe(captured[plain]);
    expect(new Set(names)).toEqual(new Set(['nic0', 'nic1']));
  });

  for (const [name, pcap] of [
    ['without tags', plain],
    ['with VLAN tags', tagged],
  ] as const) {
    test(`no packet is malformed, no IP or TCP checksum is wrong, ${name}`, () => {
      expect(tshark(pcap, '_ws.malformed')).toEqual([]);
      expect(tshark(pcap, 'ip.checksum.status == "Bad" || tcp.checksum.status == "Bad"')).toEqual([]);
      // The checks were made: good ones are counted.
      expect(tshark(pcap, 'tcp.checksum.status == "Good"').length).toBeGreaterThan(1000);
    });
  }

  test('every frame has the tag of the network that its addresses belong to', () => {
    expect(tshark(tagged, '!vlan')).toEqual([]);
    expect(tshark(tagged, 'vlan.id != 10 && vlan.id != 20')).toEqual([]);
    // The first VLAN has 10.0.0.0/12, the second 10.16.0.0/12.
    expect(tshark(tagged, 'vlan.id == 10 && ip.addr == 10.16.0.0/12')).toEqual([]);
    expect(tshark(tagged, 'vlan.id == 20 && ip.addr == 10.0.0.0/12')).toEqual([]);
    expect(tshark(tagged, 'vlan.id == 20 && tcp').length).toBeGreaterThan(300);
  });

  test('device and host keep to their halves of the IPv4 identification space (R31, E22)', () => {
    const sent = tshark(plain, 'ip.src == 10.0.0.1 && tcp.len > 0', 'ip.id').map(line => Number(line.split('\t')[1]));
    expect(sent.some(id => id >= 0x8000)).toBe(true);
    const handshakes = tshark(plain, 'ip.src == 10.0.0.1 && tcp.flags.syn == 1', 'ip.id');
    expect(handshakes.length).toBeGreaterThan(200);
    expect(handshakes.every(line => Number(line.split('\t')[1]) < 0x8000)).toBe(true);
  });

  test('the gratuitous ARP of the failover comes by the other cable (Figure 9)', () => {
    const announced = tshark(plain, 'arp.isgratuitous == 1', 'frame.interface_name', 'arp.src.proto_ipv4');
    expect(announced.length).toBeGreaterThan(0);
    expect(announced[0]!.split('\t').slice(1)).toEqual(['nic1', '10.0.0.1']);
  });
});
