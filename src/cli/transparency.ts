/**
 * `chimney simulate --transparency`: each seed with offload disabled and with hand-overs; what the applications see must
 * be the same. A seed that failed is printed with the first difference and the command that replays it.
 */
import { checkPlan, type TransparencyResult } from '../scenario/transparency.ts';
import {
  noTransparencyTotals,
  runTransparencyCampaign,
  type TransparencyProgress,
  type TransparencyTotals,
} from '../scenario/transparency-campaign.ts';
import { drawTransparency, type TransparencyPlan } from '../scenario/transparency-plan.ts';
import { shrinkPlan } from '../scenario/transparency-shrink.ts';
import { onInterrupt } from './interrupt.ts';
import { count, figure, printJson, ProgressLine } from './output.ts';

export function transparencySeed(seed: number, shrink: boolean, json: boolean): number {
  const plan = drawTransparency(seed);
  const result = checkPlan(plan);
  const least = shrink && !result.ok ? shrinkPlan(plan) : null;
  const leastResult = least === null ? result : checkPlan(least);
  if (json) {
    printJson({ ...result, ...(least === null ? {} : { shrunk: { ...scriptOf(least), error: leastResult.error } }) });
  } else {
    process.stdout.write(seedText(result));
    if (least !== null) process.stdout.write(planText(least, leastResult));
  }
  return result.ok ? 0 : 1;
}

export async function transparencyCampaign(
  first: number,
  seeds: number,
  flags: { readonly threads?: number; readonly json?: boolean; readonly quiet?: boolean },
): Promise<number> {
  const line = new ProgressLine(flags.quiet ?? false);
  const since = performance.now();
  const seconds = (): number => (performance.now() - since) / 1000;
  let soFar: TransparencyProgress = { totals: noTransparencyTotals(), failures: [] };
  let done = (): void => {};
  const interrupted = new Promise<boolean>(resolve => {
    done = onInterrupt(() => resolve(true));
  });
  const running = runTransparencyCampaign({ first, count: seeds, threads: flags.threads }, progress => {
    soFar = progress;
    line.show(progressText(progress.totals, seeds, seconds()));
  });
  const isInterrupted = await Promise.race([running.then(() => false), interrupted]);
  done();
  line.clear();
  const { totals } = soFar;
  const failed = soFar.failures
    .map(failure => ({ ...failure, replay: replay(failure.seed) }))
    .toSorted((a, b) => a.seed - b.seed);
  const passed = totals.seeds - totals.failed;
  const report = { requested: seeds, first, passed, failed, totals, seconds: seconds(), interrupted: isInterrupted };
  if (flags.json === true) printJson(report);
  else process.stdout.write(campaignText(report));
  // The pool's threads know no interrupt: they end with the process.
  if (isInterrupted) process.exit(1);
  return passed === seeds ? 0 : 1;
}

interface Report {
  readonly requested: number;
  readonly first: number;
  readonly passed: number;
  readonly failed: readonly (TransparencyResult & { replay: string })[];
  readonly totals: TransparencyTotals;
  readonly seconds: number;
  readonly interrupted: boolean;
}

function campaignText({ requested, first, passed, failed, totals, seconds, interrupted }: Report): string {
  const cut = interrupted ? `; interrupted after ${count(totals.seeds)}` : '';
  const lines = [
    `${count(passed)} of ${count(requested)} seeds see no difference (from ${first}) in ${figure(seconds, 's')}${cut}`,
    ...countLines(totals),
  ];
  for (const { seed, error, replay: command } of failed) {
    lines.push(`FAILED seed ${seed}`, ...indented(error ?? ''), `  ${command}`);
  }
  return `${lines.join('\n')}\n`;
}

function countLines(counts: Omit<TransparencyTotals, 'seeds' | 'failed'>): string[] {
  const { connections, handOvers, uploads, liveUploads, refusals, updates, queries, failovers, bytes, virtualUs } =
    counts;
  return [
    `  ${count(connections)} connections, ${count(bytes)} bytes, ${figure(virtualUs / 1e6, 's')} of virtual time`,
    `  ${count(handOvers)} hand-overs, ${count(uploads)} uploads (${count(liveUploads)} of live connections), ${count(refusals)} refusals, ` +
      `${count(updates)} updates, ${count(queries)} queries, ${count(failovers)} failovers`,
  ];
}

function progressText(totals: TransparencyTotals, seeds: number, seconds: number): string {
  const failures = totals.failed > 0 ? `, ${count(totals.failed)} FAILED` : '';
  const rate = figure(totals.seeds / seconds);
  return `${count(totals.seeds)}/${count(seeds)} seeds${failures}, ${rate}/s, ${count(totals.handOvers)} hand-overs`;
}

function seedText(result: TransparencyResult): string {
  const verdict = result.error === undefined ? ['no difference'] : ['FAILED', ...indented(result.error)];
  return `${[`seed ${result.seed}`, ...countLines(result), ...verdict].join('\n')}\n`;
}

/** The parts of a plan that were drawn and may matter; the machine is told by the seed. */
function scriptOf(plan: TransparencyPlan): Omit<TransparencyPlan, 'machine'> {
  const { seed, isIpv6, wiring, policies, faults, connections, actions } = plan;
  return { seed, isIpv6, wiring, policies, faults, connections, actions };
}

function planText(plan: TransparencyPlan, result: TransparencyResult): string {
  const lines = [
    'shrunk:',
    `over IPv${plan.isIpv6 ? 6 : 4}`,
    ...plan.policies.map((policy, host) => `host ${'ab'[host]!}: ${JSON.stringify(policy)}`),
    ...plan.faults.map((faults, nic) => `cable ${nic}: ${JSON.stringify(faults)}`),
    ...plan.actions.map(action => `action ${JSON.stringify(action)}`),
    ...plan.connections.flatMap(({ ends, ...script }) => [
      `connection ${JSON.stringify(script)}`,
      ...ends.flatMap(({ steps, ...end }) => [
        `  end ${JSON.stringify(end)}`,
        ...steps.map(step => `    ${JSON.stringify(step)}`),
      ]),
    ]),
    ...indented(result.error ?? ''),
  ];
  return `${lines.join('\n')}\n`;
}

function indented(text: string): string[] {
  return text.split('\n').map(line => `  ${line}`);
}

function replay(seed: number): string {
  return `npm run simulate -- --transparency --seed ${seed}`;
}
