/**
 * Of docs/compliance.md: a section for each RFC that is obeyed, with its clauses: where the sources say that they follow one, and which
 * tests and scripts show it.
 *
 * A clause is what stands behind the number of an RFC in a comment, a title or a script: a label (MUST-10), a section (3.2)
 * or an appendix (A.2). DEVIATION in a comment marks what is done otherwise, with the reason behind it.
 */
import { filesBelow, table } from './files.mjs';
import { RFC_TITLES } from './rfc-titles.mjs';
import { titlesIn } from './test-titles.mjs';

const CLAUSE = String.raw`(?:MUST|SHLD|MAY)-\d+|\d+(?:\.\d+)*[a-z]?|[A-Z]\.\d+(?:\.\d+)*|[Aa]ppendix [A-Z](?:\.\d+)*`;
const CITED = new RegExp(String.raw`\b(DEVIATION )?RFC (\d{3,4})((?:,? (?:and |to )?(?:${CLAUSE})(?![\w-]))*)`, 'g');
const ONE_CLAUSE = new RegExp(CLAUSE, 'g');
/** Clauses without a number of their own. */
const WHOLE = 'as a whole';

/** `{ rfc, clause, deviation }` of each citation in a text. */
function* citationsIn(text) {
  for (const [, deviation, rfc, list] of text.matchAll(CITED)) {
    const clauses = list.match(ONE_CLAUSE) ?? [WHOLE];
    for (const clause of clauses) yield { rfc: Number(rfc), clause, deviation: deviation !== undefined };
  }
}

/** By rfc, by clause: → { sources, tests, deviation }. */
class Book {
  #rfcs = new Map();

  entry(rfc, clause) {
    const clauses = this.#rfcs.get(rfc) ?? new Map();
    this.#rfcs.set(rfc, clauses);
    const entry = clauses.get(clause) ?? { sources: new Set(), tests: new Set(), deviation: false };
    clauses.set(clause, entry);
    return entry;
  }

  /** Only RFCs that the sources cite: a test alone does not make one obeyed. */
  *chapters() {
    const numbers = [...this.#rfcs.keys()].sort((a, b) => a - b);
    for (const rfc of numbers) {
      const clauses = [...this.#rfcs.get(rfc)];
      if (clauses.every(([, { sources }]) => sources.size === 0)) continue;
      clauses.sort(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b, 'en', { numeric: true }));
      yield { rfc, clauses };
    }
  }
}

/** Labels first, then sections, then appendices; the whole at the end. */
function rank(clause) {
  if (/^(?:MUST|SHLD|MAY)/.test(clause)) return 0;
  if (/^\d/.test(clause)) return 1;
  return clause === WHOLE ? 3 : 2;
}

/** A comment's words may be broken over two lines. */
function joinLines(text) {
  return text.replaceAll(/\n\s*(?:\*|\/\/) ?/g, match => ' '.repeat(match.length));
}

function readSources(book) {
  for (const { path, text } of filesBelow('src')) {
    const lineOf = index => text.slice(0, index).split('\n').length;
    for (const match of joinLines(text).matchAll(CITED)) {
      for (const { rfc, clause, deviation } of citationsIn(match[0])) {
        const entry = book.entry(rfc, clause);
        entry.sources.add(`\`${path.replace(/^src\//, '')}:${lineOf(match.index)}\``);
        entry.deviation ||= deviation;
      }
    }
  }
}

function readTests(book) {
  for (const { path, text } of filesBelow('test')) {
    for (const title of titlesIn(text)) {
      for (const { rfc, clause } of citationsIn(title))
        book.entry(rfc, clause).tests.add(`\`${path.replace(/^test\//, '')}\``);
    }
  }
  for (const { path, text } of filesBelow('test/packetdrill', '.pkt')) {
    for (const { rfc, clause } of citationsIn(text))
      book.entry(rfc, clause).tests.add(`\`${path.replace(/^test\//, '')}\``);
  }
}

/** The part's lines, and RFCs that have no title yet. */
export function rfcs() {
  const book = new Book();
  readSources(book);
  readTests(book);
  const parts = [
    '## Requirements of the RFCs',
    '',
    'From comments in `src`, titles of tests and packetdrill scripts. A clause without a test is followed by the code, but no test',
    'names it; ⚠ marks a deviation, whose reason stands at the line.',
  ];
  const untitled = [];
  for (const { rfc, clauses } of book.chapters()) {
    const title = RFC_TITLES[rfc];
    if (title === undefined) untitled.push(rfc);
    parts.push('', `### RFC ${rfc}: ${title ?? '?'}`, '');
    const rows = clauses.map(([clause, { sources, tests, deviation }]) => [
      deviation ? `${clause} ⚠` : clause,
      [...sources].join(' '),
      [...tests].toSorted((a, b) => a.localeCompare(b)).join(' '),
    ]);
    parts.push(...table(['clause', 'in the sources', 'shown by'], rows));
  }
  return { parts, untitled };
}
