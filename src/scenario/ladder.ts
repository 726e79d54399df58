/**
 * What a ladder is: the events of one operation in the order in which they happened, with who, to whom and when, the
 * numbers that the figure gives them, and the checks that say whether the operation did what the figure says.
 *
 * ladder-text.ts, ladder-svg.ts and ladder-mermaid.ts draw it; figures/ make it.
 */
import { type BlockNode, treeLines } from './block-tree.ts';

/** `act` is a heading, `log` a line of the administrator's event log; the others are messages between two participants. */
export type LadderKind = 'act' | 'call' | 'data' | 'frame' | 'application' | 'log';

export interface LadderEvent {
  /** Virtual µs since the ladder began. */
  readonly us: number;
  readonly kind: LadderKind;
  readonly from: string;
  readonly to: string;
  readonly text: string;
  /** Numbers of the figure, or empty. */
  readonly step: string;
  /** The block list that went with it. */
  readonly tree: readonly BlockNode[] | null;
}

export interface LadderCheck {
  readonly text: string;
  readonly ok: boolean;
}

export interface Ladder {
  readonly figure: string;
  readonly title: string;
  readonly seed: number;
  /** All participants from the application to the wire. */
  readonly participants: readonly string[];
  readonly events: readonly LadderEvent[];
  /** Data, frames and calls of connections beyond the first few. */
  readonly leftOut: number;
  readonly checks: readonly LadderCheck[];
  readonly ok: boolean;
}

/** The block list of an event, a line a block. */
export function listLines({ tree, text }: LadderEvent, rowMax: number): string[] {
  if (tree === null) return [];
  return treeLines(tree, { rowMax, marksNew: text.startsWith('initiate'), answered: text.includes('complete') });
}

export function milliseconds(us: number): string {
  return (us / 1000).toFixed(3);
}

/** In order; those that nothing goes to or comes from need no lifeline. */
export function participantsUsed(ladder: Ladder): string[] {
  const used = new Set(ladder.events.flatMap(({ from, to }) => [from, to]));
  return ladder.participants.filter(name => used.has(name));
}
