/**
 * A storm's report as a table that a person can read, at most 100 columns wide. Made from the same document that
 * `--json` prints.
 */
import type { StormReport } from '../scenario/storm-report.ts';
import { count, figure } from './output.ts';

const LABEL_WIDTH = 18;
const LINE_WIDTH = 100;

export function stormTable(report: StormReport): string {
  const { connections, bytes, rate, retransmissions: sent } = report;
  const rows: [string, string][] = [
    [
      'connections',
      `${count(connections.completed)} completed, ${count(connections.failed)} failed, ${count(connections.reset)} reset` +
        (report.unfinished > 0 ? `, ${count(report.unfinished)} open at the end` : ''),
    ],
    [
      'bytes',
      `${figure(bytes.verified / 1e6, 'MB')} verified by SHA-256, ${count(bytes.wrong)} wrong, ${count(bytes.lost)} lost`,
    ],
    [
      'rate',
      `${count(rate.connectionsPerSecond)} connections/s with all clients at work (behind the first ${count(rate.warmUp)}); ` +
        `whole run ${figure(report.seconds, 's')}, ${count(rate.coldConnectionsPerSecond)}/s`,
    ],
    ...offloadRows(report),
    ...failoverRows(report),
    [
      'sent again',
      `${count(sent.host)} segments by the host, ${count(sent.nic)} by NICs, ${count(sent.clients)} by clients`,
    ],
    ['doorbells', `${figure(report.doorbellsPer1000Packets)} per 1,000 packets, ${count(report.packets)} packets`],
    ['host thread busy', busy(report)],
    ['memory', memory(report)],
  ];
  if (report.capture !== null) {
    rows.push(['capture', `${count(report.capture.frames)} frames in ${report.capture.file}`]);
  }
  const lines = [headline(report), '', ...rows.flatMap(([label, text]) => wrapped(label, text)), ...rivalLines(report)];
  lines.push(
    '',
    report.ok ? 'All connections completed, every byte verified.' : `FAILED: ${report.problems.join('; ')}.`,
  );
  return `${lines.join('\n')}\n`;
}

/** `label`, then the text in as many lines as it needs. */
function wrapped(label: string, text: string): string[] {
  const width = LINE_WIDTH - LABEL_WIDTH - 2;
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines.map((part, index) => `  ${(index === 0 ? label : '').padEnd(LABEL_WIDTH)}${part}`);
}

function headline({ options, documents, connections }: StormReport): string {
  const what = `${count(connections.requested)} connections for ${documents.files} documents of ${figure(documents.meanBytes / 1000, 'KB')}`;
  const nics = options.nics === 1 ? 'one NIC' : `${options.nics} NICs`;
  const vlans = options.vlans.length === 0 ? '' : `, VLANs ${options.vlans.join(' and ')}`;
  return `Storm: ${what}, ${nics}, path ${options.path}${vlans}`;
}

function offloadRows({ offload }: StormReport): [string, string][] {
  const taken = `${count(offload.connections)} connections offloaded${offload.refused > 0 ? `, ${count(offload.refused)} refused` : ''}`;
  const each = `${figure(offload.blocksPerCall)} blocks a call, up to ${count(offload.largestList)} connections`;
  const rows: [string, string][] = [
    ['offload', offload.calls === 0 ? 'none' : `${count(offload.calls)} calls, ${each}: ${taken}`],
  ];
  const cost = micros(offload.nsPerConnection);
  const { comparison } = offload;
  const lists =
    comparison === null
      ? ''
      : `; compared: one by one ${micros(comparison.nsPerConnectionOneByOne)}, in lists of ${comparison.blockList} ` +
        `${micros(comparison.nsPerConnectionInLists)}, ${figure(comparison.ratio)} × cheaper`;
  rows.push(['cost of offload', `${cost} a connection${lists}`]);
  const lengths = offload.byLength.map(({ from, to, nsPerConnection }) => {
    const length = from === to ? count(from) : `${count(from)}–${count(to)}`;
    return `${length}: ${micros(nsPerConnection)}`;
  });
  if (lengths.length > 1) rows.push(['by length of list', lengths.join(', ')]);
  return rows;
}

function failoverRows({ failovers, connections }: StormReport): [string, string][] {
  if (failovers.length === 0) return [['failover', 'none']];
  return failovers.map(({ nic, to, cause, detectedAfterMs, connectionsMoved, connectionsLost, bytesLost, ms }) => [
    'failover',
    `${nic} → ${to} (${cause}), noticed after ${figure(detectedAfterMs, 'ms')}, ${count(connectionsMoved)} connections moved ` +
      `in ${figure(ms, 'ms')}, ${count(connectionsLost)} connections and ${count(bytesLost)} bytes lost` +
      (connections.failed > 0 ? ` (${count(connections.failed)} failed altogether)` : ''),
  ]);
}

function busy({ hostBusyNsPerConnection: { host, chimney, thisRun } }: StormReport): string {
  const ratio = host !== null && chimney !== null && chimney > 0 ? `, ratio ${figure(host / chimney)}` : '';
  return `host path ${micros(host)} a connection, chimney ${micros(chimney)}${ratio}; in this run ${micros(thisRun)}`;
}

function memory({ memory: { machineMiB, residentMiB, residentPeakMiB } }: StormReport): string {
  const resident = `process ${figure(residentMiB, 'MiB')} resident, ${figure(residentPeakMiB, 'MiB')} at most`;
  return `machine ${figure(machineMiB, 'MiB')}, ${resident}`;
}

function micros(ns: number | null): string {
  return ns === null ? '–' : figure(ns / 1000, 'µs');
}

function rivalLines({ rivals, rate }: StormReport): string[] {
  return rivals.flatMap(({ name, connectionsPerSecond, ratio, coldRatio, connections, error }) => {
    const line = (label: string, ...cells: string[]): string =>
      `  ${label.padEnd(LABEL_WIDTH + 8)}${cells.map(cell => cell.padStart(12)).join('')}`;
    const theirs = count(connectionsPerSecond);
    const lines = [
      '',
      line('side by side', 'chimney', name, 'ratio'),
      line('connections/s', count(rate.connectionsPerSecond), theirs, `${figure(ratio)} ×`),
      line('our whole run', count(rate.coldConnectionsPerSecond), theirs, `${figure(coldRatio)} ×`),
    ];
    if (connections.completed === connections.requested) return lines;
    const note = `${name} completed ${count(connections.completed)} of ${count(connections.requested)}`;
    return [...lines, ...wrapped('', error === undefined ? note : `${note}: ${error}`)];
  });
}
