/**
 * One run of the cost meter: A for trees of every shape, then B and C, then the report. Memory is used again from one
 * machine to the next.
 */
import type { Memory } from '../memory/memory.ts';
import { type HandOverCost, HandOverMeter } from './cost-handover.ts';
import { type CostReport, reportCost } from './cost-report.ts';
import { SHAPES } from './cost-shapes.ts';
import { TrafficMeter, type TrafficSample } from './cost-traffic.ts';
import { machineFacts } from './machine-facts.ts';

export interface CostOptions {
  /** Longest list; the others are the powers of two below. */
  readonly max: number;
  readonly rounds: number;
  readonly quick: boolean;
}

/** Two MTUs tell the cost of a segment from that of its bytes. */
const MTUS = [576, 1500];
const REPLY_BYTES = [500, 2000, 8000, 32_000];
const TRAFFIC_CONNECTIONS = 64;
/** Rounds of traffic are short, and their figures are differences. */
const TRAFFIC_ROUNDS = 3;

export function measureCost({ max, rounds, quick }: CostOptions, progress: (text: string) => void): CostReport {
  const machine = machineFacts();
  const lists: number[] = [];
  for (let list = 1; list < max; list *= 2) lists.push(list);
  lists.push(max);
  let memory: Memory | undefined;
  const samples: TrafficSample[] = [];
  for (const path of ['host', 'chimney'] as const) {
    for (const mtu of MTUS) {
      const meter = new TrafficMeter({
        path,
        mtu,
        bytes: REPLY_BYTES,
        connections: TRAFFIC_CONNECTIONS,
        rounds: rounds * TRAFFIC_ROUNDS,
        memory,
      });
      memory = meter.memory;
      samples.push(...meter.measure(progress));
    }
  }
  const handOver: HandOverCost[] = [];
  for (const shape of SHAPES) {
    const meter = new HandOverMeter({ shape, lists, rounds, memory });
    memory = meter.memory;
    handOver.push(...meter.measure(progress));
  }
  return reportCost({ machine, quick, rounds, handOver, samples });
}
