/**
 * What every bench module returns: rows of a case, its value, and the rival's value in the same run.
 *
 * @typedef {object} Row
 * @property {string} bench
 * @property {string} case
 * @property {number} value
 * @property {string} unit
 * @property {string} rival what a user would pick instead
 * @property {number} rivalValue
 * @property {number} ratio how many times better than the rival: above 1 is better, whether the unit is a rate or a time
 */
import { pathToFileURL } from 'node:url';

export function median(values) {
  const sorted = [...values].toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** A row of rates: more is better. @returns {Row} */
export function rateRow(bench, name, unit, value, rival, rivalValue) {
  return { bench, case: name, value, unit, rival, rivalValue, ratio: value / rivalValue };
}

/** A row of times: less is better. @returns {Row} */
export function timeRow(bench, name, unit, value, rival, rivalValue) {
  return { bench, case: name, value, unit, rival, rivalValue, ratio: rivalValue / value };
}

/** Runs the bench and prints its table when its module is what Node was started with; `--quick` measures briefly. */
export async function runIfMain(moduleUrl, run) {
  if (moduleUrl !== pathToFileURL(process.argv[1] ?? '').href) return;
  const rows = await run({ quick: process.argv.includes('--quick') });
  const table = rows.map(row => ({
    case: row.case,
    chimney: `${row.value.toPrecision(3)} ${row.unit}`,
    rival: `${row.rivalValue.toPrecision(3)} ${row.unit} (${row.rival})`,
    ratio: Number(row.ratio.toFixed(2)),
  }));
  console.table(table);
}
