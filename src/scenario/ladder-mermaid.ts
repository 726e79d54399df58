/**
 * A ladder as a Mermaid sequence diagram: text that Markdown renderers draw. Acts become notes across all lifelines, block
 * lists their compact form.
 */
import { compactTree } from './block-tree.ts';
import { type Ladder, type LadderEvent, milliseconds, participantsUsed } from './ladder.ts';

export function ladderMermaid(ladder: Ladder): string {
  const participants = participantsUsed(ladder);
  const first = idOf(participants[0]!);
  const last = idOf(participants.at(-1)!);
  const lines = ['sequenceDiagram', `  %% ${ladder.title}, seed ${ladder.seed}`];
  for (const name of participants) lines.push(`  participant ${idOf(name)} as ${name}`);
  for (const event of ladder.events) lines.push(`  ${lineOf(event, first, last)}`);
  return `${lines.join('\n')}\n`;
}

function lineOf(event: LadderEvent, first: string, last: string): string {
  const { us, kind, from, to, step } = event;
  const number = step === '' ? '' : `[${step}] `;
  if (kind === 'act') return `Note over ${first},${last}: ${escaped(`${number}${event.text}`)}`;
  const words = escaped(`${milliseconds(us)} ${number}${labelOf(event)}`);
  if (kind === 'log') return `Note over ${idOf(from)}: ${words}`;
  const arrow = kind === 'frame' || kind === 'data' ? '->>' : '-)';
  return `${idOf(from)}${arrow}${idOf(from === to ? from : to)}: ${words}`;
}

/** What happened, with the block list in one word. */
export function labelOf({ text, tree }: LadderEvent): string {
  if (tree === null) return text;
  return `${text}  ${compactTree(tree, text.startsWith('initiate'))}`;
}

/** Dots and hyphens are Mermaid's. */
function idOf(name: string): string {
  return name.replaceAll(/\W/g, '_');
}

/** `;` ends a statement, `#` begins an entity. */
function escaped(text: string): string {
  return text.replaceAll(/[#;<>]/g, character => `#${character.charCodeAt(0)};`);
}
