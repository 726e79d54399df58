/**
 * What commands show of the host under test: `nstat` its counters by Linux's names, as much as they have grown since it was
 * asked last; `ss` its connections (socket-table.ts).
 */
import { type HostStatistics, hostStatistics } from '../host/statistics.ts';
import { soughtBy } from './grep.ts';
import type { DrillMachine } from './machine.ts';
import { Unsupported } from './script-error.ts';
import type { Pipeline } from './shell-words.ts';
import { socketLines } from './socket-table.ts';
import type { SocketWorld } from './socket-world.ts';

/** Names of /proc/net/snmp, snmp6 and netstat, for those that are counted here. */
const COUNTERS: Readonly<Record<string, keyof HostStatistics>> = {
  TcpActiveOpens: 'tcpActiveOpens',
  TcpPassiveOpens: 'tcpPassiveOpens',
  TcpAttemptFails: 'tcpAttemptFails',
  TcpEstabResets: 'tcpEstabResets',
  TcpInSegs: 'tcpInSegs',
  TcpOutSegs: 'tcpOutSegs',
  TcpRetransSegs: 'tcpRetransSegs',
  TcpInErrs: 'tcpInErrs',
  TcpOutRsts: 'tcpOutRsts',
  TcpExtListenOverflows: 'tcpListenOverflows',
  TcpExtListenDrops: 'tcpListenDrops',
  TcpExtSyncookiesSent: 'tcpSyncookiesSent',
  TcpExtSyncookiesRecv: 'tcpSyncookiesRecv',
  TcpExtSyncookiesFailed: 'tcpSyncookiesFailed',
  TcpExtTCPFastOpenCookieReqd: 'tcpFastOpenCookieReqd',
  TcpExtTCPFastOpenPassive: 'tcpFastOpenPassive',
  TcpExtTCPFastOpenPassiveFail: 'tcpFastOpenPassiveFail',
  TcpExtTCPFastOpenListenOverflow: 'tcpFastOpenListenOverflow',
  TcpExtTCPFastOpenActive: 'tcpFastOpenActive',
  TcpExtTCPFastOpenActiveFail: 'tcpFastOpenActiveFail',
  IpInReceives: 'ipInReceives',
  IpInHdrErrors: 'ipInHdrErrors',
  IpInAddrErrors: 'ipInAddrErrors',
  IpInDelivers: 'ipInDelivers',
  IpInDiscards: 'ipInDiscards',
  IpOutRequests: 'ipOutRequests',
  IpOutDiscards: 'ipOutDiscards',
  IpReasmReqds: 'ipReasmReqds',
  IpReasmOKs: 'ipReasmOKs',
  IpReasmFails: 'ipReasmFails',
  IpFragOKs: 'ipFragOKs',
  IpFragCreates: 'ipFragCreates',
  Ip6InReceives: 'ip6InReceives',
  Ip6InHdrErrors: 'ip6InHdrErrors',
  Ip6InAddrErrors: 'ip6InAddrErrors',
  Ip6InDelivers: 'ip6InDelivers',
  Ip6InDiscards: 'ip6InDiscards',
  Ip6OutRequests: 'ip6OutRequests',
  Ip6OutDiscards: 'ip6OutDiscards',
  Ip6ReasmReqds: 'ip6ReasmReqds',
  Ip6ReasmOKs: 'ip6ReasmOKs',
  Ip6ReasmFails: 'ip6ReasmFails',
  Ip6FragOKs: 'ip6FragOKs',
  Ip6FragCreates: 'ip6FragCreates',
  UdpInDatagrams: 'udpInDatagrams',
  UdpNoPorts: 'udpNoPorts',
  UdpInErrors: 'udpInErrors',
  UdpOutDatagrams: 'udpOutDatagrams',
};

/** -n shows nothing, -a what was counted in all, -s does not note that it was asked, -z also what is 0. */
const NSTAT_FLAGS = /^-[nasz]+$/;

/** What of a pattern is, or is part of, the name of a counter. */
const WORD = /[A-Za-z][A-Za-z\d]{3,}/g;

export class HostReports {
  readonly #machine: DrillMachine;
  readonly #world: SocketWorld;
  #before: ReadonlyMap<string, number> = new Map();

  constructor(machine: DrillMachine, world: SocketWorld) {
    this.#machine = machine;
    this.#world = world;
  }

  /** `filters`: who reads it. One that looks for a counter that is not kept here cannot be answered. */
  nstat(args: readonly string[], filters: Pipeline, line: number): readonly string[] {
    const unknown = args.find(word => word.startsWith('-') && !NSTAT_FLAGS.test(word));
    if (unknown !== undefined) throw new Unsupported(line, `nstat ${unknown}`);
    const flags = args.filter(word => word.startsWith('-')).join('');
    const names = args.filter(word => !word.startsWith('-'));
    const now = this.#counters();
    const sought = [...names, ...filters.flatMap(filter => soughtBy(filter, line) ?? [])];
    for (const word of sought.flatMap(text => text.match(WORD) ?? [])) {
      if (![...now.keys()].some(name => name.includes(word))) throw new Unsupported(line, `counter ${word}`);
    }
    const lines: string[] = ['#kernel'];
    for (const [name, value] of now) {
      const shown = flags.includes('a') ? value : value - (this.#before.get(name) ?? 0);
      const isMeant = names.length === 0 || names.includes(name);
      if (isMeant && (shown !== 0 || flags.includes('z'))) {
        lines.push(`${name.padEnd(32)}${String(shown).padEnd(19)}0.0`);
      }
    }
    if (!flags.includes('s')) this.#before = now;
    return flags.includes('n') ? [] : lines;
  }

  /** Each where it was counted: what a device has done is in the host's statistics, but for what it has told nobody of. */
  #counters(): ReadonlyMap<string, number> {
    const { host, sim } = this.#machine;
    const statistics = hostStatistics(host);
    const counters = new Map(Object.entries(COUNTERS).map(([name, key]) => [name, statistics[key]]));
    const forged = sim.nics.reduce((sum, { stats }) => sum + stats.dropForgedIcmp, 0);
    counters.set('TcpExtOutOfWindowIcmps', statistics.tcpOutOfWindowIcmps + forged);
    counters.set('IcmpInEchos', host.network.icmp.echoRequests);
    counters.set('Icmp6InEchos', host.network.ipv6.icmp.echoRequests);
    return counters;
  }

  sockets(args: readonly string[], line: number): readonly string[] {
    return socketLines(args, this.#world, line);
  }
}
