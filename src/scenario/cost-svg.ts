/**
 * The cost meter's report as a drawing, both axes logarithmic: A against the length of lists for every shape of tree, and
 * the bytes from which on offload pays.
 */
import type { CostReport } from './cost-report.ts';
import { SHAPES } from './cost-shapes.ts';
import { element, svgDocument, textElement } from './svg.ts';

const WIDTH = 1120;
const HEIGHT = 520;
const PANEL = { width: 420, height: 340, top: 90 };
const COLORS = ['#4338ca', '#b45309', '#047857'];

const STYLE = [
  'text{font:12px system-ui,"DejaVu Sans",sans-serif;fill:#1f2937}',
  '.title{font-size:18px;font-weight:600}',
  '.panel{font-size:14px;font-weight:600}',
  '.tick{font-size:11px;fill:#64748b}',
].join('');

interface Curve {
  readonly color: string;
  readonly dashed: boolean;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** One diagram. Values that are not above zero have no place on its axis; they lie on the lower edge. */
class Panel {
  readonly #left: number;
  readonly #xs: readonly [number, number];
  readonly #ys: readonly [number, number];

  constructor(left: number, curves: readonly Curve[]) {
    this.#left = left;
    const points = curves.flatMap(curve => curve.points);
    const ys = points.map(([, y]) => y).filter(y => y > 0);
    this.#xs = [1, Math.max(2, ...points.map(([x]) => x))];
    this.#ys = [decade(Math.min(...ys, 1e9), Math.floor), decade(Math.max(...ys, 1), Math.ceil)];
    if (ys.length === 0) this.#ys = [1, 10];
    else if (this.#ys[0] === this.#ys[1]) this.#ys = [this.#ys[0], this.#ys[0] * 10];
  }

  x(value: number): number {
    return this.#left + share(value, this.#xs) * PANEL.width;
  }

  y(value: number): number {
    return PANEL.top + (1 - Math.max(0, share(Math.max(value, 1e-9), this.#ys))) * PANEL.height;
  }

  axes(title: string, unit: string): string[] {
    const { width, height, top } = PANEL;
    const bottom = top + height;
    const left = this.#left;
    const parts = [
      textElement(left, top - 26, title, { class: 'panel' }),
      element('rect', { x: left, y: top, width, height, fill: '#fff', stroke: '#94a3b8' }),
      textElement(left + width / 2, bottom + 40, 'connections in a list', { 'text-anchor': 'middle' }),
      textElement(left, top - 8, unit, { class: 'tick' }),
    ];
    for (let x = this.#xs[0]; x <= this.#xs[1]; x *= 4) {
      parts.push(
        element('line', { x1: this.x(x), y1: top, x2: this.x(x), y2: bottom, stroke: '#e2e8f0' }),
        textElement(this.x(x), bottom + 18, String(x), { class: 'tick', 'text-anchor': 'middle' }),
      );
    }
    for (let y = this.#ys[0]; y <= this.#ys[1] * 1.001; y *= 10) {
      parts.push(
        element('line', { x1: left, y1: this.y(y), x2: left + width, y2: this.y(y), stroke: '#e2e8f0' }),
        textElement(left - 8, this.y(y) + 4, y.toLocaleString('en-US'), { class: 'tick', 'text-anchor': 'end' }),
      );
    }
    return parts;
  }

  curve({ color, dashed, points }: Curve): string[] {
    const places = points.map(([x, y]) => ({ x: this.x(x), y: this.y(y) }));
    const d = places.map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`).join('');
    return [
      element('path', {
        d,
        fill: 'none',
        stroke: color,
        'stroke-width': 2,
        'stroke-dasharray': dashed ? '5 4' : 'none',
      }),
      ...places.map(({ x, y }) => element('circle', { cx: x, cy: y, r: 3, fill: color })),
    ];
  }
}

export function costSvg(report: CostReport): string {
  const a = SHAPES.flatMap((shape, index): Curve[] => {
    const own = report.handOver.filter(cost => cost.shape === shape);
    const color = COLORS[index]!;
    return [
      {
        color,
        dashed: false,
        points: own.map(cost => [cost.list, cost.initiate.host.median + cost.terminate.host.median]),
      },
      {
        color,
        dashed: true,
        points: own.map(cost => [cost.list, cost.initiate.device.median + cost.terminate.device.median]),
      },
    ];
  });
  const paying = SHAPES.map((shape, index): Curve => {
    const own = report.breakEven.filter(each => each.shape === shape && each.bytes !== null);
    return { color: COLORS[index]!, dashed: false, points: own.map(({ list, bytes }) => [list, bytes!]) };
  });
  const left = new Panel(90, a);
  const right = new Panel(630, paying);
  const { cpu, cores, node, system } = report.machine;
  return svgDocument(WIDTH, HEIGHT, 'The cost of offload', STYLE, [
    element('rect', { x: 0, y: 0, width: WIDTH, height: HEIGHT, fill: '#fff' }),
    textElement(24, 34, 'The cost of offload: A + [B − C]', { class: 'title' }),
    textElement(WIDTH - 24, 34, `${cpu}, ${cores} cores, ${system}, Node ${node}`, {
      class: 'tick',
      'text-anchor': 'end',
    }),
    ...left.axes('A: hand-over and take-back', 'ns a connection'),
    ...a.flatMap(curve => left.curve(curve)),
    ...right.axes('The shortest reply for which offload pays', 'bytes; 1: any'),
    ...paying.flatMap(curve => right.curve(curve)),
    ...legend(),
  ]);
}

function legend(): string[] {
  const y = HEIGHT - 22;
  const shapes = SHAPES.flatMap((shape, index) => [
    element('line', {
      x1: 90 + index * 130,
      y1: y - 4,
      x2: 114 + index * 130,
      y2: y - 4,
      stroke: COLORS[index]!,
      'stroke-width': 2,
    }),
    textElement(120 + index * 130, y, shape),
  ]);
  return [...shapes, textElement(90 + SHAPES.length * 130, y, 'solid: host thread, dashed: NIC')];
}

/** Where a value lies between two others, by their logarithms. */
function share(value: number, [low, high]: readonly [number, number]): number {
  return Math.log(value / low) / Math.log(high / low);
}

function decade(value: number, round: (exponent: number) => number): number {
  return 10 ** round(Math.log10(value));
}
