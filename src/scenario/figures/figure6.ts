/**
 * Figure 6: an update of cached state. One neighbor's MAC address changes and one update reaches every connection that
 * depends on it; an option of one connection changes and only that connection is updated (¶98–100).
 */
import { formatMac } from '../../wire/ethernet.ts';
import type { Ladder } from '../ladder.ts';
import type { FigureOptions } from './stage.ts';
import { Talk } from './talk.ts';

const PAUSE_US = 60_000;
/** Less than a segment, so that Nagle's algorithm has something to say. */
const SMALL = 30;

export function figure6({ seed, connections }: FigureOptions): Ladder {
  const talk = new Talk({
    figure: 'fig6',
    title: 'Figure 6: cached state is updated while connections are offloaded',
    seed,
    peers: [{ name: 'peer', address: '10.0.0.2', vid: 0 }],
    connections,
  });
  const all = talk.server.streams;
  talk.act('Offloaded, they share a path and a neighbor');
  talk.offload(talk.connections());
  talk.runFor(1000);
  for (const { index } of all) talk.serverSends(index, 500);
  talk.runFor(PAUSE_US);

  talk.act('The neighbor gets another MAC address and says so: one update for all that depend on it', '630–635');
  const [iface] = talk.peer(0).interfaces;
  const { adapter } = iface!;
  talk.call(talk.peer(0), () => {
    adapter.macLo = (adapter.macLo + 0x100000) | 0;
    adapter.down.setMac(adapter.macHi, adapter.macLo);
    talk.peer(0).framing.announce(iface!);
  });
  talk.runFor(2000);
  const mac = formatMac(adapter.macHi, adapter.macLo);
  for (const { index } of all) talk.serverSends(index, 500);
  talk.until(() => talk.isQuiet);
  talk.runFor(PAUSE_US);

  talk.act("A connection's option changes (Nagle's algorithm off): an update for that one", '610–615');
  talk.call(talk.host, () => talk.connections(0)[0]!.setNoDelay(true));
  talk.runFor(1000);
  for (let i = 0; i < 3; i++) talk.serverSends(0, SMALL);
  talk.until(() => talk.isQuiet);
  talk.runFor(PAUSE_US);

  const { events } = talk.recorder;
  const lists = events.filter(
    ({ text, tree }) => tree !== null && text.startsWith('update') && !text.includes('complete'),
  );
  const neighborLists = lists.filter(({ tree }) => tree![0]!.layer === 'N');
  talk.check(
    `one update of the neighbor for ${connections} connections`,
    neighborLists.length === 1 && neighborLists[0]!.tree!.length === 1,
  );
  talk.check('one update of the connection', lists.filter(({ tree }) => tree![0]!.layer === 'T').length === 1);
  const moved = events.filter(({ kind, to, text }) => kind === 'frame' && to === 'wire' && text.includes(` to ${mac}`));
  talk.check(
    `the NIC's frames go to ${mac}`,
    all.every(({ index }) => moved.some(({ text }) => isOf(text, index))),
  );
  const small = moved.filter(({ text }) => text.includes(`(${SMALL})`));
  talk.check(
    'three small sends leave at once, none waits for an ACK',
    new Set(small.map(({ us }) => us)).size === 1 && small.length === 3,
  );
  talk.checkBytes();
  talk.checkStates('Offloaded');
  talk.checkNothingLeft();
  return talk.end();
}

function isOf(text: string, index: number): boolean {
  return text.startsWith(`c${index + 1} `);
}
