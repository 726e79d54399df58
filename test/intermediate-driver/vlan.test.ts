/** VLANs through the whole machine (R42, ¶116, F15): both at once, and neither sees the other. */
import { describe, expect, test } from 'vitest';
import type { FrameTap } from '../../src/fabric/capture.ts';
import type { Port } from '../../src/fabric/port.ts';
import { everything } from '../../src/host/policy/everything.ts';
import { NOTHING } from '../../src/host/policy/nothing.ts';
import type { OffloadPolicy } from '../../src/host/policy/offload-policy.ts';
import { planMachine } from '../../src/machine-plan.ts';
import { documentOf } from '../../src/scenario/documents.ts';
import { FileServer, repliesBytes } from '../../src/scenario/file-server.ts';
import { SERVER_PORT, stormNetwork } from '../../src/scenario/network.ts';
import { Simulation } from '../../src/simulation.ts';
import { BROADCAST_MAC_HI, BROADCAST_MAC_LO, ETHERNET, EtherType, emitEthernet } from '../../src/wire/ethernet.ts';
import { Ipv4Header, Ipv4Parse, IpProtocol, parseIpv4 } from '../../src/wire/ipv4.ts';
import { emitTag, VLAN, vidOf } from '../../src/wire/vlan.ts';

const VIDS = [10, 20];
const DOCUMENTS = [100, 1500, 9000].map((length, index) =>
  documentOf(`/${index}`, new Uint8Array(length).fill(index + 1)),
);

/** The second octet of every address is the VLAN's index times 16, plus the router's number (scenario/network.ts). */
function vidOfAddress(address: number): number {
  return VIDS[((address >>> 16) & 0xff) >> 4]!;
}

interface Seen {
  fromHost: number;
  fromNic: number;
  toNic: number;
  arp: number;
  wrong: string[];
}

/** Looks at every frame on the cables: tagged, with the VID of the network that its addresses belong to. */
class TagTap implements FrameTap {
  readonly seen: Seen = { fromHost: 0, fromNic: 0, toNic: 0, arp: 0, wrong: [] };
  readonly #view: DataView;

  constructor(view: DataView) {
    this.#view = view;
  }

  frame(_interfaceId: number, _nowUs: number, frameAt: number, length: number, outbound: boolean): void {
    const { seen } = this;
    const vid = vidOf(this.#view, frameAt, frameAt + length);
    if (!VIDS.includes(vid)) {
      seen.wrong.push(`${outbound ? 'sent' : 'received'} with VID ${vid}`);
      return;
    }
    const ip = new Ipv4Header();
    const ipAt = frameAt + ETHERNET.headerLength + VLAN.tagLength;
    if (this.#view.getUint16(ipAt - 2) === EtherType.Arp) {
      seen.arp++;
      if (vidOfAddress(this.#view.getInt32(ipAt + 14)) !== vid) seen.wrong.push(`ARP on VLAN ${vid}`);
      return;
    }
    if (parseIpv4(this.#view, ipAt, frameAt + length, ip) !== Ipv4Parse.Ok || ip.protocol !== IpProtocol.Tcp) {
      seen.wrong.push('not TCP');
      return;
    }
    if (vidOfAddress(ip.source) !== vid || vidOfAddress(ip.destination) !== vid) {
      seen.wrong.push(`${ip.source >>> 0} to ${ip.destination >>> 0} on VLAN ${vid}`);
    }
    if (!outbound) seen.toNic++;
    else if (ip.identification >= 0x8000) seen.fromNic++;
    else seen.fromHost++;
  }
}

/** An access port of a VLAN that listens in promiscuous mode: all that the switch ever sends there. */
class Listener implements Port {
  readonly name: string;
  readonly #view: DataView;
  readonly #vid: number;
  frames = 0;
  foreign = 0;

  constructor(view: DataView, vid: number) {
    this.name = `listener on VLAN ${vid}`;
    this.#view = view;
    this.#vid = vid;
  }

  deliver(frameAt: number, length: number): boolean {
    this.frames++;
    const body = frameAt + ETHERNET.headerLength;
    const isArp = this.#view.getUint16(body - 2) === EtherType.Arp;
    const address = this.#view.getInt32(body + (isArp ? 14 : 12));
    if (vidOf(this.#view, frameAt, frameAt + length) >= 0 || vidOfAddress(address) !== this.#vid) this.foreign++;
    return true;
  }
}

function machine(policy: OffloadPolicy, team = false, connections = 200) {
  const network = stormNetwork({
    vids: VIDS,
    connections,
    concurrency: 60,
    catalog: DOCUMENTS.map(({ path, bytes, sha256 }) => ({ path, size: bytes.length, sha256 })),
    seed: 3,
    timeWaitTicks: 500,
    stations: 64,
  });
  const nics = [{ name: 'nic0' }, ...(team ? [{ name: 'nic1' }] : [])];
  const applicationBytes = repliesBytes(DOCUMENTS);
  const plan = planMachine({
    hosts: [{ name: 'server', nics, connections: 512, applicationBytes }],
    populations: network.populations,
    small: true,
  });
  const { interfaces, routes } = network;
  const sim = new Simulation({ plan, wiring: [{ interfaces, routes, team, policy }], seed: 11 });
  const tap = new TagTap(sim.memory.view);
  sim.fabric.addTap(tap);
  const listeners = VIDS.map(vid => {
    const listener = new Listener(sim.memory.view, vid);
    sim.fabric.switch.attach(listener, { mode: 'access', vid });
    return listener;
  });
  const server = new FileServer(sim.memory, sim.layout.hosts[0]!.regions.application, DOCUMENTS);
  sim.host.host.tli.listen(SERVER_PORT, server);
  return { sim, tap, listeners };
}

function serves(sim: Simulation): void {
  expect(sim.run(() => sim.fabric.loads.every(load => load.report().finished), 60e6)).toBe(true);
  for (const report of sim.fabric.loadReports()) {
    expect(report).toMatchObject({ completed: 100, failed: 0, bytesWrong: 0, bytesLost: 0 });
  }
}

describe('two VLANs on one adapter', () => {
  for (const [path, policy] of [
    ['host path', NOTHING],
    ['chimney', everything(2000)],
  ] as const) {
    test(`are served at once on the ${path}; every frame carries the tag of its own network (R42)`, () => {
      const { sim, tap, listeners } = machine(policy);
      serves(sim);
      expect(tap.seen.wrong).toEqual([]);
      expect(tap.seen.toNic).toBeGreaterThan(500);
      expect(tap.seen.arp).toBeGreaterThan(0);
      if (policy === NOTHING) expect(tap.seen.fromNic).toBe(0);
      else expect(tap.seen.fromNic).toBeGreaterThan(500);
      for (const listener of listeners) {
        expect(listener.frames).toBeGreaterThan(0);
        expect(listener.foreign).toBe(0);
      }
      expect(sim.fabric.switch.foreignVlan).toBe(0);
    });
  }

  test('offloaded connections are tagged and filtered by the device with the neighbor’s VlanId (¶116, E21)', () => {
    const { sim, tap } = machine(everything(2000));
    const vlans = new Set<number>();
    sim.onRound = () => {
      const { table, tcb } = sim.nics[0]!.firmware;
      for (let slot = 0; slot < table.capacity; slot++) {
        if (!table.isLive(slot)) continue;
        tcb.at(table.addressOf(slot));
        vlans.add(tcb.vid);
        expect(vidOfAddress(tcb.remoteAddress)).toBe(tcb.vid);
      }
    };
    serves(sim);
    expect([...vlans].sort()).toEqual(VIDS);
    expect(tap.seen.fromNic).toBeGreaterThan(tap.seen.fromHost);
  });

  test('survive a failover of the team below them (R36, R38, R42)', () => {
    const { sim, tap, listeners } = machine(everything(2000), true);
    sim.onRound = () => {
      const done = sim.fabric.loadReports().reduce((sum, report) => sum + report.completed, 0);
      if (done > 80 && sim.fabric.cable('nic0')!.up) sim.fabric.cable('nic0')!.pull();
    };
    serves(sim);
    expect(sim.host.team!.failovers).toHaveLength(1);
    expect(tap.seen.wrong).toEqual([]);
    expect(listeners.map(listener => listener.foreign)).toEqual([0, 0]);
  });

  test('frames without a tag or with a VID that nobody has are dropped and counted', () => {
    const { sim } = machine(NOTHING, false, 2);
    sim.runFor(5_000_000);
    const vlans = sim.host.vlans!;
    const received = sim.host.host.framing.framesReceived;
    const { view } = sim.memory;
    const at = sim.layout.hosts[0]!.regions.application.offset;
    const cable = sim.fabric.cable('nic0')!;
    for (const vid of [0, 30]) {
      emitEthernet(view, at, BROADCAST_MAC_HI, BROADCAST_MAC_LO, 0x0250, 7, EtherType.Arp);
      if (vid !== 0) emitTag(view, at + ETHERNET.etherType, EtherType.CustomerVlan, vid);
      expect(cable.deliver(at, 64)).toBe(true);
    }
    cable.flush();
    sim.runFor(1000);
    expect([vlans.untagged, vlans.foreignVid]).toEqual([1, 1]);
    expect(sim.host.host.framing.framesReceived).toBe(received);
    expect(sim.nics[0]!.firmware.pool.inUse).toBe(0);
  });
});

describe('the same pair of addresses on two VLANs (F15)', () => {
  test('is two connections, two paths, two neighbors, host path and offloaded alike', () => {
    const plan = planMachine({ hosts: [{ name: 'server', nics: [{ name: 'nic0' }], connections: 64 }], small: true });
    const address = 0x0a000001;
    const interfaces = VIDS.map(vid => ({ address, prefixLength: 24, vid }));
    const sim = new Simulation({ plan, wiring: [{ interfaces, routes: [], team: false, policy: NOTHING }], seed: 1 });
    const { host } = sim.host;
    const [first, second] = host.interfaces as [(typeof host.interfaces)[0], (typeof host.interfaces)[0]];
    const peer = 0x0a000010;
    const paths = [host.network.acquire(peer, first)!, host.network.acquire(peer, second)!];
    expect(paths[0]).not.toBe(paths[1]);
    expect(paths[0]!.neighbor).not.toBe(paths[1]!.neighbor);
    const { table } = host.transport;
    const slots = [first, second].map((iface, index) => {
      const slot = table.allocate();
      const tcb = host.transport.at(slot);
      Object.assign(tcb, { localAddress: address, remoteAddress: peer, localPort: 80, remotePort: 5000 });
      tcb.vid = iface.index;
      tcb.path = paths[index]!.index;
      table.insert(slot);
      return slot;
    });
    expect([0, 1].map(index => table.lookup(peer, 5000, address, 80, index))).toEqual(slots);
    const device = sim.nics[0]!.firmware.table;
    const offloaded = VIDS.map(vid => {
      const slot = device.allocate();
      const tcb = device.cursor().at(device.addressOf(slot));
      Object.assign(tcb, { localAddress: address, remoteAddress: peer, localPort: 80, remotePort: 5000, vid });
      device.insert(slot);
      return slot;
    });
    expect(VIDS.map(vid => device.lookup(peer, 5000, address, 80, vid))).toEqual(offloaded);
    expect(device.lookup(peer, 5000, address, 80, 0)).toBe(-1);
  });
});
