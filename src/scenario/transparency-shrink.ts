/**
 * Makes a failing plan smaller: leaves out whatever it still fails without, until nothing can go.
 *
 * Greedy, element by element: connections, actions, faults, then single steps of scripts from the end. A step may go
 * only where the scripts stay possible, so sends and ends are kept; the connection they belong to goes as a whole.
 */
import type { FaultPlan } from '../fabric/faults.ts';
import { checkPlan, type TransparencyOptions } from './transparency.ts';
import type { TransparencyPlan } from './transparency-plan.ts';
import type { ConnectionScript, EndScript } from './transparency-script.ts';

export function shrinkPlan(plan: TransparencyPlan, options: TransparencyOptions = {}): TransparencyPlan {
  let best = plan;
  for (let isSmaller = true; isSmaller;) {
    isSmaller = false;
    for (const candidate of smaller(best)) {
      if (checkPlan(candidate, options).ok) continue;
      best = candidate;
      isSmaller = true;
      break;
    }
  }
  return best;
}

function* smaller(plan: TransparencyPlan): Generator<TransparencyPlan> {
  for (const connections of without(plan.connections)) if (connections.length > 0) yield { ...plan, connections };
  for (const actions of without(plan.actions)) yield { ...plan, actions };
  for (const [nic, faults] of plan.faults.entries()) {
    for (const name of Object.keys(faults)) yield { ...plan, faults: plan.faults.with(nic, omit(faults, name)) };
  }
  for (const [at, connection] of plan.connections.entries()) {
    for (const script of simpler(connection)) yield { ...plan, connections: plan.connections.with(at, script) };
  }
}

function* simpler(script: ConnectionScript): Generator<ConnectionScript> {
  for (const end of [0, 1] as const) {
    const own = script.ends[end];
    const change = (changed: EndScript): ConnectionScript => {
      const other = script.ends[1 - end]!;
      return { ...script, ends: end === 0 ? [changed, other] : [other, changed] };
    };
    if (own.sip !== 0) yield change({ ...own, sip: 0 });
    if (own.consumeUs >= 0) yield change({ ...own, consumeUs: -1 });
    for (const [at, { kind }] of own.steps.entries()) {
      const isOption = kind === 'no-delay' || kind === 'keep-alive';
      if (isOption) yield change({ ...own, steps: own.steps.toSpliced(at, 1) });
    }
  }
}

function* without<T>(list: readonly T[]): Generator<T[]> {
  for (let at = list.length - 1; at >= 0; at--) yield list.toSpliced(at, 1);
}

function omit(faults: Partial<FaultPlan>, name: string): Partial<FaultPlan> {
  return Object.fromEntries(Object.entries(faults).filter(([key]) => key !== name));
}
