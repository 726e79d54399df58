/**
 * The state objects hold every variable that the seed (¶80–85) and the interface that shipped (digest §1.2–1.6) name, in
 * its class, documented (R1).
 */
import { describe, expect, test } from 'vitest';
import type { Field, FieldClass } from '../../src/memory/record.ts';
import { NeighborState, PathState, StateRange } from '../../src/offload/state-objects.ts';
import { TcbLayout } from '../../src/tcp/tcb.ts';

const OBJECTS: Record<string, Record<string, Field>> = {
  Neighbor: NeighborState.fields,
  Path: PathState.fields,
  TCP: TcbLayout.fields,
};
const CLASSES: FieldClass[] = ['const', 'cached', 'delegated'];

/** Names of ours for what only the seed has. Of the unions, the members that are there at a hand-over. */
const EXPECTED: Record<string, Partial<Record<FieldClass, string>>> = {
  Neighbor: {
    const: 'DlSourceAddress VlanId',
    cached: 'DlDestinationAddress HostReachabilityDelta HeaderFormat',
    delegated: 'NicReachabilityDelta',
  },
  Path: { const: 'SourceAddress DestinationAddress', cached: 'PathMtu', delegated: 'IpIdStart' },
  TCP: {
    const: 'Flags LocalPort RemotePort SndWindScale RcvWindScale RemoteMss HashValue',
    cached:
      'Flags InitialRcvWnd RcvIndicationSize KaProbeCount KaTimeout KaInterval MaxRT FlowLabel TtlOrHopLimit ' +
      'TosOrTrafficClass UserPriority EffectiveMss',
    delegated:
      'State Flags RcvNxt RcvWnd SndUna SndNxt SndMax SndWnd MaxSndWnd SendWL1 SndWL2 CWnd SsThresh SRtt RttVar TsRecent ' +
      'TsRecentAge TsTime TotalRT DupAckCount SndWndProbeCount KeepAlive.ProbeCount KeepAlive.TimeoutDelta ' +
      'Retransmit.Count Retransmit.TimeoutDelta SendDataHead SendDataTail BufferedData DWnd',
  },
};

/** What the shipped structures do not have: ¶ of the seed that names it. */
const SEED_ONLY = { HeaderFormat: '¶84', IpIdStart: '¶84', EffectiveMss: '¶81', SndWL2: '¶82' };

function fieldsOf(fields: Record<string, Field>, fieldClass: FieldClass): [string, Field][] {
  return Object.entries(fields).filter(([, field]) => field.fieldClass === fieldClass);
}

describe.each(Object.keys(OBJECTS))('the state object of %s', object => {
  const fields = OBJECTS[object]!;

  test.each(CLASSES)('has every %s variable of seed and interface, and no other name (R1, ¶80–85)', fieldClass => {
    const names = fieldsOf(fields, fieldClass).flatMap(([, { ddi }]) => (ddi ? [ddi] : []));
    expect([...new Set(names)].toSorted()).toEqual(EXPECTED[object]![fieldClass]!.split(' ').toSorted());
  });

  test.each(CLASSES)('says unit, meaning and origin of every %s field (R1)', fieldClass => {
    for (const [name, { unit, meaning, from, ddi }] of fieldsOf(fields, fieldClass)) {
      expect(unit, `unit of ${name}`).toBeTruthy();
      expect(meaning, `meaning of ${name}`).toBeTruthy();
      // Without a name in the interface it is ours or an RFC's; with one it is of the seed, or shipped.
      expect(from, `origin of ${name}`).toMatch(ddi ? /¶\d+|shipped/ : /^(?:emulator|RFC \d+)$/);
      const seedOnly = Object.entries(SEED_ONLY).find(([only]) => only === ddi);
      if (ddi) expect(from!.includes('shipped'), `origin of ${name}`).toBe(seedOnly === undefined);
      if (seedOnly !== undefined) expect(from).toContain(seedOnly[1]);
    }
  });
});

test('CONST, CACHED and DELEGATED ranges adjoin, so that one copy carries all of an object (R1)', () => {
  for (const { all, cached, delegated } of [StateRange.neighbor, StateRange.path, StateRange.tcp]) {
    expect(cached.end).toBe(delegated.start);
    expect(delegated.end).toBe(all);
  }
  expect(StateRange.tcp.const).toEqual({ start: 0, end: StateRange.tcp.cached.start });
});

test('private fields lie behind what is handed over (R4)', () => {
  const handedOver = Object.entries(TcbLayout.fields).filter(([, { fieldClass }]) => fieldClass !== 'private');
  for (const [name, { width }] of handedOver) {
    expect(TcbLayout.offset[name as keyof typeof TcbLayout.offset] + width).toBeLessThanOrEqual(StateRange.tcp.all);
  }
  expect(TcbLayout.range('private').start).toBe(StateRange.tcp.all);
});
