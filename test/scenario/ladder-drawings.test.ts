/** A ladder drawn: SVG that is XML and has everything, Mermaid that begins as it must and escapes what it has to. */
import { describe, expect, test } from 'vitest';
import { FIGURES } from '../../src/scenario/figures/figures.ts';
import type { Ladder } from '../../src/scenario/ladder.ts';
import { ladderMermaid } from '../../src/scenario/ladder-mermaid.ts';
import { ladderSvg } from '../../src/scenario/ladder-svg.ts';
import { parseXml } from '../support/xml.ts';

const ladders = [...FIGURES].map(
  ([name, { run, connections }]) => [name, run({ seed: 1, connections: connections.default })] as const,
);

/** Everything that a drawing has to mind. */
const AWKWARD: Ladder = {
  figure: 'figX',
  title: 'A <title> & "more"',
  seed: 1,
  participants: ['app', 'team0.10', 'nic-0'],
  events: [
    { us: 0, kind: 'act', from: '', to: '', text: 'one; two # <three>', step: '1', tree: null },
    { us: 1500, kind: 'call', from: 'app', to: 'team0.10', text: 'a & b <c>', step: '330', tree: null },
    { us: 1500, kind: 'call', from: 'app', to: 'app', text: 'to itself', step: '', tree: null },
    { us: 2000, kind: 'log', from: 'team0', to: '', text: 'of one that has no lifeline', step: '910', tree: null },
  ],
  leftOut: 0,
  checks: [{ text: '1 < 2', ok: false }],
  ok: false,
};

describe('SVG', () => {
  test.each(ladders)('of %s is well-formed and has every label, number and lifeline', (_name, ladder) => {
    const svg = ladderSvg(ladder);
    const names = parseXml(svg);
    expect(names[0]).toBe('svg');
    expect(names.filter(name => name === 'path').length).toBeGreaterThan(ladder.events.length / 2);
    const { events, participants, checks } = ladder;
    for (const { text, step } of events) {
      expect(svg).toContain(text.replaceAll('"', '&quot;'));
      expect(svg).toContain(step);
    }
    const used = participants.filter(name => events.some(({ from, to }) => from === name || to === name));
    for (const name of used) expect(svg).toContain(`>${name}</text>`);
    for (const check of checks) expect(svg).toContain(`✓ ${check.text}`);
  });

  test('draws nothing outside of the sheet', () => {
    for (const [, ladder] of ladders) {
      const svg = ladderSvg(ladder);
      const [, width, height] = /width="(\d+)" height="([\d.]+)"/.exec(svg)!.map(Number) as [number, number, number];
      for (const [, x, y] of svg.matchAll(/<text x="([-\d.]+)" y="([-\d.]+)"/g)) {
        expect(Number(x)).toBeGreaterThanOrEqual(0);
        expect(Number(x)).toBeLessThan(width);
        expect(Number(y)).toBeLessThan(height);
      }
    }
  });

  test('escapes what it is given', () => {
    const svg = ladderSvg(AWKWARD);
    parseXml(svg);
    expect(svg).toContain('a &amp; b &lt;c&gt;');
    expect(svg).toContain('✗ 1 &lt; 2');
  });
});

describe('Mermaid', () => {
  test.each(ladders)('of %s is a sequence diagram with every participant and message', (_name, ladder) => {
    const lines = ladderMermaid(ladder).split('\n');
    expect(lines[0]).toBe('sequenceDiagram');
    const messages = lines.filter(line => /^ {2}\w+(->>|-\))\w+: /.test(line));
    const notes = lines.filter(line => /^ {2}Note over \w+(,\w+)?: /.test(line));
    const participants = lines.filter(line => /^ {2}participant \w+ as \S+$/.test(line));
    const hasOther = ladder.events.filter(({ kind }) => kind === 'act' || kind === 'log');
    expect(notes).toHaveLength(hasOther.length);
    expect(messages).toHaveLength(ladder.events.length - hasOther.length);
    expect(participants.length).toBeGreaterThan(5);
    expect(lines.length).toBe(2 + participants.length + messages.length + notes.length + 1);
  });

  test('escapes what it is given', () => {
    const text = ladderMermaid(AWKWARD);
    expect(text).toContain('[1] one#59; two #35; #60;three#62;');
    expect(text).toContain('participant team0_10 as team0.10');
  });
});
