/**
 * What is offloaded, on whole machines: the administrator's directives, requests of devices, evictions from a full device,
 * and a policy that changes while connections are there.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { patch } from '../../src/host/ndis.ts';
import { byPort } from '../../src/host/policy/by-port.ts';
import { holdingOn } from '../../src/host/policy/holding-on.ts';
import { mostActive } from '../../src/host/policy/most-active.ts';
import { REVIEW_US } from '../../src/host/policy/offload-policy.ts';
import { youngInBatches } from '../../src/host/policy/young-in-batches.ts';
import { NdisStatus } from '../../src/base/status.ts';
import { OffloadStateType } from '../../src/offload/block-list.ts';
import { TcpUploadReason } from '../../src/offload/events.ts';
import { LadderMachine, machineLadder } from '../support/machine-ladder.ts';

const ONE = { peers: { c1: '10.1.0.1:5001 via 10.0.0.251' }, quiet: true };
const TWO = { peers: { ...ONE.peers, c2: '10.1.0.2:5002 via 10.0.0.251' }, quiet: true };
/** Offloads whatever comes, at once. */
const AT_ONCE = youngInBatches(0);

describe('directives', () => {
  machineLadder(
    'what the administrator directs is offloaded whatever the policy; when the device ends it, he is told (¶62, ¶101, R24)',
    { ...ONE, policy: byPort([443], 0) },
    `
    0ms  admin      offload c1
    0ms  log        offload-directed machine offload, local *:80, remote 10.1.0.1/32:5001
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  app        c1 send 100
    1ms  nic0       > c1 P. 1:101(100) ack 1
    2ms  c1         < . 1:1(0) ack 101
    2ms  app        c1 sent 100
         // Sweeps pass: the policy would not keep it.
 3000ms  check      c1 offload=Offloaded
 3000ms  nic        nic0 asks c1 LowActivity
 3000ms  log        directed-offload-ended nic0 10.1.0.1:5001 at port 80: LowActivity
 3000ms  blocks     nic0 terminate N={P={T}}
 3000ms  blocks     nic0 terminate complete N={P={T}}
 3001ms  app        c1 send 100
 3001ms  host       > c1 P. 101:201(100) ack 1
 3002ms  c1         < . 1:1(0) ack 201
 3002ms  app        c1 sent 100
         // It stays in the host until it is directed anew.
 5000ms  check      c1 offload=InHost
 5000ms  admin      offload c1
 5000ms  log        offload-directed machine offload, local *:80, remote 10.1.0.1/32:5001
 5000ms  blocks     nic0 initiate N+{P+{T}}
 5000ms  blocks     nic0 initiate complete N+{P+{T}}
 5001ms  check      c1 offload=Offloaded
`,
  );

  machineLadder(
    'a policy that holds on to connections holds no directed one (R24)',
    { ...ONE, policy: holdingOn(byPort([443], 0), [TcpUploadReason.LowActivity]) },
    `
    0ms  admin      offload c1
    0ms  log        offload-directed machine offload, local *:80, remote 10.1.0.1/32:5001
    0ms  blocks     nic0 initiate N+{P+{T}}
    0ms  blocks     nic0 initiate complete N+{P+{T}}
    1ms  nic        nic0 asks c1 LowActivity
    1ms  log        directed-offload-ended nic0 10.1.0.1:5001 at port 80: LowActivity
    1ms  blocks     nic0 terminate N={P={T}}
    1ms  blocks     nic0 terminate complete N={P={T}}
`,
  );

  machineLadder(
    'what is to stay in the host comes back, and no policy sends it down again (¶62, R34)',
    { ...TWO, policy: AT_ONCE },
    `
    0ms  check      host offloaded=2
    0ms  admin      keep-in-host c1
    0ms  log        offload-directed machine keep in host, local *:80, remote 10.1.0.1/32:5001
    0ms  blocks     nic0 terminate N.{P={T}}
    0ms  blocks     nic0 terminate complete N.{P={T}}
    1ms  app        c1 send 100
    1ms  host       > c1 P. 1:101(100) ack 1
    2ms  c1         < . 1:1(0) ack 101
    2ms  app        c1 sent 100
    3ms  admin      policy everything
    3ms  log        offload-policy machine everything
 5000ms  check      c1 offload=InHost
 5000ms  check      c2 offload=Offloaded
`,
  );
});

describe('requests of devices', () => {
  machineLadder(
    'an optional reason that the policy ignores: the connection goes on working where it is (D03, R23)',
    { ...ONE, policy: holdingOn(AT_ONCE, [TcpUploadReason.LowActivity]), logsRetrieves: true },
    `
    1ms  nic        nic0 asks c1 LowActivity
    1ms  log        retrieve nic0 LowActivity ignored, 10.1.0.1:5001 at port 80, number 1
    2ms  app        c1 send 100
    2ms  nic0       > c1 P. 1:101(100) ack 1
    3ms  c1         < . 1:1(0) ack 101
    3ms  app        c1 sent 100
         // Said again on doubling only.
    4ms  nic        nic0 asks c1 LowActivity
    4ms  log        retrieve nic0 LowActivity ignored, 10.1.0.1:5001 at port 80, number 2
    5ms  nic        nic0 asks c1 LowActivity
    6ms  nic        nic0 asks c1 SmallIo
    6ms  log        retrieve nic0 SmallIo granted, 10.1.0.1:5001 at port 80, number 1
    6ms  blocks     nic0 terminate N={P={T}}
    6ms  blocks     nic0 terminate complete N={P={T}}
`,
  );

  machineLadder(
    'a mandatory reason is granted by every policy (R23, D30)',
    { ...ONE, policy: holdingOn(AT_ONCE, Object.values(TcpUploadReason)), logsRetrieves: true },
    `
    1ms  nic        nic0 asks c1 HighDropRate
    1ms  log        retrieve nic0 HighDropRate ignored, 10.1.0.1:5001 at port 80, number 1
    2ms  nic        nic0 asks c1 UploadRequested
    2ms  log        retrieve nic0 UploadRequested granted, 10.1.0.1:5001 at port 80, number 1
    2ms  blocks     nic0 terminate N={P={T}}
    2ms  blocks     nic0 terminate complete N={P={T}}
    3ms  check      c1 offload=InHost
`,
  );

  machineLadder(
    'what the device has stopped working on waits for no list to fill; what it would like to be rid of does (¶125, D30)',
    { ...TWO, policy: youngInBatches(50_000) },
    `
    1ms  nic        nic0 asks c1 LowActivity
   51ms  blocks     nic0 terminate N.{P={T}}
   51ms  blocks     nic0 terminate complete N.{P={T}}
   60ms  nic        nic0 asks c2 UploadRequested
   60ms  blocks     nic0 terminate N={P={T}}
   60ms  blocks     nic0 terminate complete N={P={T}}
`,
  );

  machineLadder(
    'asked before the initiate’s completion has arrived, it comes back right after it (D30, digest 3.3)',
    ONE,
    `
    0ms  im         hold initiateOffloadComplete
    0ms  tli        offload c1
    0ms  blocks     nic0 initiate N+{P+{T}}
    1ms  nic        nic0 asks c1 UploadRequested
    1ms  app        c1 send 100
    2ms  check      c1 offload=Offloading
    2ms  im         release
    2ms  blocks     nic0 initiate complete N+{P+{T}}
    2ms  blocks     nic0 terminate N={P={T}}
    2ms  blocks     nic0 terminate complete N={P={T}}
    2ms  host       > c1 P. 1:101(100) ack 1
    3ms  check      c1 offload=InHost
`,
  );

  test('asked a hundred times, it makes one terminate (D02)', () => {
    const machine = new LadderMachine({ ...ONE, policy: AT_ONCE, checker: false }, 1);
    machine.call(() => {
      for (let i = 0; i < 50; i++) machine.retrieve('c1', 'LowActivity');
      for (let i = 0; i < 50; i++) machine.retrieve('c1', 'UploadRequested');
    });
    machine.settle();
    machine.call(() => machine.retrieve('c1', 'UploadRequested'));
    machine.settle();
    const { chimney } = machine.host;
    expect(chimney.stats).toMatchObject({ terminateCalls: 1, connectionsTakenBack: 1 });
    expect(chimney.retrieves.granted[TcpUploadReason.LowActivity]).toBe(1);
    expect(chimney.retrieves.repeated).toBe(100);
  });

  /** c1 is offloaded and asked back for good; the terminate cannot go, there are no blocks. */
  function askedBack(): { machine: LadderMachine; goOn: () => void } {
    const machine = new LadderMachine({ ...ONE, policy: AT_ONCE, checker: false }, 1);
    const { blocks } = machine.host;
    const taken = Array.from({ length: blocks.available }, () => blocks.allocate(OffloadStateType.Tcp));
    machine.call(() => machine.retrieve('c1', 'UploadRequested'));
    machine.settle();
    expect(machine.fieldsOf('c1')).toMatchObject({ offload: 'Offloaded' });
    const goOn = (): void => {
      for (const address of taken) blocks.free(address);
      machine.settle();
      expect(machine.fieldsOf('c1')).toMatchObject({ offload: 'InHost' });
    };
    return { machine, goOn };
  }

  const onTheCable = (machine: LadderMachine): string[] =>
    machine.events.flatMap(({ actor, text }) =>
      /^(host|nic0)$/.test(actor) && text.startsWith('> c1') ? `${actor} ${text}` : [],
    );

  test('asked back for good, segments and calls wait until it is back, and go on in order (R15, R29, D30)', () => {
    const { machine, goOn } = askedBack();
    const c1 = machine.peer('c1');
    machine.inject(c1, 'P. 1:101(100) ack 1');
    machine.settle();
    // The device of this test goes on working; segments that reach it are its own business, none is forwarded.
    expect(machine.host.offload.segmentsForwarded).toBe(0);
    machine.events.length = 0;
    machine.call(() => {
      machine.application(c1, 'send', 100);
      machine.application(c1, 'send+close', 50);
    });
    machine.settle();
    expect(onTheCable(machine)).toEqual([]);
    goOn();
    expect(onTheCable(machine).map(text => text.replace(/ ack.*/, ''))).toEqual([
      // What the device had not acknowledged yet (D08).
      'nic0 > c1 . 1:1(0)',
      'host > c1 P. 1:101(100)',
      'host > c1 FP. 101:151(50)',
    ]);
  });

  test('a send that the stopped device gives back goes before those that waited since (D30, R15)', () => {
    const { machine, goOn } = askedBack();
    const c1 = machine.peer('c1');
    const { adapter } = machine.host.interfaces[0]!;
    const context = machine.host.transport.table.handleOf(c1.connection!.slot);
    const tcb = machine.host.transport.at(c1.connection!.slot);
    // As it is with the request of the device still on its way: two sends go down.
    const crossing: number[] = [];
    const undo = patch(adapter.down, 'tcpOffloadSend', () => (_handle, chain) => void crossing.push(chain));
    const { privateFlags } = tcb;
    tcb.privateFlags = 0;
    machine.call(() => {
      machine.application(c1, 'send', 10);
      machine.application(c1, 'send', 20);
      machine.host.transport.at(c1.connection!.slot).privateFlags = privateFlags;
      machine.application(c1, 'send', 40);
    });
    undo();
    expect(crossing).toHaveLength(2);
    machine.call(() => {
      for (const buffer of crossing) adapter.up.tcpOffloadSendComplete(context, buffer, NdisStatus.UploadInProgress);
      machine.application(c1, 'send', 80);
    });
    machine.events.length = 0;
    goOn();
    machine.advanceTo(1000);
    machine.inject(c1, '. 1:1(0) ack 11');
    machine.settle();
    // Each byte is checked where it appears (LadderMachine): the order is that of the sends.
    const { events } = machine;
    machine.inject(c1, '. 1:1(0) ack 151');
    machine.settle();
    expect(events.filter(({ actor }) => actor === 'app').map(({ text }) => text)).toEqual(
      [10, 20, 40, 80].map(count => `c1 sent ${count}`),
    );
  });

  test.each([
    ['close', 'F. 1:1(0)'],
    ['abort', 'R. 1:1(0)'],
  ])('a %s that the stopped device did not do is done by the host (D30)', (verb, segment) => {
    const { machine, goOn } = askedBack();
    const c1 = machine.peer('c1');
    const { adapter } = machine.host.interfaces[0]!;
    let crossing = 0;
    const undo = patch(adapter.down, 'tcpOffloadDisconnect', () => () => void crossing++);
    const tcb = machine.host.transport.at(c1.connection!.slot);
    const { privateFlags } = tcb;
    tcb.privateFlags = 0;
    machine.call(() => {
      machine.application(c1, verb, 0);
      machine.host.transport.at(c1.connection!.slot).privateFlags = privateFlags;
    });
    undo();
    expect(crossing).toBe(1);
    machine.events.length = 0;
    goOn();
    expect(onTheCable(machine)).toEqual([expect.stringContaining(`host > c1 ${segment}`)]);
  });
});

describe('a device that is full', () => {
  const SCARCE = { ...TWO, nics: [{ name: 'nic0', tcpEntries: 1 }], policy: mostActive(AT_ONCE, 50, 2_000_000) };

  machineLadder(
    'its least active connection makes room for a busier one, when it has been there long enough (R34, digest 6.4)',
    SCARCE,
    `
    0ms  check      c1 offload=Offloaded
    0ms  check      c2 offload=InHost
  100ms  app        c2 send 1000
  100ms  host       > c2 P. 1:1001(1000) ack 1
  101ms  c2         < . 1:1(0) ack 1001
  101ms  app        c2 sent 1000
  950ms  check      c1 offload=Offloaded
  1100ms  log        offload-evicted nic0 1 connections: 10.1.0.1:5001 at port 80 for 10.1.0.2:5002 at port 80
  1100ms  blocks     nic0 terminate N={P={T}}
  1100ms  blocks     nic0 terminate complete N={P={T}}
  1100ms  blocks     nic0 initiate N+{P+{T}}
  1100ms  blocks     nic0 initiate complete N+{P+{T}}
 1101ms  check      host evicted=1 offloaded=1
 1101ms  check      c2 offload=Offloaded
`,
  );

  machineLadder(
    'a directed connection takes a place at once, and is never evicted (¶62, R24)',
    SCARCE,
    `
 1100ms  check      c1 offload=Offloaded
 1100ms  admin      offload c2
 1100ms  log        offload-directed machine offload, local *:80, remote 10.1.0.2/32:5002
 1100ms  log        offload-evicted nic0 1 connections: 10.1.0.1:5001 at port 80 for 10.1.0.2:5002 at port 80
 1100ms  blocks     nic0 terminate N={P={T}}
 1100ms  blocks     nic0 terminate complete N={P={T}}
 1100ms  blocks     nic0 initiate N+{P+{T}}
 1100ms  blocks     nic0 initiate complete N+{P+{T}}
 1200ms  app        c1 send 1000
 1200ms  host       > c1 P. 1:1001(1000) ack 1
 1201ms  c1         < . 1:1(0) ack 1001
 1201ms  app        c1 sent 1000
 5000ms  check      c2 offload=Offloaded
 5000ms  check      host evicted=1
`,
  );

  const ROUNDS = 30;
  const PEERS = { a: '10.1.0.1:1', b: '10.1.0.2:2', c: '10.1.0.3:3', d: '10.1.0.4:4' };
  const viaRouter = Object.fromEntries(Object.entries(PEERS).map(([name, at]) => [name, `${at} via 10.0.0.251`]));

  /** Four connections, two places; every sweep finds these bytes of each. Returns when each of them moved. */
  function run(
    residenceUs: number,
    rates: readonly (readonly number[])[],
  ): { machine: LadderMachine; moves: number[][] } {
    const policy = mostActive(AT_ONCE, 50, residenceUs);
    const machine = new LadderMachine(
      { peers: viaRouter, quiet: true, nics: [{ name: 'nic0', tcpEntries: 2 }], policy },
      1,
    );
    const moves = machine.peers.map((): number[] => []);
    rates.forEach((bytes, round) => {
      machine.peers.forEach(({ connection }, index) => {
        connection!.bytesSent += bytes[index]!;
      });
      machine.advanceTo((round + 1) * REVIEW_US);
      machine.peers.forEach(({ connection }, index) => {
        const { movedUs } = connection!;
        if (movedUs >= 0 && movedUs !== moves[index]!.at(-1)) moves[index]!.push(movedUs);
      });
    });
    return { machine, moves };
  }

  test('whatever the traffic, nothing moves twice within the residence time (R34)', () => {
    const bytes = fc.array(fc.integer({ min: 0, max: 1e6 }), { minLength: 4, maxLength: 4 });
    const rates = fc.array(bytes, { minLength: ROUNDS, maxLength: ROUNDS });
    let evicted = 0;
    fc.assert(
      fc.property(rates, fc.integer({ min: REVIEW_US, max: 8 * REVIEW_US }), (given, residenceUs) => {
        const { machine, moves } = run(residenceUs, given);
        evicted += machine.host.chimney.stats.connectionsEvicted;
        for (const times of moves) {
          for (let i = 1; i < times.length; i++) expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(residenceUs);
        }
        expect(machine.host.chimney.offloaded).toBe(2);
      }),
      { numRuns: 25, seed: 7 },
    );
    expect(evicted).toBeGreaterThan(25);
  });

  test('connections of similar activity never change places (R34)', () => {
    const bytes = fc.array(fc.integer({ min: 1000, max: 1490 }), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(bytes, { minLength: ROUNDS, maxLength: ROUNDS }), given => {
        expect(run(REVIEW_US, given).machine.host.chimney.stats.connectionsEvicted).toBe(0);
      }),
      { numRuns: 15, seed: 7 },
    );
  });

  test('in the end the busiest are there, whoever came first (R34)', () => {
    const order = fc.shuffledSubarray([0, 1000, 10_000, 100_000], { minLength: 4 });
    fc.assert(
      fc.property(order, bytes => {
        const { machine } = run(
          2 * REVIEW_US,
          Array.from({ length: ROUNDS }, () => bytes),
        );
        const there = machine.peers
          .filter(({ connection }) => connection!.isOffloaded)
          .map(({ index }) => bytes[index]!);
        expect(there.toSorted((x, y) => x - y)).toEqual([10_000, 100_000]);
      }),
      { numRuns: 24, seed: 7 },
    );
  });
});

describe('a policy that changes', () => {
  machineLadder(
    'brings back what it does not keep, and what it wants again goes down again (R34, F21, digest 9)',
    { ...TWO, policy: AT_ONCE },
    `
    0ms  check      host offloaded=2
    1ms  admin      policy by-port:443
    1ms  log        offload-policy machine by-port:443
    1ms  blocks     nic0 terminate N={P={T} P={T}}
    1ms  blocks     nic0 terminate complete N={P={T} P={T}}
    2ms  app        c1 send 100
    2ms  host       > c1 P. 1:101(100) ack 1
    3ms  c1         < . 1:1(0) ack 101
    3ms  app        c1 sent 100
    4ms  admin      policy by-port:80
    4ms  log        offload-policy machine by-port:80
    4ms  blocks     nic0 initiate N+{P+{T} P+{T}}
    4ms  blocks     nic0 initiate complete N+{P+{T} P+{T}}
    5ms  check      host offloaded=2
    6ms  admin      policy nothing
    6ms  log        offload-policy machine nothing
    6ms  blocks     nic0 terminate N={P={T} P={T}}
    6ms  blocks     nic0 terminate complete N={P={T} P={T}}
    7ms  check      host offloaded=0 blocks=0
`,
  );

  machineLadder(
    'by traffic: a connection goes down once it has exchanged enough, with a peer that is near (R34, digest 6.2)',
    { ...ONE, policy: AT_ONCE },
    `
    1ms  admin      policy nothing
    1ms  log        offload-policy machine nothing
    1ms  blocks     nic0 terminate N={P={T}}
    1ms  blocks     nic0 terminate complete N={P={T}}
    2ms  admin      policy by-traffic:1500,20
    2ms  log        offload-policy machine by-traffic:1500,20
    3ms  app        c1 send 1000
    3ms  host       > c1 P. 1:1001(1000) ack 1
    4ms  c1         < . 1:1(0) ack 1001
    4ms  app        c1 sent 1000
 2000ms  check      c1 offload=InHost
 2050ms  c1         < P. 1:501(500) ack 1001
 2050ms  app        c1 received 500
 2090ms  host       > c1 . 1001:1001(0) ack 501
 2102ms  blocks     nic0 initiate N+{P+{T}}
 2102ms  blocks     nic0 initiate complete N+{P+{T}}
 2103ms  check      c1 offload=Offloaded
`,
  );

  machineLadder(
    'what is on its way down when it changes comes back as soon as it is there (R34, ¶62)',
    { ...ONE, policy: byPort([443], 0) },
    `
    0ms  im         hold initiateOffloadComplete
    0ms  admin      policy everything
    0ms  log        offload-policy machine everything
    0ms  blocks     nic0 initiate N+{P+{T}}
    1ms  admin      policy nothing
    1ms  log        offload-policy machine nothing
    2ms  check      c1 offload=Offloading
    3ms  im         release
    3ms  blocks     nic0 initiate complete N+{P+{T}}
    3ms  blocks     nic0 terminate N={P={T}}
    3ms  blocks     nic0 terminate complete N={P={T}}
 5000ms  check      host offloaded=0 blocks=0
`,
  );

  machineLadder(
    'what waits for its list when it changes is not sent down (R34, ¶125)',
    { ...ONE, policy: byPort([443], 50_000) },
    `
    1ms  admin      offload c1
    1ms  log        offload-directed machine offload, local *:80, remote 10.1.0.1/32:5001
    3ms  admin      keep-in-host c1
    3ms  log        offload-directed machine keep in host, local *:80, remote 10.1.0.1/32:5001
 5000ms  check      host offloaded=0 blocks=0
`,
  );

  machineLadder(
    'what is on its way up when it changes again goes down as soon as it is back (R34, digest 3.3)',
    { ...ONE, policy: AT_ONCE },
    `
    0ms  im         hold terminateOffloadComplete
    1ms  admin      policy nothing
    1ms  log        offload-policy machine nothing
    1ms  blocks     nic0 terminate N={P={T}}
    2ms  admin      policy everything
    2ms  log        offload-policy machine everything
    3ms  check      c1 offload=Uploading
    4ms  im         release
    4ms  blocks     nic0 terminate complete N={P={T}}
    4ms  blocks     nic0 initiate N+{P+{T}}
    4ms  blocks     nic0 initiate complete N+{P+{T}}
    5ms  check      c1 offload=Offloaded
`,
  );
});
