/** Figures run live (R44): each does what the figure says under every seed, and its ladder shows the steps in order. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Framing } from '../../src/host/framing.ts';
import { compactTree } from '../../src/scenario/block-tree.ts';
import { FIGURES } from '../../src/scenario/figures/figures.ts';
import type { Ladder, LadderEvent } from '../../src/scenario/ladder.ts';
import { ladderText } from '../../src/scenario/ladder-text.ts';

afterEach(() => vi.restoreAllMocks());

function run(figure: string, seed = 1, connections = FIGURES.get(figure)!.connections.default): Ladder {
  return FIGURES.get(figure)!.run({ seed, connections });
}

/** `330 tli > transport initiate offload, 1 connections`, with the block list in one word. */
function written({ step, from, to, text, tree }: LadderEvent): string {
  const list = tree === null ? '' : compactTree(tree, text.startsWith('initiate'));
  const who = to === '' ? from : `${from} > ${to}`;
  return [step, who, text, list].filter(part => part !== '').join(' ');
}

/** These, in this order; others may stand between them. */
function expectInOrder(ladder: Ladder, expected: readonly string[]): void {
  const lines = ladder.events.map(written);
  let at = 0;
  for (const line of expected) {
    const found = lines.indexOf(line, at);
    expect(found, `not behind line ${at}: ${line}\n${lines.join('\n')}`).toBeGreaterThanOrEqual(0);
    at = found + 1;
  }
}

const OFFLOAD = (count: number, blocks: number, adapter: string, list: string): string[] => [
  `330 tli > transport initiate offload, ${count} connections`,
  `332 transport > network initiate offload, ${count} connections`,
  `334 network > framing initiate offload, 1 paths`,
  `336 framing > ndis initiate offload, ${blocks} blocks`,
  `${adapter} initiate offload ${list}`,
];

describe('every figure', () => {
  const cases = [...FIGURES.keys()].flatMap(figure => [1, 2, 3, 4].map(seed => [figure, seed] as const));
  test.each(cases)('%s does what it says under seed %i', (figure, seed) => {
    const ladder = run(figure, seed);
    expect(ladder.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(ladder.checks.length).toBeGreaterThan(3);
    expect(ladder.ok).toBe(true);
  });

  test.each([...FIGURES.keys()])('%s is the same, byte for byte, for the same seed', figure => {
    expect(ladderText(run(figure, 7))).toBe(ladderText(run(figure, 7)));
  });

  test.each([...FIGURES])('%s does it with more connections, too', (figure, { connections: { min, max } }) => {
    for (const count of [min, Math.min(max, 8)])
      expect(run(figure, 1, count).checks.filter(({ ok }) => !ok)).toEqual([]);
  });

  test.each([...FIGURES.keys()])('%s fits in 120 columns', figure => {
    for (const line of ladderText(run(figure)).split('\n')) expect([...line].length, line).toBeLessThanOrEqual(120);
  });
});

describe('Figure 3', () => {
  test('the request descends, the completion climbs, what was held follows (B01, R13, R15, R16)', () => {
    expectInOrder(run('fig3'), [
      'wire > nic0 c1 P. 1:201(200) ack 1',
      'nic0 > framing c1 P. 1:201(200) ack 1',
      'tli > app c1 received 200 bytes',
      'app > tli c1 send 600 bytes',
      'framing > wire c1 P. 1:601(600) ack 201 (nic0)',
      'tli > app c1 sent 600 bytes',
      '330 tli > transport initiate offload, 1 connections',
      '332 transport > network initiate offload, 1 connections',
      '334 network > framing initiate offload, 1 paths',
      '336 framing > ndis initiate offload, 3 blocks',
      'app > tli c1 send 1000 bytes',
      'transport > transport hold segment',
      'ndis > nic0 initiate offload N?{P?{T?}}',
      '308 nic0 > framing initiate complete N?{P?{T?}}',
      '310 framing > nic0 load 1 neighbor states',
      '312 framing > network initiate complete',
      '314 network > nic0 load 1 path states',
      '316 network > transport initiate complete',
      '318 transport > nic0 load 1 connection states',
      '320 transport > tli initiate complete',
      '322 tli > nic0 held calls',
      'tli > nic0 send c1 1000 bytes',
      'transport > nic0 forward segment',
      'nic0 > tli indicate c1 100 bytes',
      'nic0 > wire c1 P. 601:1601(1000) ack 201',
      'nic0 > tli send complete c1: Success',
      'nic0 > tli indicate c1 300 bytes',
      'nic0 > wire c1 . 1601:3049(1448) ack 601',
      'tli > app c1 sent 3000 bytes',
    ]);
  });

  test('as it shipped, the list carries state: handles, addresses and sequence numbers (R12)', () => {
    const text = ladderText(FIGURES.get('fig3')!.run({ seed: 1, connections: 1, state: 'with-request' }));
    expect(text).toContain('T  c1 SND.UNA 601 SND.NXT 601 RCV.NXT 201\n');
    expect(text).toMatch(
      /N\+ 0x[0-9a-f]+ Success 02:43:4e:00:00:02\n +P\+ 0x[0-9a-f]+ Success 10\.0\.0\.1 to 10\.0\.0\.2\n +T {2}0x[0-9a-f]+ Success c1\n/,
    );
    expect(text).toMatch(/^ok {6}c1: 4600 of 4600 bytes arrived from the host, 600 of 600 at the host, 0 wrong$/m);
  });
});

describe('Figure 6', () => {
  test('one update of the neighbor reaches all its connections, an option one (R3, R18)', () => {
    const ladder = run('fig6', 1, 3);
    const updates = ladder.events.filter(({ text, tree }) => tree !== null && text.startsWith('update'));
    expect(updates.map(({ tree }) => compactTree(tree!, false))).toEqual(['N', 'N', 'T', 'T']);
    expect(updates[0]).toMatchObject({ to: 'nic0', step: expect.stringContaining('640') as string });
    expectInOrder(ladder, [
      'wire > nic0 arp announce 10.0.0.2 (02:43:4e:10:00:02)',
      'nic0 > wire c3 P. 501:1001(500) ack 1 to 02:43:4e:10:00:02',
      'nic0 > wire c1 P. 1001:1031(30) ack 1 to 02:43:4e:10:00:02',
      'nic0 > wire c1 P. 1031:1061(30) ack 1 to 02:43:4e:10:00:02',
    ]);
  });

  test('a ladder whose operation went wrong says so', () => {
    vi.spyOn(Framing.prototype, 'updateNeighbor').mockImplementation(() => {});
    const ladder = run('fig6');
    expect(ladder.ok).toBe(false);
    expect(ladder.checks.filter(({ ok }) => !ok).map(({ text }) => text)).toEqual(
      expect.arrayContaining([expect.stringContaining('one update of the neighbor')]),
    );
    expect(ladderText(ladder)).toMatch(/^FAILED {2}one update of the neighbor/m);
    expect(ladderText(ladder)).toMatch(/FAILED: not as the figure says\.\n$/);
  });
});

describe('Figure 7', () => {
  test('the device asks, or the host; outstanding requests are answered; the state climbs (R23, R27, R28)', () => {
    expectInOrder(run('fig7'), [
      '702 nic0 > ndis retrieve: UploadRequested',
      '704 ndis > transport retrieve: UploadRequested',
      '728 transport > network terminate offload, 1 connections',
      '722 ndis > nic0 terminate offload, 3 blocks N.{P.{T}}',
      '742, 744 nic0 > framing terminate complete N.{P.{T}}',
      'tli > app c1 leaves 700 bytes',
      'tli > nic0 disconnect c1 with 4000 bytes',
      '728 transport > network terminate offload, 1 connections',
      '726 network > framing terminate offload, 1 paths',
      '724 framing > ndis terminate offload, 3 blocks',
      '722 ndis > nic0 terminate offload, 3 blocks N={P={T}}',
      '732, 734 nic0 > tli disconnect complete c1: UploadInProgress',
      '742, 744 nic0 > framing terminate complete N={P={T}}',
      '746 framing > network terminate complete',
      '748 network > transport terminate complete',
      'tli > app c1 received 700 bytes',
      'tli > app c1 sent 4000 bytes',
      'tli > app c1 closed Normal',
    ]);
    expect(ladderText(run('fig7'))).toMatch(
      /T {2}0x\w+ Success c1 SND\.UNA 1 SND\.NXT \d+ RCV\.NXT 701, 4000 queued\n/,
    );
  });
});

describe('Figure 8', () => {
  test('connections of several paths and neighbors change hands in one call, each way (R8, R10, R11)', () => {
    const ladder = run('fig8', 1, 40);
    const lists = ladder.events.filter(({ tree }) => tree !== null);
    expect(lists.map(({ text }) => text.replace(/,.*/, ''))).toEqual([
      'initiate offload',
      'initiate complete',
      'terminate offload',
      'terminate complete',
    ]);
    const [down] = lists;
    const text = compactTree(down!.tree!, true);
    expect(text.match(/T/g)).toHaveLength(40);
    expect(text.match(/N\+/g)!.length).toBeGreaterThan(2);
    expect(text.match(/P\+/g)!.length).toBeGreaterThan(text.match(/N\+/g)!.length);
    expect(ladder.leftOut).toBeGreaterThan(100);
    expect(ladder.checks.map(check => check.text)).toContain('40 connections offloaded in 1 call, 40 taken back in 1');
  });

  test('thousands go at once', () => {
    const ladder = run('fig8', 1, 1000);
    expect(ladder.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(ladderText(ladder)).toMatch(/… and \d+ more/);
  });
});

describe('Figure 9', () => {
  test('detects, takes back, chooses, hands over; nothing is lost (R37, R38)', () => {
    expectInOrder(run('fig9'), [
      ...OFFLOAD(2, 4, 'team0 > nic0', 'N+{P+{T T}}'),
      'nic0 > wire c1 P. 1:1001(1000) ack 1',
      'nic0 link-down',
      '910 nic0 failover to nic1: link, 2 connections',
      'team0 offload-pause',
      '920 team0 upload-all 2 connections',
      'team0 > nic0 terminate offload N={P={T T}}',
      'nic0 > team0 terminate complete N={P={T T}}',
      '742, 744 team0 > framing terminate complete',
      '930, 940 team0 offload-resume 64 connections',
      ...OFFLOAD(2, 4, 'team0 > nic1', 'N+{P+{T T}}'),
      'nic1 > team0 initiate complete N+{P+{T T}}',
      '308 team0 > framing initiate complete',
      'tli > nic1 send c1 1000 bytes',
    ]);
  });
});

describe('Figure 10', () => {
  test('each VLAN has its VID in the framing object and its tag on the wire (R42)', () => {
    const ladder = run('fig10');
    expectInOrder(ladder, [
      'team0.10 > team0 initiate offload N+{P+{T}}',
      'team0 > nic0 initiate offload N+{P+{T}}',
      'team0.20 > team0 initiate offload N+{P+{T}}',
      'nic0 > wire vlan 20 c2 . 1:1449(1448) ack 201',
      'framing > wire vlan 10 c1 P. 2001:2101(100) ack 201 (nic0)',
    ]);
    const down = ladder.events.filter(({ to, text }) => to === 'nic0' && text.startsWith('initiate offload'));
    expect(down.map(({ tree }) => tree![0]!.label)).toEqual(['02:43:4e:00:00:03 VID 10', '02:43:4e:00:00:04 VID 20']);
    // A tree goes up to the VLAN that it came from.
    const up = ladder.events.filter(({ from, tree }) => from === 'team0' && tree !== null);
    expect(up.filter(({ to }) => to === 'team0.10').every(({ tree }) => tree![0]!.label.endsWith('VID 10'))).toBe(true);
    expect(up.filter(({ to }) => to === 'team0.20').every(({ tree }) => tree![0]!.label.endsWith('VID 20'))).toBe(true);
    expect(up.some(({ to }) => to === 'team0.20')).toBe(true);
  });
});
