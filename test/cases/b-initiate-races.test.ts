/** An initiate in flight, and what happens meanwhile (digest §8 B), each race in hundreds of interleavings. */
import { describe, expect } from 'vitest';
import { NdisStatus } from '../../src/base/status.ts';
import { patch } from '../../src/host/ndis.ts';
import { Block, BLOCK_HEADER_BYTES } from '../../src/offload/block-list.ts';
import { type Tcb, TcbLayout, TcpState, TcpTimer } from '../../src/tcp/tcb.ts';
import { explore, type ExploreOptions, type Race } from '../support/explore.ts';
import type { LadderMachine } from '../support/machine-ladder.ts';

/** A station of the server's own network. */
const ONE = { peers: { c1: '10.0.0.16:5001' } };
/** Two connections share a path, a third has its own, all behind one router. */
const TREE = {
  peers: {
    c1: '10.1.0.1:5001 via 10.0.0.251',
    c2: '10.1.0.1:5002 via 10.0.0.251',
    c3: '10.1.0.2:5003 via 10.0.0.251',
  },
};
const TEAM = { ...TREE, team: true, nics: [{ name: 'nic0' }, { name: 'nic1' }] };
/** What follows from one order of a scenario that has no race in it is looked at a few times. */
const FEW: Partial<ExploreOptions> = { interleavings: 30, orders: 1 };

function adapterOf(machine: LadderMachine) {
  return machine.host.interfaces[0]!.adapter;
}

function tcbOf(machine: LadderMachine, name: string): Tcb {
  return machine.host.transport.at(machine.peer(name).connection!.slot);
}

/** Changes the state that the next initiate gives to the device, as a stranger host might. */
function patchState(machine: LadderMachine, change: (tcb: Tcb) => void): void {
  patch(adapterOf(machine).down, 'initiateOffload', next => root => {
    const block = Block.view(machine.sim.memory).at(root);
    const tcp = block.at(block.dependentBlockList).dependentBlockList;
    change(TcbLayout.view(machine.sim.memory).at(tcp + BLOCK_HEADER_BYTES));
    next(root);
  });
}

/** The request or its completion is kept on its way, and comes when it comes. */
function offloadSlowly(machine: LadderMachine, race: Race, ...names: string[]): void {
  const entry = race.prng.chance(0.5) ? 'initiateOffload' : 'initiateOffloadComplete';
  machine.call(() => machine.hold(entry));
  race.event('offload', () => race.offload(...names));
  race.event('complete', () => machine.call(() => machine.release()), 24);
}

/** The segments were written out: the peer knows that it sent so many bytes. */
function hasSent(race: Race, name: string, count: number): void {
  race.peer(name).sndEnd = 1 + count;
  race.peer(name).sndNxt = 1 + count;
}

describe('segments', () => {
  explore('that come before the state is loaded are held and forwarded: each byte once (B01)', ONE, (machine, race) => {
    machine.call(() => machine.hold('initiateOffload'));
    race.offload('c1');
    for (const bytes of [300, 2000, 700]) race.event('peer sends', () => race.peerSends('c1', bytes));
    race.event('complete', () => machine.call(() => machine.release()), 20);
    race.run();
    expect(race.field('c1', 'offload')).toBe('Offloaded');
    race.end();
  });

  explore(
    'that the device has before its completion is through are shown in order with older ones (B02, B03)',
    ONE,
    (machine, race) => {
      offloadSlowly(machine, race, 'c1');
      for (const bytes of [300, 2000, 700, 1]) race.event('peer sends', () => race.peerSends('c1', bytes), 20);
      race.run();
      race.settle();
      race.end();
    },
  );

  explore(
    'of which the older is forwarded after the newer came directly: no gap, nothing twice (B03)',
    ONE,
    (machine, race) => {
      machine.call(() => machine.hold('initiateOffload'));
      race.offload('c1');
      const c1 = race.peer('c1');
      c1.mute = true;
      race.settle();
      hasSent(race, 'c1', 1200);
      machine.inject(c1.peer, 'P. 1:501(500) ack 1');
      machine.settle();
      machine.call(() => machine.release());
      machine.call(() => machine.hold('tcpOffloadForward'));
      race.event('newer', () => machine.inject(c1.peer, 'P. 501:1001(500) ack 1'));
      race.event('newest', () => machine.inject(c1.peer, 'P. 1001:1201(200) ack 1'));
      race.event('forward', () => machine.call(() => machine.release()), 16);
      race.run();
      expect(c1.peer.received).toBe(1200);
      c1.mute = false;
      c1.sndEnd = 1201;
      c1.sndNxt = 1201;
      race.end();
    },
  );

  explore(
    'that are held and sent again by the peer: acknowledged once more, and that is all (B04)',
    ONE,
    (machine, race) => {
      machine.call(() => machine.hold('initiateOffload'));
      race.offload('c1');
      const c1 = race.peer('c1');
      c1.mute = true;
      const text = 'P. 1:801(800) ack 1';
      hasSent(race, 'c1', 800);
      for (let i = 0; i < 3; i++) race.event('segment', () => machine.inject(c1.peer, text), 12);
      race.event('complete', () => machine.call(() => machine.release()), 12);
      race.run();
      race.advance(100);
      expect(c1.peer.received).toBe(800);
      expect(race.count('c1 received')).toBe(1);
      c1.mute = false;
      c1.sndEnd = 801;
      c1.sndNxt = 801;
      race.end();
    },
  );
});

describe('changes below', () => {
  explore(
    'a MAC address that changes: from the update on nothing goes to the old one (B05, C01)',
    TREE,
    (machine, race) => {
      offloadSlowly(machine, race, 'c1', 'c2', 'c3');
      race.event('router moves', () => machine.call(() => machine.port.move(machine.peer('c1').hop)), 16);
      for (const name of ['c1', 'c2', 'c3']) race.event(`send ${name}`, () => race.send(name, 400), 16);
      race.run();
      const mark = machine.events.length;
      for (const name of ['c1', 'c2', 'c3']) race.send(name, 400);
      race.settle();
      const frames = machine.events.slice(mark).filter(({ text }) => /^> c\d .*P/.test(text));
      expect(frames.length).toBeGreaterThanOrEqual(3);
      for (const { text } of frames) expect(text).toContain('(new MAC)');
      race.end();
    },
  );
});

describe('calls of the application', () => {
  explore('a close in flight waits, and the connection ends once (B07)', ONE, (machine, race) => {
    offloadSlowly(machine, race, 'c1');
    race.event('send', () => race.send('c1', 3000), 12);
    race.event('close', () => race.call('c1', 'close'), 20);
    race.event('peer closes', () => race.peerCloses('c1'), 20);
    race.run();
    race.end();
    expect(race.peer('c1').finReceived).toBe(true);
  });

  explore('an abort in flight waits: one RST, one end (B07)', ONE, (machine, race) => {
    offloadSlowly(machine, race, 'c1');
    race.event('send', () => race.send('c1', 1000), 12);
    race.event('abort', () => race.call('c1', 'abort'), 20);
    race.event('peer sends', () => race.peerSends('c1', 500), 20);
    race.run();
    race.end();
    expect(race.count('c1 closed')).toBe(1);
    expect(race.count('c1 closed Aborted')).toBe(1);
  });

  explore('writes in flight are sent in their order, wherever the state is then (B08)', ONE, (machine, race) => {
    offloadSlowly(machine, race, 'c1');
    const sizes = [700, 1, 1460, 333, 2000];
    let next = 0;
    for (let i = 0; i < sizes.length; i++) race.event('send', () => race.send('c1', sizes[next++]!), 20);
    race.run();
    race.delivered();
    const sent = machine.events.filter(({ text }) => text.startsWith('c1 sent ')).map(({ text }) => text.slice(8));
    expect(sent).toEqual(sizes.map(String));
    race.end();
  });
});

describe('ends', () => {
  explore('RST in flight: the connection ends once and nothing hangs half offloaded (B09)', ONE, (machine, race) => {
    offloadSlowly(machine, race, 'c1');
    race.event('send', () => race.send('c1', 1000), 12);
    race.event('peer sends', () => race.peerSends('c1', 600), 12);
    race.event('RST', () => race.peerResets('c1'), 20);
    race.run();
    race.until('it ends', () => race.count('c1 closed') === 1);
    race.end();
    expect(race.field('nic0', 'tcp')).toBe(0);
  });

  explore('PAUSE with initiates in flight: each is answered, none is lost (B10)', TREE, (machine, race) => {
    const status = (code: NdisStatus) => (): void => machine.call(() => adapterOf(machine).up.indicateStatus(code));
    const names = ['c1', 'c2', 'c3'] as const;
    for (const name of names) offloadSlowly(machine, race, name);
    race.event('pause', status(NdisStatus.OffloadPause), 16);
    for (const name of names) race.event(`send ${name}`, () => race.send(name, 900), 24);
    const uploadsAll = race.prng.chance(0.5);
    if (uploadsAll) race.event('upload all', status(NdisStatus.UploadAll), 30);
    race.run();
    machine.call(() => machine.release());
    race.settle();
    machine.call(() => machine.release());
    race.settle();
    expect(race.field('host', 'pending')).toBe(0);
    for (const name of names) {
      const state = race.field(name, 'offload');
      expect(['InHost', 'Offloaded']).toContain(state);
      if (uploadsAll) expect(state).toBe('InHost');
    }
    status(NdisStatus.OffloadResume)();
    race.offload(...names);
    race.settle();
    for (const name of names) expect(race.field(name, 'offload')).toBe('Offloaded');
    race.end();
  });

  explore(
    'the device dies with an initiate pending: the host goes on from its own copy (B11)',
    TEAM,
    (machine, race) => {
      const names = ['c1', 'c2', 'c3'] as const;
      // What the device has taken by then dies with it; it may also have taken nothing.
      race.event('offload', () => race.offload(...names), 2);
      race.event(
        'stall',
        () => {
          machine.sim.nics[0]!.stall();
          race.checksInvariants = false;
        },
        8,
      );
      for (const name of names) race.event(`send ${name}`, () => race.send(name, 500), 10);
      race.run();
      race.until('the heartbeat is missed', () => machine.sim.host.team!.failovers.length === 1);
      for (const name of names) {
        if (race.count(`${name} closed Reset`) > 0) race.mayBreak(name);
        else expect(race.field(name, 'offload')).toBe('InHost');
      }
      race.delivered();
      expect(race.field('host', 'pending')).toBe(0);
      expect(race.field('host', 'blocks')).toBe(0);
    },
  );
});

describe('states that are offloaded', () => {
  explore('CLOSE-WAIT: the FIN is told of once, after the bytes before it (B14)', ONE, (machine, race) => {
    offloadSlowly(machine, race, 'c1');
    race.event('peer sends and closes', () => {
      race.peerSends('c1', 1500);
      race.peer('c1').closes = true;
    });
    race.event('send', () => race.send('c1', 800), 20);
    race.run();
    race.until('the end is told of', () => race.count('c1 ended') === 1);
    expect(race.peer('c1').peer.received).toBe(1500);
    race.end();
  });

  explore('FIN-WAIT-1: the FIN is sent again though no byte stands for it (B15)', ONE, (machine, race) => {
    const c1 = race.peer('c1');
    c1.mute = true;
    race.send('c1', 300, true);
    race.settle();
    hasSent(race, 'c1', 100);
    // All but the FIN.
    machine.inject(c1.peer, '. 1:1(0) ack 301');
    race.event('offload', () => race.offload('c1'));
    race.event('peer sends', () => machine.inject(c1.peer, 'P. 1:101(100) ack 301'));
    race.run();
    race.advanceTo(300);
    expect(race.count('> c1 F. 301:301(0)')).toBeGreaterThanOrEqual(1);
    c1.mute = false;
    c1.rcvNxt = 301;
    race.peerCloses('c1');
    race.end();
    expect(c1.finReceived).toBe(true);
  });

  explore(
    'FIN-WAIT-2 with nothing left of its time ends at once; with -1 it never does (B16)',
    { ...ONE, ...FEW },
    (machine, race) => {
      const expires = race.prng.chance(0.5);
      race.call('c1', 'close');
      race.settle();
      expect(race.field('c1', 'state')).toBe('FIN-WAIT-2');
      patchState(machine, tcb => {
        expect(tcb.state).toBe(TcpState.FinWait2);
        expect(tcb.rtxKind).toBe(TcpTimer.FinWait2);
        expect(tcb.rtxTimeoutDelta).toBe(60_000);
        tcb.rtxTimeoutDelta = expires ? 0 : -1;
      });
      race.offload('c1');
      race.settle();
      race.advance(2);
      expect(race.count('c1 closed Normal')).toBe(expires ? 1 : 0);
      race.advance(300_000, 10_000);
      expect(race.count('c1 closed Normal')).toBe(expires ? 1 : 0);
      expect(race.field('nic0', 'tcp')).toBe(expires ? 0 : 1);
      if (!expires) race.end();
    },
  );

  explore(
    'a time-out before the offload: the device knows what is lost, and F-RTO goes on where it was (B17, RFC 5682)',
    { ...ONE, orders: 3 },
    (machine, race) => {
      const c1 = race.peer('c1');
      c1.mute = true;
      race.send('c1', 3 * 1460);
      race.settle();
      // A time-out: all three are lost as far as the host knows, and one has been sent again. SND.NXT stays where it was.
      race.advanceTo(1200);
      expect(race.field('c1', 'sndNxt')).toBe(4381);
      expect(race.field('c1', 'sndMax')).toBe(4381);
      expect(tcbOf(machine, 'c1').lostBytes).toBe(3 * 1460);
      expect(tcbOf(machine, 'c1').retransBytes).toBe(1460);
      race.send('c1', 500);
      race.event('offload', () => race.offload('c1'));
      race.run();
      const mark = machine.events.length;
      race.event('ACK', () => machine.inject(c1.peer, '. 1:1(0) ack 1461'));
      race.run();
      const sent = machine.events.slice(mark).filter(({ text }) => /^> c1 .*\(\d{3,4}\)/.test(text));
      // Step 2b: new data. Its duplicate ACK says that the loss was real (step 3a), and what is lost goes out.
      expect(sent.map(({ text }) => /(\d+):/.exec(text)![1])).toEqual(['4381']);
      race.event('duplicate ACK', () => machine.inject(c1.peer, '. 1:1(0) ack 1461'));
      race.run();
      const all = machine.events.slice(mark).filter(({ text }) => /^> c1 .*\(\d{3,4}\)/.test(text));
      expect(all.map(({ text }) => /(\d+):/.exec(text)![1])).toEqual(['4381', '1461', '2921']);
      expect(all.every(({ actor }) => actor === 'nic0')).toBe(true);
      c1.mute = false;
      race.end();
    },
  );
});

describe('values at their edges', () => {
  explore('sequence numbers pass 2^32 in both directions, whoever has the connection (B18)', ONE, (machine, race) => {
    // The connection began 50 bytes below; the peer's did 20 below (LadderPeer).
    const { peer } = race.peer('c1');
    const tcb = tcbOf(machine, 'c1');
    const shift = (-50 - tcb.iss) | 0;
    for (const field of [
      'iss',
      'sndUna',
      'sndNxt',
      'sndMax',
      'sndWl2',
      'recover',
      'curSeq',
      'rackEndSeq',
      'cwndUsageSeq',
      'hyStartEnd',
    ] as const) {
      tcb[field] = (tcb[field] + shift) | 0;
    }
    peer.irs = -50;
    for (const bytes of [30, 30, 30]) {
      race.event('send', () => race.send('c1', bytes), 12);
      race.event('peer sends', () => race.peerSends('c1', bytes), 12);
    }
    race.event('offload', () => race.offload('c1'), 6);
    race.event('upload', () => race.upload('c1'), 12);
    race.event('offload', () => race.offload('c1'), 18);
    race.run();
    race.delivered();
    expect(peer.received).toBe(90);
    expect(race.peer('c1').rcvNxt).toBe(91);
    race.end();
  });

  explore('two duplicate ACKs to the host, the third to the device: fast retransmit (B19)', ONE, (machine, race) => {
    const c1 = race.peer('c1');
    race.send('c1', 1460);
    race.until('something was acknowledged', () => c1.rcvNxt === 1461);
    c1.mute = true;
    race.send('c1', 4 * 1460);
    race.settle();
    const duplicate = (): void => machine.inject(c1.peer, '. 1:1(0) ack 1461');
    duplicate();
    machine.settle();
    duplicate();
    machine.settle();
    expect(tcbOf(machine, 'c1').dupAckCount).toBe(2);
    const mark = machine.events.length;
    race.event('offload', () => race.offload('c1'));
    race.event('third', duplicate, 14);
    race.run();
    const again = machine.events.slice(mark).filter(({ text }) => text.startsWith('> c1 . 1461:2921'));
    expect(again).toHaveLength(1);
    c1.mute = false;
    race.end();
  });

  explore(
    'CWnd 0xFFFFFFFF and SRtt 0: the device sends what the window allows, with the first RTO (B20)',
    { ...ONE, ...FEW },
    (machine, race) => {
      patchState(machine, tcb => {
        tcb.cwnd = 0xffffffff | 0;
        tcb.ssthresh = 0xffffffff | 0;
        tcb.srtt = 0;
        tcb.rttvar = 0;
      });
      race.offload('c1');
      race.settle();
      const c1 = race.peer('c1');
      c1.mute = true;
      race.send('c1', 30_000);
      race.settle();
      const first = machine.events.filter(({ text }) => /^> c1 .*\(1460\)/.test(text));
      expect(first.length).toBe(20);
      const mark = machine.events.length;
      race.advanceTo(999);
      expect(machine.events).toHaveLength(mark);
      race.advanceTo(1001);
      expect(machine.events.slice(mark).map(({ text }) => text.slice(0, 12))).toEqual(['> c1 . 1:146']);
      c1.mute = false;
      race.end();
    },
  );
});
