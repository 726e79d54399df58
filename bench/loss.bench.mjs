/**
 * Goodput of one bulk transfer over a link that loses packets (RTT 100 ms, buffers of 32 KiB), beside what smoltcp
 * publishes for the same link. In virtual time: the figures say what the algorithms do, not how fast this machine is, and
 * are the same in every run. docs/loss-sweep.md has them.
 */
import { LOSS_WAYS, lossSweep } from 'chimney/internal/scenario/loss-sweep';
import { rateRow, runIfMain } from './rows.mjs';

const BENCH = 'loss';
const SEEDS = [1, 2, 3, 4, 5];

/** @returns {Promise<import('./rows.mjs').Row[]>} */
export async function run({ quick }) {
  const seeds = quick ? SEEDS.slice(0, 3) : SEEDS;
  return lossSweep({ ways: Object.keys(LOSS_WAYS), seeds }).map(row => {
    const { way, congestionControl, lossPercent, goodput, smoltcp, verdict } = row;
    const control = congestionControl === 'none' ? 'no congestion control' : congestionControl;
    const name = `${way}, ${control}, ${lossPercent} % loss${verdict === '' ? '' : `: ${verdict}`}`;
    return rateRow(BENCH, name, 'B/s', goodput, 'smoltcp', smoltcp);
  });
}

await runIfMain(import.meta.url, run);
