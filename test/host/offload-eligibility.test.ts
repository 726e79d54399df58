/** What an adapter cannot do is not offered to it; each layer counts what it keeps back (A21, F09, R13, digest 6.1). */
import { describe, expect, test } from 'vitest';
import { OffloadEligibility } from '../../src/host/offload-eligibility.ts';
import type { Path } from '../../src/host/path.ts';
import { NO_OFFLOAD, type OffloadCapabilities } from '../../src/offload/capabilities.ts';
import { type Tcb, TcpConstFlag } from '../../src/tcp/tcb.ts';
import { LadderMachine } from '../support/machine-ladder.ts';

const ABLE: OffloadCapabilities = {
  ...NO_OFFLOAD,
  tcpConnections: 8,
  supportsIpv4: true,
  supportsSack: true,
  supportsTimestamps: true,
  supportsEcn: true,
  rcvWindowMax: 65_536,
  mtu: 1500,
};
const TCB = { constFlags: TcpConstFlag.Timestamp | TcpConstFlag.Sack | TcpConstFlag.Ecn, initialRcvWnd: 65_536 } as Tcb;
const PATH = { mtu: 1500 } as Path;

describe('a connection and an adapter', () => {
  test('that can do all it uses', () => {
    expect(new OffloadEligibility().accepts(TCB, PATH, ABLE)).toBe(true);
  });

  test.each([
    [{ supportsTimestamps: false }, 'transport', 'timestamps'],
    [{ supportsSack: false }, 'transport', 'sack'],
    [{ supportsEcn: false }, 'transport', 'ecn'],
    [{ rcvWindowMax: 65_535 }, 'transport', 'receiveWindow'],
    [{ supportsIpv4: false }, 'network', 'ipv4'],
    [{ mtu: 1499 }, 'network', 'pathMtu'],
  ] as const)('that cannot: %o is counted once, by %s as %s', (lacks, layer, reason) => {
    const eligibility = new OffloadEligibility();
    expect(eligibility.accepts(TCB, PATH, { ...ABLE, ...lacks })).toBe(false);
    const { transport, network } = eligibility;
    const counts = { transport, network } as Record<string, Record<string, number>>;
    expect(counts[layer]![reason]).toBe(1);
    const all = [...Object.values(transport), ...Object.values(network)];
    expect(all.reduce((sum, count) => sum + count, 0)).toBe(1);
  });
});

describe('a machine', () => {
  const machine = (supportsTimestamps: boolean): LadderMachine => {
    const nics = [{ name: 'nic0', target: { supportsTimestamps } }];
    const built = new LadderMachine({ peers: { c1: '10.0.0.101:5001' }, timestamps: true, nics, quiet: true }, 1);
    built.call(() => built.offload(['c1']));
    built.advanceTo(5000);
    return built;
  };

  test('keeps a connection with timestamps from a device without them; it stays as it is (A21)', () => {
    const { host, sim } = machine(false);
    expect(host.offload.eligibility.transport.timestamps).toBe(1);
    expect([host.chimney.offloaded, sim.nics[0]!.stats.initiateCalls]).toEqual([0, 0]);
    expect([host.transport.table.inUse, host.chimney.requestsPending]).toEqual([1, 0]);
  });

  test('gives it to one that has them', () => {
    const { host } = machine(true);
    expect([host.chimney.offloaded, host.offload.eligibility.transport.timestamps]).toEqual([1, 0]);
  });

  test('that changes its abilities is not given back what no longer fits; the host carries it (F09)', () => {
    const built = machine(true);
    const { host } = built;
    built.call(() => built.upload(['c1']));
    built.advanceTo(10_000);
    const { adapter } = host.interfaces[0]!;
    adapter.capabilities = { ...adapter.capabilities, supportsTimestamps: false };
    built.call(() => built.offload(['c1']));
    built.advanceTo(15_000);
    expect([host.chimney.offloaded, host.chimney.stats.connectionsOffloaded]).toEqual([0, 1]);
    expect([host.transport.table.inUse, host.offload.eligibility.transport.timestamps]).toEqual([1, 1]);
  });
});
