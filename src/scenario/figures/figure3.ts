/**
 * Figure 3: offload. The request descends from the switch to the device, the completion climbs with a handle for every
 * layer, the switch lets go what it held, and the work goes on in the device (¶63–77).
 *
 * The request only makes room, and each layer sends its state as the completion passes it; in the form that shipped the state
 * travels with the request, and 310, 314 and 318 are not there (¶75).
 */
import type { Ladder } from '../ladder.ts';
import type { FigureOptions } from './stage.ts';
import { Talk } from './talk.ts';

/** The request is on its way for so long, so that something can happen meanwhile. */
const UNDER_WAY_US = 400;
const PAUSE_US = 50_000;

export function figure3({ seed, connections, state = 'at-completion' }: FigureOptions): Ladder {
  const talk = new Talk({
    figure: 'fig3',
    title: 'Figure 3: a connection is offloaded',
    seed,
    peers: [{ name: 'peer', address: '10.0.0.2', vid: 0 }],
    connections,
    offload: { state },
  });
  const all = talk.server.streams;
  talk.act('On the host path: every layer works on every segment');
  for (const { index } of all) talk.clientSends(index, 200);
  talk.runFor(500);
  for (const { index } of all) talk.serverSends(index, 600);
  talk.runFor(PAUSE_US);

  talk.act('The request descends; what arrives meanwhile is held', '330–336');
  talk.offload(talk.connections());
  talk.delay(talk.host.interfaces[0]!.adapter, 'initiateOffload', UNDER_WAY_US, () => {
    talk.serverSends(0, 1000);
    talk.clientSends(0, 100);
  });
  const sends = state === 'at-completion' ? 'takes its handle and sends its state' : 'takes its handle';
  talk.act(`The completion climbs, each layer ${sends}; what was held follows`, '308–322');
  talk.runFor(PAUSE_US);

  talk.act('Through the chimney: from the switch to the device and back');
  for (const { index } of all) talk.clientSends(index, 300);
  talk.runFor(500);
  for (const { index } of all) talk.serverSends(index, 3000);
  talk.until(() => talk.isQuiet);
  talk.runFor(PAUSE_US);
  talk.checkBytes();
  talk.checkStates('Offloaded');
  talk.checkNic('nic0', connections, 1, 1);
  talk.checkNothingLeft();
  return talk.end();
}
