/** Terminate against everything else (digest §8 D), each race in hundreds of interleavings. */
import { describe, expect } from 'vitest';
import { patch } from '../../src/host/ndis.ts';
import { Block } from '../../src/offload/block-list.ts';
import { TcpOffloadEvent, TcpUploadReason } from '../../src/offload/events.ts';
import { explore, type Race } from '../support/explore.ts';
import type { LadderMachine } from '../support/machine-ladder.ts';

/** A station of the server's own network. */
const ONE = { peers: { c1: '10.0.0.16:5001' } };
/** The test plays the device, or a driver that breaks the rules: no checker would let that pass. */
const UNCHECKED = { ...ONE, checker: false };
/** Two connections share a path, a third has its own, all behind one router. */
const TREE = {
  peers: {
    c1: '10.1.0.1:5001 via 10.0.0.251',
    c2: '10.1.0.1:5002 via 10.0.0.251',
    c3: '10.1.0.2:5003 via 10.0.0.251',
  },
};

const TERMINATE = 'nic0 terminate N={P={T}}';
const COMPLETE = 'nic0 terminate complete N={P={T}}';

function adapterOf(machine: LadderMachine) {
  return machine.host.interfaces[0]!.adapter;
}

/** The handle that a device passes back with whatever it says of the connection. */
function contextOf(machine: LadderMachine, name: string): number {
  return machine.host.transport.table.handleOf(machine.peer(name).connection!.slot);
}

function offloaded(race: Race, ...names: string[]): void {
  race.offload(...names);
  race.settle();
  for (const name of names) expect(race.field(name, 'offload')).toBe('Offloaded');
}

describe('who asks for the terminate', () => {
  explore('the device asks and the host has decided: one terminate, one completion (D01)', ONE, (_machine, race) => {
    offloaded(race, 'c1');
    // Both closes bring the connection to TIME-WAIT, which the device asks to be taken back.
    race.event('close', () => race.call('c1', 'close'));
    race.event('peer closes', () => race.peerCloses('c1'));
    race.event('upload', () => race.upload('c1'), 20);
    race.run();
    expect(race.count(TERMINATE)).toBe(1);
    expect(race.count(COMPLETE)).toBe(1);
    race.end();
  });

  explore('asked a hundred times, at any time: one terminate (D02)', UNCHECKED, (machine, race) => {
    offloaded(race, 'c1');
    const context = contextOf(machine, 'c1');
    const ask = (): void => {
      machine.call(() => {
        const { up } = adapterOf(machine);
        up.indicateEvent(context, TcpOffloadEvent.IndicateRetrieve, TcpUploadReason.UploadRequested);
      });
    };
    for (let i = 0; i < 100; i++) race.event('retrieve', ask, 12);
    race.event('peer sends', () => race.peerSends('c1', 700));
    race.event('send', () => race.send('c1', 500));
    race.run();
    expect(race.count(TERMINATE)).toBe(1);
    expect(race.count(COMPLETE)).toBe(1);
    race.end();
  });

  explore(
    'an optional reason that the host ignores: the connection goes on for as long as anybody likes (D03)',
    { ...ONE, interleavings: 100 },
    (machine, race) => {
      offloaded(race, 'c1');
      const { up } = adapterOf(machine);
      let asked = 0;
      patch(up, 'indicateEvent', next => (context, event, argument) => {
        if (event === TcpOffloadEvent.IndicateRetrieve) asked++;
        else next(context, event, argument);
      });
      const { firmware } = machine.sim.nics[0]!;
      const ask = (): void => firmware.retrieve(firmware.tcb.at(firmware.table.addressOf(0)), TcpUploadReason.SmallIo);
      for (let round = 1; round <= 5; round++) {
        race.event('retrieve', ask);
        race.event('send', () => race.send('c1', 900));
        race.event('peer sends', () => race.peerSends('c1', 400));
        race.run();
        race.delivered();
        race.advance(20_000, 1000);
      }
      expect(asked).toBeGreaterThanOrEqual(5);
      expect(race.field('c1', 'offload')).toBe('Offloaded');
      expect(race.count('nic0 terminate')).toBe(0);
      race.end();
    },
  );
});

describe('what was to be sent', () => {
  explore(
    'a send is completed, or comes back and is sent by the host: never both, never neither (D04)',
    ONE,
    (_machine, race) => {
      offloaded(race, 'c1');
      race.send('c1', 300);
      race.event('send', () => race.send('c1', 100));
      race.event('upload', () => race.upload('c1'));
      race.event('send', () => race.send('c1', 2000));
      race.run();
      expect(race.field('c1', 'offload')).toBe('InHost');
      race.end();
    },
  );

  explore(
    'one buffer acknowledged, one in part, one not sent: the first is done, the rest comes back from SND.UNA on (D05)',
    ONE,
    (machine, race) => {
      offloaded(race, 'c1');
      const c1 = race.peer('c1');
      c1.mute = true;
      for (const bytes of [1000, 2000, 1500]) race.send('c1', bytes);
      race.settle();
      const acked = 1 + race.prng.below(3921);
      race.event('ACK', () => machine.inject(c1.peer, `. 1:1(0) ack ${acked}`), 3);
      race.event('upload', () => race.upload('c1'), 8);
      race.run();
      expect(race.field('c1', 'sndUna')).toBe(acked);
      expect(race.field('c1', 'queued')).toBe(4501 - acked);
      expect(race.count('c1 sent')).toBe([1001, 3001, 4501].filter(end => acked >= end).length);
      c1.mute = false;
      c1.rcvNxt = acked;
      race.end();
    },
  );

  explore('what comes back keeps its order, whatever was completed before (D06)', ONE, (machine, race) => {
    offloaded(race, 'c1');
    const sizes = Array.from({ length: 12 }, (_, index) => 101 + index * 37);
    for (const bytes of sizes) race.event(`send ${bytes}`, () => {}, 0);
    for (const [index, bytes] of sizes.entries()) {
      // In posting order: the rounds between them are drawn.
      if (index === 4) race.upload('c1');
      race.event('send', () => race.send('c1', bytes), 3);
      race.run();
    }
    race.delivered();
    const sent = machine.events.filter(({ text }) => text.startsWith('c1 sent ')).map(({ text }) => text.slice(8));
    expect(sent).toEqual(sizes.map(String));
    race.end();
  });

  explore('nothing to send: the chain is NULL (D07)', ONE, (machine, race) => {
    offloaded(race, 'c1');
    const chains: number[] = [];
    patch(adapterOf(machine).up, 'terminateOffloadComplete', next => root => {
      const block = Block.view(machine.sim.memory).at(root);
      block.at(block.at(block.dependentBlockList).dependentBlockList);
      chains.push(block.netBufferListChain);
      next(root);
    });
    race.send('c1', 1000);
    race.settle();
    race.event('peer sends', () => race.peerSends('c1', 500));
    race.event('upload', () => race.upload('c1'));
    race.run();
    expect(chains).toEqual([0]);
    expect(race.field('c1', 'queued')).toBe(0);
    race.end();
  });
});

describe('what was received', () => {
  explore(
    'an ACK that was put off is not lost: it leaves without waiting for its time (D08)',
    ONE,
    (_machine, race) => {
      offloaded(race, 'c1');
      race.event('peer sends', () => race.peerSends('c1', 100));
      race.event('upload', () => race.upload('c1'));
      race.run();
      // No time has passed. What the host got itself may still wait; what came up before the terminate may not.
      const before = race.order.split(`blocks ${TERMINATE}`)[0]!;
      const bytes = [...before.matchAll(/c1 received (\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
      expect(race.peer('c1').sndUna).toBeGreaterThan(bytes);
      race.end();
    },
  );

  explore(
    'out-of-order bytes go along: the peer, which was told of them, never sends them again (D09)',
    { ...ONE, sack: true },
    (machine, race) => {
      offloaded(race, 'c1');
      const c1 = race.peer('c1');
      for (const [first, length] of [
        [501, 300],
        [1001, 400],
      ] as const) {
        race.event(`${first}`, () => machine.inject(c1.peer, `P. ${first}:${first + length}(${length}) ack 1`));
      }
      race.event('upload', () => race.upload('c1'));
      race.run();
      expect(c1.peer.received).toBe(0);
      race.peerSends('c1', 1400);
      race.event('offload', () => race.offload('c1'));
      race.run();
      race.end();
    },
  );

  explore(
    'buffers of the first offload are read long after it ended, and after the same connection was offloaded again (D13)',
    ONE,
    (_machine, race) => {
      offloaded(race, 'c1');
      race.call('c1', 'hold');
      race.event('peer sends', () => race.peerSends('c1', 3000));
      race.run();
      expect(race.field('nic0', 'buffers')).toBeGreaterThan(0);
      race.upload('c1');
      race.settle();
      race.advance(10_000, 1000);
      race.event('offload', () => race.offload('c1'));
      race.event('peer sends', () => race.peerSends('c1', 2000));
      race.event('resume', () => race.call('c1', 'resume'), 20);
      race.run();
      race.end();
    },
  );

  explore(
    'a segment between the end of the device’s lookup and the completion waits in the host (D14)',
    ONE,
    (machine, race) => {
      offloaded(race, 'c1');
      machine.call(() => machine.hold('terminateOffloadComplete'));
      race.upload('c1');
      race.event('peer sends', () => race.peerSends('c1', 500));
      race.event('send', () => race.send('c1', 800));
      race.event('peer sends', () => race.peerSends('c1', 1000));
      race.event('complete', () => machine.call(() => machine.release()), 14);
      race.run();
      race.end();
    },
  );

  explore(
    'offloaded again at once, while segments of before are in the ring: nothing is delivered twice or elsewhere (D15)',
    TREE,
    (_machine, race) => {
      offloaded(race, 'c1', 'c2');
      for (const name of ['c1', 'c2']) {
        race.event(`${name} sends`, () => race.peerSends(name, 4000));
        race.event(`send ${name}`, () => race.send(name, 3000));
        race.event(`upload ${name}`, () => race.upload(name), 6);
        // The table gives the slot that is free, so one may get what was the other's.
        race.event(`offload ${name}`, () => race.offload(name), 14);
      }
      race.run();
      race.end();
    },
  );

  explore('FIN and bytes that nobody took: the host shows them, then the end, once (D19)', ONE, (machine, race) => {
    offloaded(race, 'c1');
    race.call('c1', 'hold');
    race.event('peer sends', () => race.peerSends('c1', 1200), 0);
    race.event('upload', () => race.upload('c1'), 20);
    race.run();
    race.event('peer closes', () => race.peerCloses('c1'), 12);
    race.run();
    race.until('the FIN is there', () => race.peer('c1').sndUna === 1202);
    expect(race.field('c1', 'state')).toBe('CLOSE-WAIT');
    expect(race.count('c1 ended')).toBe(0);
    race.call('c1', 'resume');
    race.settle();
    expect(race.count('c1 ended')).toBe(1);
    expect(machine.peer('c1').received).toBe(1200);
    race.end();
  });
});

describe('timers and ends', () => {
  explore(
    'expired while the terminate is under way: the retransmission happens once, at its time (D17, D18)',
    { ...ONE, orders: 4 },
    (machine, race) => {
      offloaded(race, 'c1');
      race.peer('c1').mute = true;
      race.send('c1', 100);
      race.settle();
      // A round-trip sample of 0 ms leaves the minimum: due at 200 ms, again at 600.
      race.advanceTo(198 + race.prng.below(4));
      race.event('upload', () => race.upload('c1'), 3);
      race.run();
      race.advanceTo(599);
      const times = machine.events.filter(({ text }) => text.startsWith('> c1 P. 1:101(100)')).map(({ us }) => us);
      expect(times.map(us => Math.floor(us / 1000))).toEqual([0, 200]);
      race.advanceTo(601);
      expect(race.count('> c1 P. 1:101(100)')).toBe(3);
      race.peer('c1').mute = false;
      race.end();
    },
  );

  explore(
    'a close whose FIN is not acknowledged comes back as FIN-WAIT-1 with the FIN counted (D22)',
    { ...ONE, orders: 8 },
    (_m, race) => {
      offloaded(race, 'c1');
      race.peer('c1').mute = true;
      race.event('close', () => race.send('c1', 700, true));
      race.event('upload', () => race.upload('c1'), 12);
      race.run();
      expect(race.field('c1', 'state')).toBe('FIN-WAIT-1');
      expect(race.field('c1', 'sndUna')).toBe(1);
      expect(race.field('c1', 'sndMax')).toBe(702);
      race.peer('c1').mute = false;
      race.end();
      expect(race.peer('c1').finReceived).toBe(true);
    },
  );

  explore('a tree in one call or in three, in any order: the same end (D20, D21)', TREE, (_machine, race) => {
    offloaded(race, 'c1', 'c2', 'c3');
    for (const name of ['c1', 'c2', 'c3']) race.send(name, 500);
    if (race.prng.chance(0.3)) race.event('upload all', () => race.upload('c1', 'c2', 'c3'));
    else for (const name of ['c1', 'c2', 'c3']) race.event(`upload ${name}`, () => race.upload(name), 14);
    race.run();
    expect(race.machine.fieldsOf('nic0')).toMatchObject({ tcp: 0, paths: 0, neighbors: 0, stale: 0 });
    race.end();
  });
});

describe('segments that the host forwards', () => {
  explore('forwards in the ring before the terminate are processed, once (D24)', ONE, (machine, race) => {
    machine.call(() => machine.hold('initiateOffload'));
    race.offload('c1');
    for (const bytes of [100, 1800]) race.event('peer sends', () => race.peerSends('c1', bytes), 4);
    race.run();
    // The terminate follows what was held into the ring.
    patch(adapterOf(machine).up, 'initiateOffloadComplete', next => root => {
      next(root);
      machine.upload(['c1']);
    });
    race.event('complete', () => machine.call(() => machine.release()));
    race.event('peer sends', () => race.peerSends('c1', 900));
    race.run();
    expect(race.count(COMPLETE)).toBe(1);
    expect(race.count('> nic0 forward segment')).toBeGreaterThan(0);
    race.end();
  });

  explore(
    'forwards that come after the terminate go back: the host processes them itself (D25)',
    UNCHECKED,
    (machine, race) => {
      machine.call(() => machine.hold('initiateOffload'));
      race.offload('c1');
      race.event('peer sends', () => race.peerSends('c1', 1800), 4);
      race.run();
      machine.call(() => machine.release());
      // Somebody between host and device keeps the forwards, and the terminate overtakes them.
      machine.call(() => machine.hold('tcpOffloadForward'));
      race.settle();
      const before = Number(race.field('nic0', 'stale'));
      race.upload('c1');
      race.event('forward', () => machine.call(() => machine.release()), 16);
      race.event('peer sends', () => race.peerSends('c1', 500), 16);
      race.run();
      // Those that came too late are counted, each one; the bytes arrived all the same.
      const late = race.order.indexOf('race forward') > race.order.indexOf(`blocks ${COMPLETE}`);
      const forwards = race.count('> nic0 forward segment');
      if (late) expect(Number(race.field('nic0', 'stale')) - before).toBe(forwards);
      race.end();
    },
  );
});

describe('all of it', () => {
  const many = Object.fromEntries(
    Array.from({ length: 12 }, (_, index) => [
      `c${index}`,
      `10.1.0.${1 + (index >> 1)}:${5000 + index} via 10.0.0.251`,
    ]),
  );
  const names = Object.keys(many);
  /** A device that fails over takes back everything, in lists of three. */
  const team = { peers: many, team: true, nics: [{ name: 'nic0' }, { name: 'nic1' }], blockList: 3 };

  explore(
    'UPLOAD_ALL: many terminates answer it, and RESUME comes after the last of them (D28)',
    team,
    (machine, race) => {
      for (let first = 0; first < names.length; first += 3) race.offload(...names.slice(first, first + 3));
      race.settle();
      for (const name of names) expect(race.field(name, 'offload')).toBe('Offloaded');
      for (const name of names.slice(0, 6)) race.event(`send ${name}`, () => race.send(name, 900));
      for (const name of names.slice(4)) race.event(`peer ${name}`, () => race.peerSends(name, 700));
      // Some go by themselves and leave others on their path behind, some just before it.
      for (const name of names.slice(8)) race.event(`upload ${name}`, () => race.upload(name), 16);
      race.event('fail over', () => machine.call(() => expect(machine.sim.host.team!.failOver('nic0')).toBe(true)));
      race.run();
      const texts = machine.events.map(({ text }) => text);
      const lists = texts.filter(text => text.startsWith('nic0 terminate complete'));
      expect(lists.length).toBeGreaterThanOrEqual(4);
      const resume = texts.findIndex(text => text.startsWith('offload-resume'));
      const last = texts.findLastIndex(text => text.startsWith('nic0 terminate complete'));
      expect(resume).toBeGreaterThan(last);
      expect(texts.filter(text => text.startsWith('upload-all'))).toHaveLength(1);
      expect(lists.join(' ').match(/T/g)).toHaveLength(names.length);
      expect(machine.sim.nics[0]!.tree).toEqual({ paths: 0, neighbors: 0, connections: 0 });
      expect(machine.sim.host.team!.failovers).toMatchObject([{ connectionsLost: 0 }]);
      race.end();
    },
  );
});
