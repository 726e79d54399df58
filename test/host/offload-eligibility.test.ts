/** What an adapter cannot do is not offered to it; each layer counts what it keeps back (A21, F09, R13, digest 6.1). */
import { describe, expect, test } from 'vitest';
import { OffloadEligibility } from '../../src/host/offload-eligibility.ts';
import type { Path } from '../../src/host/path.ts';
import { NO_OFFLOAD, type OffloadCapabilities } from '../../src/offload/capabilities.ts';
import type { TargetOptions } from '../../src/offload/target-options.ts';
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
const PATH = { mtu: 1500, destination: 0x0a000001 } as Path;
/** An address of IPv6, by its number. */
const PATH6 = { mtu: 1500, destination: 0xf000_0001 | 0 } as Path;

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

  test('of either IP version', () => {
    const eligibility = new OffloadEligibility();
    expect(eligibility.accepts(TCB, PATH6, ABLE)).toBe(false);
    expect(eligibility.network).toEqual({ ipv4: 0, ipv6: 1, pathMtu: 0 });
    expect(eligibility.accepts(TCB, PATH6, { ...ABLE, supportsIpv4: false, supportsIpv6: true })).toBe(true);
  });

  test('what a connection does not use nobody has to have', () => {
    const able = { ...ABLE, supportsTimestamps: false, supportsSack: false, supportsEcn: false };
    expect(new OffloadEligibility().accepts({ ...TCB, constFlags: 0 } as Tcb, PATH, able)).toBe(true);
  });
});

describe('a machine', () => {
  const machine = (target: Partial<TargetOptions>): LadderMachine => {
    const nics = [{ name: 'nic0', target }];
    const peers = { c1: '10.0.0.101:5001' };
    const tcp = { ecn: 'on' } as const;
    const built = new LadderMachine({ peers, timestamps: true, sack: true, ecn: true, tcp, nics, quiet: true }, 1);
    built.call(() => built.offload(['c1']));
    built.advanceTo(5000);
    return built;
  };

  test.each([
    ['timestamps', { supportsTimestamps: false }],
    ['sack', { supportsSack: false }],
    ['ecn', { supportsEcn: false }],
  ] as const)('keeps a connection with %s from a device without; it stays as it is (A21)', (what, target) => {
    const { host, sim } = machine(target);
    expect(host.offload.eligibility.transport).toMatchObject({ [what]: 1 });
    expect([host.chimney.offloaded, sim.nics[0]!.stats.initiateCalls]).toEqual([0, 0]);
    expect([host.transport.table.inUse, host.chimney.requestsPending]).toEqual([1, 0]);
  });

  test('gives it to one that has them', () => {
    const { host } = machine({});
    const { timestamps, sack, ecn } = host.offload.eligibility.transport;
    expect([host.chimney.offloaded, timestamps, sack, ecn]).toEqual([1, 0, 0, 0]);
  });

  test('that changes its abilities is not given back what no longer fits; the host carries it (F09)', () => {
    const built = machine({});
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
