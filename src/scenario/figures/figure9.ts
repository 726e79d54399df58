/**
 * Figure 9: failover of a team. The active NIC loses its link under traffic; the host takes every connection back, the
 * team chooses another NIC, and the connections go down again to that one. No byte is lost (¶109–113, ¶126–131).
 */
import type { Ladder } from '../ladder.ts';
import type { FigureOptions } from './stage.ts';
import { Talk } from './talk.ts';

const CHUNK = 1000;
const CHUNKS = 6;
const CHUNK_US = 500;
/** The link goes at this chunk. */
const FAILS_AT = 3;

export function figure9({ seed, connections }: FigureOptions): Ladder {
  const talk = new Talk({
    figure: 'fig9',
    title: 'Figure 9: a NIC of a team fails under traffic, another takes over',
    seed,
    peers: [{ name: 'peer', address: '10.0.0.2', vid: 0 }],
    nics: ['nic0', 'nic1'],
    connections,
  });
  talk.act('The team is one adapter to the stack; nic0 is active', '900');
  talk.offload(talk.connections());
  talk.runFor(1000);
  talk.act('Traffic both ways');
  for (let chunk = 0; chunk < CHUNKS; chunk++) {
    if (chunk === FAILS_AT) {
      talk.allowReoffload();
      talk.act('The pulse of the link stops', '910');
      talk.sim.fabric.cable('nic0')!.pull();
    }
    for (const { index } of talk.server.streams) {
      talk.serverSends(index, CHUNK);
      talk.clientSends(index, CHUNK);
    }
    talk.runFor(CHUNK_US);
  }
  talk.until(() => talk.isQuiet);
  talk.runFor(60_000);

  const { failovers, active } = talk.sim.host.team!;
  const [failover] = failovers;
  talk.check(
    `failover ${failover?.nic} to ${failover?.to} (${failover?.cause}): ${failover?.connectionsMoved} connections moved, ` +
      `${failover?.connectionsLost} lost, in ${failover?.ms} ms`,
    failovers.length === 1 && failover!.connectionsMoved === connections && failover!.connectionsLost === 0,
  );
  talk.check(`${active.name} is active`, active.name === 'nic1');
  talk.checkBytes();
  talk.checkStates('Offloaded');
  talk.checkNic('nic0', 0, 0, 0);
  talk.checkNic('nic1', connections, 1, 1);
  talk.checkNothingLeft();
  return talk.end();
}
