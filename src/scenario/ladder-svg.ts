/**
 * A ladder as an SVG sequence diagram: a lifeline a participant, an arrow a message, the time at the left, the figure's
 * numbers beside the arrows, bands for the acts.
 *
 * Several arrows may share a moment: the order from top to bottom is the order in which they happened.
 */
import { type Ladder, type LadderEvent, listLines, milliseconds, participantsUsed } from './ladder.ts';
import { element, svgDocument, textElement } from './svg.ts';

const TIME_WIDTH = 90;
const LANE_WIDTH = 168;
const RIGHT_WIDTH = 48;
const TOP = 96;
const ROW = 30;
const ACT_ROW = 40;
const TREE_ROW = 14;
const TREE_ROWS_MAX = 6;
/** Of the monospaced letters in a label. */
const LETTER = 6.65;

const COLORS: Readonly<Record<LadderEvent['kind'], string>> = {
  act: '#1f2937',
  call: '#4338ca',
  data: '#047857',
  frame: '#b45309',
  application: '#334155',
  log: '#b91c1c',
};

const LEGEND: readonly (readonly [LadderEvent['kind'], string])[] = [
  ['call', 'calls between layers, block lists'],
  ['data', 'data calls and completions'],
  ['frame', 'frames'],
  ['application', 'application'],
  ['log', 'event log'],
];

const STYLE = [
  'text{font:11px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#1f2937}',
  '.title{font:600 18px system-ui,"DejaVu Sans",sans-serif}',
  '.name{font-weight:700;text-anchor:middle}',
  '.time{fill:#64748b;text-anchor:end}',
  '.act{font:600 13px system-ui,"DejaVu Sans",sans-serif}',
  '.step{font-weight:700;fill:#fff;text-anchor:middle}',
  '.tree{font-size:10px;fill:#475569}',
].join('');

/** Draws from the top down. */
class Sheet {
  readonly body: string[] = [];
  readonly #lanes: readonly string[];
  y = TOP;
  #lastTime = '';

  constructor(lanes: readonly string[]) {
    this.#lanes = lanes;
  }

  get width(): number {
    return TIME_WIDTH + this.#lanes.length * LANE_WIDTH + RIGHT_WIDTH;
  }

  x(name: string): number {
    const lane = this.#lanes.indexOf(name);
    return TIME_WIDTH + (Math.max(0, lane) + 0.5) * LANE_WIDTH;
  }

  event(event: LadderEvent): void {
    if (event.kind === 'act') this.#act(event);
    else {
      this.y += ROW;
      this.#time(event.us);
      if (event.kind === 'log' || event.from === event.to) this.#note(event);
      else this.#arrow(event);
      this.#tree(event);
    }
  }

  #act({ text, step }: LadderEvent): void {
    this.y += ACT_ROW;
    const { body, width } = this;
    body.push(element('rect', { x: 8, y: this.y - 18, width: width - 16, height: 26, rx: 4, fill: '#e2e8f0' }));
    body.push(textElement(18, this.y, step === '' ? text : `${step}  ${text}`, { class: 'act' }));
  }

  /** Written where it changes. */
  #time(us: number): void {
    const time = milliseconds(us);
    if (time !== this.#lastTime) this.body.push(textElement(TIME_WIDTH - 12, this.y + 4, time, { class: 'time' }));
    this.#lastTime = time;
  }

  #arrow(event: LadderEvent): void {
    const { kind, from, to, text, step } = event;
    const stroke = COLORS[kind];
    const start = this.x(from);
    const end = this.x(to);
    const way = Math.sign(end - start);
    const { y } = this;
    this.body.push(
      element('line', {
        x1: start,
        y1: y,
        x2: end - way * 7,
        y2: y,
        stroke,
        'stroke-width': kind === 'frame' ? 2 : 1.4,
      }),
      element('path', { d: `M${end} ${y}l${-way * 8} -4v8z`, fill: stroke }),
    );
    this.#label(Math.min(start, end), Math.max(start, end), text, stroke);
    if (step !== '') this.#step(start + way * 4, way, step, stroke);
  }

  /** Above the line, in the middle of it, or from its left end where it is longer. */
  #label(left: number, right: number, text: string, color: string): void {
    const length = text.length * LETTER;
    const middle = Math.max(left + 6 + length / 2, (left + right) / 2);
    const inside = Math.min(middle, this.width - 8 - length / 2);
    const at = inside - length / 2;
    this.body.push(
      element('rect', { x: at - 2, y: this.y - 16, width: length + 4, height: 13, fill: '#fff', 'fill-opacity': 0.9 }),
      textElement(at, this.y - 5, text, { style: `fill:${color}` }),
    );
  }

  #step(x: number, way: number, step: string, color: string): void {
    const width = step.length * LETTER + 10;
    const left = way > 0 ? x - width - 6 : x + 6;
    this.body.push(
      element('rect', { x: left, y: this.y - 8, width, height: 16, rx: 8, fill: color }),
      textElement(left + width / 2, this.y + 4, step, { class: 'step' }),
    );
  }

  #note({ kind, from, text, step }: LadderEvent): void {
    const words = kind === 'log' ? `${from}: ${text}` : text;
    const width = words.length * LETTER + 14;
    const x = Math.min(Math.max(TIME_WIDTH, this.x(from) - width / 2), this.width - width - 8);
    const color = COLORS[kind];
    this.body.push(
      element('rect', { x, y: this.y - 12, width, height: 18, rx: 3, fill: '#fff', stroke: color }),
      textElement(x + 7, this.y + 1, words, { style: `fill:${color}` }),
    );
    if (step !== '') this.#step(x, 1, step, color);
  }

  /** The block list, beside the arrow that carried it. */
  #tree(event: LadderEvent): void {
    const { from, to } = event;
    const lines = listLines(event, TREE_ROWS_MAX);
    if (lines.length === 0) return;
    const width = Math.max(...lines.map(line => line.length)) * 6 + 14;
    const height = lines.length * TREE_ROW + 8;
    const x = Math.max(TIME_WIDTH, Math.min(this.x(from), this.x(to)) - width - 12);
    const top = this.y + 10;
    this.body.push(
      element('rect', { x, y: top, width, height, rx: 3, fill: '#f8fafc', stroke: '#cbd5e1' }),
      ...lines.map((line, row) =>
        textElement(x + 7, top + 14 + row * TREE_ROW, line, { class: 'tree', 'xml:space': 'preserve' }),
      ),
    );
    this.y = top + height;
  }
}

export function ladderSvg(ladder: Ladder): string {
  const lanes = participantsUsed(ladder);
  const sheet = new Sheet(lanes);
  for (const event of ladder.events) sheet.event(event);
  const bottom = sheet.y + 24;
  const height = bottom + ladder.checks.length * 18 + 24;
  const { width } = sheet;
  const lines = lanes.flatMap(name => {
    const x = sheet.x(name);
    return [
      element('line', { x1: x, y1: TOP, x2: x, y2: bottom, stroke: '#cbd5e1', 'stroke-dasharray': '3 3' }),
      element('rect', { x: x - 52, y: TOP - 28, width: 104, height: 26, rx: 4, fill: '#f1f5f9', stroke: '#94a3b8' }),
      textElement(x, TOP - 11, name, { class: 'name' }),
    ];
  });
  const checks = ladder.checks.map(({ text, ok }, row) =>
    textElement(18, bottom + 20 + row * 18, `${ok ? '✓' : '✗'} ${text}`, {
      style: `fill:${ok ? '#047857' : '#b91c1c'}`,
    }),
  );
  return svgDocument(width, height, ladder.title, STYLE, [
    element('rect', { x: 0, y: 0, width, height, fill: '#fff' }),
    textElement(18, 30, `${ladder.title}  (seed ${ladder.seed})`, { class: 'title' }),
    ...legend(),
    textElement(TIME_WIDTH - 12, TOP - 11, 'ms', { class: 'time' }),
    ...lines,
    ...sheet.body,
    ...checks,
  ]);
}

function legend(): string[] {
  let x = 18;
  return LEGEND.flatMap(([kind, text]) => {
    const at = x;
    x += text.length * LETTER + 46;
    return [
      element('line', { x1: at, y1: 50, x2: at + 20, y2: 50, stroke: COLORS[kind], 'stroke-width': 2 }),
      textElement(at + 26, 54, text),
    ];
  });
}
