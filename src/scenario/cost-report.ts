/**
 * The cost meter's report: A, B and C as measured, and from them when offload pays (R35, ¶13–16).
 *
 * Negative figures are reported as they are: that a difference is lost in the noise is a result, too.
 */
import type { HandOverCost } from './cost-handover.ts';
import { fit } from './cost-statistics.ts';
import type { Shape } from './cost-shapes.ts';
import type { TrafficPath, TrafficSample } from './cost-traffic.ts';
import type { MachineFacts } from './machine-facts.ts';

/** Coefficients of a cost: ns = perExchange + segments × perSegment + bytes × perByte. */
export interface TrafficCost {
  readonly perExchangeNs: number;
  readonly perSegmentNs: number;
  readonly perByteNs: number;
}

export interface BreakEven {
  readonly shape: Shape;
  readonly list: number;
  /** A on the host's thread, hand-over and take-back, ns a connection. */
  readonly aNs: number;
  /** The shortest reply for which offload pays in host time; 1: any; null: none does. */
  readonly bytes: number | null;
  readonly segments: number | null;
}

export interface CostReport {
  readonly machine: MachineFacts;
  readonly quick: boolean;
  readonly rounds: number;
  readonly handOver: readonly HandOverCost[];
  readonly samples: readonly TrafficSample[];
  /** B, and C with its part on the device. */
  readonly traffic: Readonly<Record<TrafficPath, { readonly host: TrafficCost; readonly device: TrafficCost }>>;
  /** Of a full segment at this MTU. */
  readonly mtu: number;
  readonly segmentBytes: number;
  readonly breakEven: readonly BreakEven[];
}

export interface CostFindings {
  readonly machine: MachineFacts;
  readonly quick: boolean;
  readonly rounds: number;
  readonly handOver: readonly HandOverCost[];
  readonly samples: readonly TrafficSample[];
}

/** What break-even is told for. */
const MTU = 1500;
const HEADER_BYTES = 52;

export function reportCost(findings: CostFindings): CostReport {
  const { handOver, samples } = findings;
  const traffic = { host: trafficOf(samples, 'host'), chimney: trafficOf(samples, 'chimney') };
  const segmentBytes = MTU - HEADER_BYTES;
  const breakEven = handOver.map(({ shape, list, initiate, terminate }) => {
    const aNs = initiate.host.median + terminate.host.median;
    const bytes = breakEvenBytes(aNs, traffic.host.host, traffic.chimney.host, segmentBytes);
    return { shape, list, aNs, bytes, segments: bytes === null ? null : Math.ceil(bytes / segmentBytes) };
  });
  return { ...findings, traffic, mtu: MTU, segmentBytes, breakEven };
}

function trafficOf(samples: readonly TrafficSample[], path: TrafficPath): { host: TrafficCost; device: TrafficCost } {
  const own = samples.filter(sample => sample.path === path);
  const costOf = (value: (sample: TrafficSample) => number): TrafficCost => {
    const observations = own.map(sample => ({ factors: [1, sample.segments, sample.bytes], value: value(sample) }));
    const [perExchangeNs, perSegmentNs, perByteNs] = fit(observations) as [number, number, number];
    return { perExchangeNs, perSegmentNs, perByteNs };
  };
  return { host: costOf(({ hostNs }) => hostNs), device: costOf(({ deviceNs }) => deviceNs) };
}

/** A reply of so many segments must have paid, or none does. */
const SEGMENTS_MAX = 100_000;

/** The shortest reply for which B − C is at least A, in bytes; its segments are full but the last. Null when none is. */
export function breakEvenBytes(aNs: number, b: TrafficCost, c: TrafficCost, segmentBytes: number): number | null {
  const perExchange = b.perExchangeNs - c.perExchangeNs;
  const perSegment = b.perSegmentNs - c.perSegmentNs;
  const perByte = b.perByteNs - c.perByteNs;
  for (let segments = 1; segments <= SEGMENTS_MAX; segments++) {
    const first = (segments - 1) * segmentBytes + 1;
    const missing = aNs - perExchange - segments * perSegment;
    if (perByte * first >= missing) return first;
    const bytes = perByte > 0 ? Math.ceil(missing / perByte) : Number.POSITIVE_INFINITY;
    if (bytes <= segments * segmentBytes) return bytes;
  }
  return null;
}
