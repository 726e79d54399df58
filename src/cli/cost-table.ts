/**
 * The cost meter's report as text that a person can read, at most 100 columns wide; made from the document that `--json`
 * prints.
 */
import type { CostReport, TrafficCost } from '../scenario/cost-report.ts';
import { SHAPES } from '../scenario/cost-shapes.ts';
import { count, figure } from './output.ts';

export function costTable(report: CostReport): string {
  const { cpu, cores, system, node, load } = report.machine;
  const lines = [
    `The cost of offload, A + [B − C], on ${cpu}, ${cores} cores, ${system}, Node ${node}, load ${load.toFixed(1)}`,
    `Medians of ${report.rounds} rounds; host thread and NIC each on its own clock.`,
    '',
    'A: hand-over and take-back of a connection, ns, by the number in a list',
    row('shape', 'list', 'blocks', 'host down', 'host up', 'NIC down', 'NIC up', 'A host', 'A both'),
    ...handOverRows(report),
    '',
    'B and C: traffic of a connection, ns (C of the host is what offload leaves to it)',
    row('', '', '', 'exchange', 'segment', 'byte', '', '', '').trimEnd(),
    ...trafficRows(report),
    '',
    `The shortest reply for which offload pays on the host thread, bytes (segments of ${count(report.segmentBytes)} each)`,
    row('list', ...SHAPES.map(String)),
    ...breakEvenRows(report),
  ];
  return `${lines.join('\n')}\n`;
}

/** The first cell to the left, the others to the right. */
function row(first: string, ...cells: readonly string[]): string {
  return `  ${first.padEnd(18)}${cells.map(cell => cell.padStart(10)).join('')}`;
}

function handOverRows({ handOver }: CostReport): string[] {
  return SHAPES.flatMap(shape =>
    handOver
      .filter(cost => cost.shape === shape)
      .map(({ list, blocks, initiate, terminate }, index) => {
        const host = initiate.host.median + terminate.host.median;
        const device = initiate.device.median + terminate.device.median;
        return row(
          index === 0 ? shape : '',
          count(list),
          count(blocks),
          count(initiate.host.median),
          count(terminate.host.median),
          count(initiate.device.median),
          count(terminate.device.median),
          count(host),
          count(host + device),
        );
      }),
  );
}

function trafficRows({ traffic: { host, chimney } }: CostReport): string[] {
  const line = (title: string, cost: TrafficCost): string =>
    row(title, '', '', figure(cost.perExchangeNs), figure(cost.perSegmentNs), figure(cost.perByteNs));
  return [
    line('B  host path, host', host.host),
    line('   host path, NIC', host.device),
    line('C  chimney, host', chimney.host),
    line('   chimney, NIC', chimney.device),
  ];
}

function breakEvenRows({ breakEven }: CostReport): string[] {
  const lists = [...new Set(breakEven.map(({ list }) => list))];
  return lists.map(list => {
    const cells = SHAPES.map(shape => {
      const { bytes } = breakEven.find(each => each.shape === shape && each.list === list)!;
      return bytes === null ? 'never' : bytes === 1 ? 'any' : count(bytes);
    });
    return row(count(list), ...cells);
  });
}
