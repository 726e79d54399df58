/**
 * From samples to figures: medians and quartiles, because other programs and the garbage collector only ever make a
 * sample longer; and a weighted least-squares fit.
 */
export interface Spread {
  readonly median: number;
  /** First and third quartile. */
  readonly low: number;
  readonly high: number;
}

export function spreadOf(samples: readonly number[]): Spread {
  const sorted = samples.toSorted((a, b) => a - b);
  return { low: quantile(sorted, 0.25), median: quantile(sorted, 0.5), high: quantile(sorted, 0.75) };
}

function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)]!;
  return below + (sorted[Math.ceil(at)]! - below) * (at - Math.floor(at));
}

export interface Observation {
  /** One factor for each coefficient that is looked for. */
  readonly factors: readonly number[];
  readonly value: number;
}

/**
 * Coefficients that make Σ factor × coefficient fit the values, with the least sum of squared relative errors: a small
 * sample counts as much as a large one.
 */
export function fit(observations: readonly Observation[]): number[] {
  const size = observations[0]!.factors.length;
  const rows = Array.from({ length: size }, () => Array.from({ length: size + 1 }, () => 0));
  for (const { factors, value } of observations) {
    const weight = 1 / (value * value);
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) rows[i]![j]! += weight * factors[i]! * factors[j]!;
      rows[i]![size]! += weight * factors[i]! * value;
    }
  }
  return solve(rows);
}

/** Gauss–Jordan elimination with pivots; the last column is the right-hand side. */
function solve(rows: number[][]): number[] {
  const size = rows.length;
  for (let column = 0; column < size; column++) {
    let pivot = column;
    for (let row = column; row < size; row++) {
      if (Math.abs(rows[row]![column]!) > Math.abs(rows[pivot]![column]!)) pivot = row;
    }
    [rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!];
    for (let row = 0; row < size; row++) {
      if (row === column) continue;
      const factor = rows[row]![column]! / rows[column]![column]!;
      for (let k = column; k <= size; k++) rows[row]![k]! -= factor * rows[column]![k]!;
    }
  }
  return rows.map((row, index) => row[size]! / row[index]!);
}
