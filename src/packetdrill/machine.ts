/**
 * The machine that a script plays against: one host with one NIC, everything real down to the cable, in virtual time. What a
 * tun device is to packetdrill, the switch port at the other end of the cable is here.
 */
import type { HostWiring } from '../assemble-host.ts';
import { assert } from '../base/assert.ts';
import type { Host } from '../host/host.ts';
import type { OffloadPolicy } from '../host/policy/offload-policy.ts';
import type { MachinePlan } from '../machine-layout.ts';
import { planMachine } from '../machine-plan.ts';
import { createMemory, type Memory } from '../memory/memory.ts';
import { Simulation } from '../simulation.ts';
import type { Ipv6Ends } from './ipv6-ends.ts';
import { addRemoteRoute, applyRoute } from './script-routes.ts';
import type { Settings } from './settings.ts';
import { sentByte, STREAM_PERIOD } from './stream-bytes.ts';
import { scratchBytes, WirePort } from './wire-port.ts';

const CONNECTIONS = 64;
/** A call of the socket layer sends at most so many bytes at once. */
const STREAM_BYTES = 1 << 18;
/** The first steps of a host — announcing its address, say — are over by then. */
const START_US = 10_000_000;
const RECEIVE_BUFFERS = 192;

let shared: Memory | undefined;

export class DrillMachine {
  readonly sim: Simulation;
  readonly port: WirePort;
  /** As the host's calls have it. */
  readonly remoteAddress: number;
  readonly #stream: number;
  #wants = false;

  /** `receiveMtu`: the largest datagram that the script sends to the host. */
  constructor(settings: Settings, receiveMtu: number) {
    const largest = Math.max(receiveMtu, settings.mtu);
    const plan = planFor(settings, largest);
    const { ends } = settings;
    const isIpv4 = ends.version === 4;
    const address = isIpv4 ? ends.local : 0;
    const interfaces = [{ address, prefixLength: isIpv4 ? ends.prefixLength : 0, vid: 0 }];
    const routes = isIpv4 ? [{ prefix: 0, prefixLength: 0, gateway: ends.gateway, iface: 0 }] : [];
    // Nothing is offloaded but what the path under test says, and that at once.
    const policy: OffloadPolicy = { name: 'script', batchUs: 0, holdsData: false, wants: () => this.#wants };
    const wiring: HostWiring[] = [{ interfaces, routes, team: false, policy }];
    shared ??= createMemory(32 << 20);
    this.sim = new Simulation({ plan, wiring, seed: 1, memory: shared });
    const { memory, layout, clock } = this.sim;
    shared = memory;
    const region = layout.hosts[0]!.regions.application.offset;
    this.#stream = region + scratchBytes(largest);
    layStream(memory.u8, this.#stream);
    const { macHi, macLo } = plan.hosts[0]!.nics[0]!;
    this.port = new WirePort(memory, clock, region, address, { hi: macHi, lo: macLo | 0 });
    this.port.uplink = this.sim.fabric.switch.attach(this.port, { mode: 'access' });
    this.remoteAddress = ends.version === 4 ? ends.remote : speakIpv6(this.host, ends);
    addRemoteRoute(this.host, settings);
    this.applyRoutes(settings);
    this.sim.run(() => false, START_US);
    this.port.sent.length = 0;
  }

  get host(): Host {
    return this.sim.host.host;
  }

  /** Since the script began. */
  get nowUs(): number {
    return this.sim.clock.nowUs() - START_US;
  }

  static scriptTime(us: number): number {
    return us - START_US;
  }

  /** Lets the machine work until `done`, at most until that time; false when the time came first. */
  run(done: () => boolean, untilUs: number): boolean {
    if (done()) return true;
    return this.sim.run(done, START_US + untilUs) || done();
  }

  advanceTo(us: number): void {
    if (us > this.nowUs) this.sim.run(() => false, START_US + us);
    // Nothing may be left to happen; the time passes all the same.
    this.sim.clock.advanceTo(START_US + us);
  }

  /** Everything that happens without time passing. */
  settle(): void {
    this.sim.run(() => false, this.sim.clock.nowUs());
  }

  /** A call from outside of a step: at the right time, and published. */
  call<T>(work: () => T): T {
    this.host.setTime(this.sim.clock.nowUs());
    const result = work();
    for (const miniport of this.host.miniports) miniport.flush();
    for (const cable of this.sim.fabric.cables) cable.flush();
    return result;
  }

  /** Where `length` bytes of the application's stream lie from `offset` on. */
  streamAt(offset: number, length: number): number {
    assert(length <= STREAM_BYTES, 'a send is no longer than the stream that is kept');
    return this.#stream + (offset % STREAM_PERIOD);
  }

  static readonly sendMax = STREAM_BYTES;

  /** Settings that a script changes under way: for host and device alike, as they read them at each use. */
  retune(tcp: Settings['tcp']): void {
    Object.assign(this.host.transport.params, tcp);
    for (const { firmware } of this.sim.nics) Object.assign(firmware.params, tcp);
  }

  /** What commands have said of routes. */
  applyRoutes(settings: Settings): void {
    for (const command of settings.routes.splice(0)) this.call(() => applyRoute(this.host, command, settings));
  }

  /** The policy's answer while `work` asks it. */
  allowOffload(work: () => void): void {
    this.#wants = true;
    work();
    this.#wants = false;
  }
}

/** The application's stream: one period, doubled until it is long enough (a script is played on thousands of machines). */
function layStream(u8: Uint8Array, at: number): void {
  for (let i = 0; i < STREAM_PERIOD; i++) u8[at + i] = sentByte(i);
  const end = at + STREAM_BYTES + STREAM_PERIOD;
  for (let laid = STREAM_PERIOD; at + laid < end; laid *= 2) {
    u8.copyWithin(at + laid, at, Math.min(at + laid, end - laid));
  }
}

const ANYWHERE = new Int32Array(4);

/** The host's addresses and routes; answers the number of the remote end's address. */
function speakIpv6(host: Host, { local, remote, gateway, prefixLength }: Ipv6Ends): number {
  const { ipv6 } = host.network;
  const [iface] = host.interfaces;
  const on = ipv6.enable(iface!, { duplicateProbes: 0, autoconfigure: true });
  ipv6.addAddress(on, local, prefixLength);
  ipv6.addRoute(ANYWHERE, 0, gateway, iface!);
  return host.addresses.internWords(remote);
}

function planFor(settings: Settings, largest: number): MachinePlan {
  const sized = planMachine({
    hosts: [
      {
        name: 'host',
        nics: [{ name: 'nic0' }],
        connections: CONNECTIONS,
        applicationBytes: scratchBytes(largest) + STREAM_BYTES + STREAM_PERIOD,
        mtu: settings.mtu,
        tcp: settings.tcp,
      },
    ],
    small: true,
  });
  const hosts = sized.hosts.map(host => ({
    ...host,
    config: { ...host.config, sendDescriptors: 2048, copyBuffers: 4, blocks: 512, blockListMax: 32 },
    nics: host.nics.map(nic => ({ ...nic, receiveMtu: largest, receiveBuffers: RECEIVE_BUFFERS })),
  }));
  return { ...sized, hosts, lineFrames: 128 };
}
