/**
 * Figure 10: intermediate drivers in the offload structure. Two VLANs over a team of two NICs: the VLAN driver writes its
 * VID into the framing object of the block list, the team passes the list on, and the NIC tags what it sends (¶116,
 * ¶132–138).
 */
import type { Ladder } from '../ladder.ts';
import { addressOf, type FigureOptions } from './stage.ts';
import { Talk } from './talk.ts';

const VLANS = [
  { vid: 10, server: '10.10.0.1', peer: '10.10.0.2' },
  { vid: 20, server: '10.20.0.1', peer: '10.20.0.2' },
] as const;
const PAUSE_US = 60_000;

export function figure10({ seed, connections }: FigureOptions): Ladder {
  const talk = new Talk(
    {
      figure: 'fig10',
      title: 'Figure 10: two VLANs over one team',
      seed,
      peers: VLANS.map(({ vid, peer }) => ({ name: `peer${vid}`, address: peer, vid })),
      nics: ['nic0', 'nic1'],
      interfaces: VLANS.map(({ vid, server }) => ({ address: addressOf(server), prefixLength: 24, vid })),
      connections,
    },
    VLANS.map(({ server }) => server),
  );
  const all = talk.server.streams;
  talk.act('Two or more connections have cached state in every layer', '1000');
  talk.act('It is put in order, from the switch down to framing: a chimney a VLAN', '1010');
  talk.act('The intermediate drivers stand between the stack and the NICs: VLAN over team', '1020, 1030');
  talk.offload(talk.connections());
  talk.runFor(1000);
  talk.act('Offloaded traffic: the NIC puts the tag in front and takes it off');
  for (const { index } of all) talk.clientSends(index, 200);
  talk.runFor(1000);
  for (const { index } of all) talk.serverSends(index, 2000);
  talk.until(() => talk.isQuiet);
  talk.runFor(PAUSE_US);
  talk.act('Taken back: each tree goes up to the VLAN that it came from');
  talk.upload(talk.connections());
  talk.runFor(1000);
  talk.act('On the host path the driver tags');
  for (const { index } of all) talk.serverSends(index, 100);
  talk.until(() => talk.isQuiet);
  talk.runFor(PAUSE_US);

  const { events } = talk.recorder;
  const neighbors = events.flatMap(({ text, to, tree }) =>
    text.startsWith('initiate offload') && to === 'nic0' && tree !== null ? tree : [],
  );
  for (const { vid } of VLANS) {
    talk.check(
      `the framing object for VLAN ${vid} carries VID ${vid}`,
      neighbors.some(({ label }) => label.endsWith(`VID ${vid}`)),
    );
  }
  const onWire = events.filter(({ kind, from, to }) => kind === 'frame' && (from === 'wire' || to === 'wire'));
  const right = onWire.every(({ text }) => {
    const match = /^vlan (\d+) c(\d+) /.exec(text);
    return match !== null && Number(match[1]) === VLANS[(Number(match[2]) - 1) % VLANS.length]!.vid;
  });
  talk.check(`each of ${onWire.length} frames on the wire has its connection's tag`, right && onWire.length > 0);
  talk.checkBytes();
  talk.checkStates('InHost');
  talk.checkNic('nic0', 0, 0, 0);
  talk.checkNothingLeft();
  return talk.end();
}
