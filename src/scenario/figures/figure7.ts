/**
 * Figure 7: upload. The device asks for its termination, or the host decides; outstanding requests are answered, the
 * delegated state climbs back, and the host goes on where the device stopped (¶101–106).
 */
import type { Ladder } from '../ladder.ts';
import type { FigureOptions } from './stage.ts';
import { Talk } from './talk.ts';

const PAUSE_US = 60_000;
/** Long enough for an RTO. */
const PATIENCE_US = 5_000_000;

export function figure7({ seed, connections }: FigureOptions): Ladder {
  const talk = new Talk({
    figure: 'fig7',
    title: 'Figure 7: a connection is taken back with data outstanding',
    seed,
    peers: [{ name: 'peer', address: '10.0.0.2', vid: 0 }],
    connections,
  });
  const last = connections - 1;
  talk.offload(talk.connections());
  talk.runFor(PAUSE_US);

  talk.act('The device asks: both sides have closed, and TIME-WAIT is the host’s', '702, 704');
  talk.serverSends(last, 300, true);
  talk.runFor(1000);
  talk.call(talk.peer(talk.peerOf(last)), () => talk.client(last).close(last));
  talk.runFor(PAUSE_US);

  talk.act('Data outstanding both ways: bytes that the application has not taken, a send and a close', '');
  talk.server.hold(0);
  talk.clientSends(0, 700);
  talk.runFor(500);
  talk.serverSends(0, 4000, true);

  talk.act('The host asks for it back; the outstanding close is answered, the state climbs', '728–748');
  talk.upload(talk.connections(0));
  talk.runFor(0);
  const pending = talk.recorder.events.some(({ text }) => /disconnect complete c1: UploadInProgress/.test(text));
  const state = talk.stateOf(0);

  talk.act('The host has it, and goes on', '');
  talk.runFor(1000);
  talk.call(talk.host, () => talk.server.resume(0));
  talk.until(() => talk.isQuiet, PATIENCE_US);
  talk.call(talk.peer(talk.peerOf(0)), () => talk.client(0).close(0));
  talk.runFor(PAUSE_US);

  const { events } = talk.recorder;
  talk.check(
    'the device asked for c' + connections,
    events.some(({ step }) => step === '702'),
  );
  talk.check('the outstanding close was answered UploadInProgress', pending);
  talk.check(`c1 is ${state} after the completion`, state === 'InHost');
  talk.check('its peer heard of the close', talk.client(0).streams[0]!.ended);
  talk.checkBytes();
  talk.checkNic('nic0', connections - new Set([0, last]).size, connections > 2 ? 1 : 0, connections > 2 ? 1 : 0);
  return talk.end();
}
