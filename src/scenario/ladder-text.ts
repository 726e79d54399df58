/**
 * A ladder as text, at most 120 columns: time, the figure's number, who to whom, what. Block lists are trees under the
 * line that carried them, with the device's handles.
 */
import { type Ladder, type LadderEvent, listLines, milliseconds } from './ladder.ts';

const WIDTH = 120;
const TIME_WIDTH = 10;
const STEP_WIDTH = 9;
/** Rows of a tree that are written out. */
const ROW_MAX = 8;

export function ladderText(ladder: Ladder): string {
  const whoWidth = Math.max(...ladder.participants.map(name => name.length));
  const lines = [`${ladder.title}   (seed ${ladder.seed})`, ''];
  lines.push(columns('ms', 'figure', 'who'.padEnd(whoWidth), '  ', 'to whom'.padEnd(whoWidth), 'what'));
  for (const event of ladder.events) lines.push(...eventLines(event, whoWidth));
  lines.push('');
  if (ladder.leftOut > 0) lines.push(`${ladder.leftOut} data calls and frames of other connections left out`, '');
  for (const { text, ok } of ladder.checks) lines.push(`${ok ? 'ok    ' : 'FAILED'}  ${text}`);
  lines.push('', ladder.ok ? 'As the figure says.' : 'FAILED: not as the figure says.');
  return `${lines.join('\n')}\n`;
}

function columns(time: string, step: string, from: string, arrow: string, to: string, text: string): string {
  const head = `${time.padStart(TIME_WIDTH)}  ${step.padEnd(STEP_WIDTH)} ${from} ${arrow} ${to}  `;
  return wrapped(head, text);
}

function eventLines(event: LadderEvent, whoWidth: number): string[] {
  const { us, kind, from, to, text, step } = event;
  const time = milliseconds(us);
  if (kind === 'act') return ['', `${''.padStart(TIME_WIDTH)}  ${step === '' ? '' : `${step}  `}${text}`, ''];
  const isAlone = kind === 'log' || from === to;
  const arrow = isAlone ? '  ' : '→ ';
  const target = isAlone ? (kind === 'log' ? '(log)' : '') : to;
  const lines = [columns(time, step, from.padEnd(whoWidth), arrow.trimEnd().padEnd(2), target.padEnd(whoWidth), text)];
  const indent = ' '.repeat(TIME_WIDTH + 2 + STEP_WIDTH + 1 + whoWidth + 4);
  return [...lines, ...listLines(event, ROW_MAX).map(line => (indent + line).slice(0, WIDTH))];
}

/** The text in as many lines as it needs, all in its column. */
function wrapped(head: string, text: string): string {
  const width = WIDTH - head.length;
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines
    .map((part, index) => (index === 0 ? head : ' '.repeat(head.length)) + part)
    .join('\n')
    .trimEnd();
}
