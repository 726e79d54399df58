/**
 * Figure 8: many connections change hands in one call. A block list carries the whole tree of connections, paths and
 * neighbors to the device, which works on them, and one list brings them all back (¶118–123).
 */
import { createHash } from 'node:crypto';
import { SERVER_PORT, stormNetwork } from '../network.ts';
import type { Ladder } from '../ladder.ts';
import { HeldServer } from './held-server.ts';
import { type FigureOptions, Stage } from './stage.ts';

const BODY_BYTES = 4000;
const PAUSE_US = 100_000;
/** Connections whose data and frames are written down. */
const FOLLOWED = 3;

export function figure8({ seed, connections }: FigureOptions): Ladder {
  const body = Uint8Array.from({ length: BODY_BYTES }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
  const sha256 = createHash('sha256').update(body).digest('hex');
  const { interfaces, routes, populations } = stormNetwork({
    vids: [],
    connections,
    concurrency: connections,
    catalog: [{ path: '/', size: body.length, sha256 }],
    seed,
    timeWaitTicks: 1000,
    // Fewer stations than connections, so that some share a path.
    stations: Math.max(9, (connections * 3) >> 2),
  });
  const stage = new Stage({
    figure: 'fig8',
    title: `Figure 8: ${connections} connections change hands in one call`,
    seed,
    peers: [],
    interfaces,
    routes,
    populations,
    applicationBytes: HeldServer.bytesFor(body),
    connections,
  });
  const { recorder, names, host } = stage;
  const server = new HeldServer(stage.sim.memory, stage.sim.layout.hosts[0]!.regions.application, body, {
    connected: connection => names.add(connection),
    upcall: (connection, text) => recorder.application(false, `${names.of(connection)} ${text}`),
    call: (connection, text) => recorder.application(true, `${names.of(connection)} ${text}`),
  });
  host.tli.listen(SERVER_PORT, server);
  stage.until(() => server.asked === connections);
  recorder.follow(FOLLOWED);
  stage.begin();
  play(stage, server);
  check(stage, server, connections);
  return stage.end();
}

function play(stage: Stage, server: HeldServer): void {
  stage.act('Offload: a block list is made of them all, and given to the device with the control', '800, 810, 830');
  stage.offload(server.connections);
  stage.runFor(PAUSE_US);
  stage.act('The device processes them', '840');
  stage.call(stage.host, () => server.reply(false));
  stage.runFor(PAUSE_US);
  stage.act('Upload: one list brings them back', '800, 810, 830');
  stage.upload(server.connections);
  stage.runFor(PAUSE_US);
  stage.act('The host processes them', '840');
  stage.call(stage.host, () => server.reply(true));
  stage.until(() => stage.sim.fabric.loadReports().every(load => load.finished));
  stage.runFor(PAUSE_US);
}

function check(stage: Stage, server: HeldServer, connections: number): void {
  const { initiateCalls, terminateCalls, connectionsOffloaded, connectionsTakenBack } = stage.host.chimney.stats;
  stage.check(
    `${connectionsOffloaded} connections offloaded in ${initiateCalls} call, ${connectionsTakenBack} taken back in ${terminateCalls}`,
    initiateCalls === 1 &&
      terminateCalls === 1 &&
      connectionsOffloaded === connections &&
      connectionsTakenBack === connections,
  );
  const [load] = stage.sim.fabric.loadReports();
  stage.check(
    `${load!.completed} clients have the whole reply, ${load!.bytesVerified} bytes verified by SHA-256`,
    load!.completed === connections && load!.bytesVerified === connections * BODY_BYTES,
  );
  stage.check(`${server.closedCount} connections closed in order`, server.closedCount === connections);
  const { tree } = stage.sim.nics[0]!;
  stage.check('the device holds nothing any more', tree.connections + tree.paths + tree.neighbors === 0);
  const { blocks, tx, sendDescriptors } = stage.host;
  stage.check('no block or buffer is left behind', blocks.inUse + tx.inUse + sendDescriptors.inUse === 0);
}
