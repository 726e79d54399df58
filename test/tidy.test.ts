/**
 * House rules that no linter knows, after TigerBeetle's tidy.zig: file and function length, the opening comment, names,
 * the form of spec labels. Every offender is reported at once.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;

interface SourceFile {
  path: string;
  text: string;
  lines: string[];
}

function filesUnder(folder: string): SourceFile[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .sort()
    .map(name => {
      const path = join(folder, name);
      const text = readFileSync(path, 'utf8');
      return { path, text, lines: text.replace(/\n$/, '').split('\n') };
    });
}

const sources = filesUnder('src');

/** Runs a check on each file and fails with the list of all that it found. */
function expectNone(check: (file: SourceFile) => string[], files = sources): void {
  const offenders = files.flatMap(file => check(file).map(problem => `${file.path}${problem}`));
  expect(offenders.length, `${offenders.length} offender(s):\n  ${offenders.join('\n  ')}\n`).toBe(0);
}

/** The lines that match, as `:12: text`. */
function linesWith(file: SourceFile, pattern: RegExp): string[] {
  return file.lines.flatMap((line, at) => (pattern.test(line) ? [`:${at + 1}: ${line.trim()}`] : []));
}

/** Code only: comments, strings and templates are blanked out, lines stay. Good enough for source that Prettier formats. */
function withoutComments(text: string): string {
  const pattern = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g;
  return text.replace(pattern, part => part.replace(/[^\n]/g, ' '));
}

/**
 * Functions that are longer than allowed. Relies on Prettier: a function opens on a line that ends in `{` and closes at
 * the next `}` with the same indentation. Classes, object literals and plain blocks are not functions.
 */
function longFunctions(file: SourceFile): string[] {
  const lines = withoutComments(file.text).split('\n');
  const opensFunction =
    /^(?<indent>\s*)(?!(?:if|else|for|while|do|switch|try|catch|finally|return\s*\{|class|interface|type|namespace)\b)(?:.*\bfunction\b.*|.*=>|[\w$#\s*<>,]*[\w$#\]>]\(.*\)(?:: .*)?|\)(?:: .*)?) \{$/;
  return lines.flatMap((line, start) => {
    const indent = opensFunction.exec(line)?.groups?.['indent'];
    if (indent === undefined || /^\s*\}/.test(line)) return [];
    const length = lines.slice(start).findIndex(later => later.startsWith(`${indent}}`)) + 1;
    return length > FUNCTION_LINES_MAX
      ? [`:${start + 1}: function of ${length} lines, ${FUNCTION_LINES_MAX} at most`]
      : [];
  });
}

/** Labels as `generate-docs` collects them; a near miss would be lost from the list of what is complied with. */
function badLabels(file: SourceFile): string[] {
  return file.lines.flatMap((line, at) => {
    const problems: string[] = [];
    if (/\b(?:RFC|rfc|Rfc)[-_#]?\d{3,5}\b/.test(line)) problems.push('write "RFC 9293", with a space');
    if (/\brfc \d/i.test(line) && !/\bRFC \d/.test(line)) problems.push('write RFC in capitals');
    if (/\b(?:MUST|SHLD|MAY|REC) \d+\b/.test(line)) problems.push('write MUST-10, with a hyphen');
    if (/\b(?:must|shld)-\d+\b/.test(line) || /\bSHOULD-\d+\b/.test(line)) problems.push('write MUST-n or SHLD-n');
    if (
      /\bDEVIATION\b/.test(line) &&
      !/\bDEVIATION (?:RFC \d+|IEEE [\w.]+|802\.\w+|NDIS|DDI|RSS|R\d+)\b[^:]*:/.test(line)
    ) {
      problems.push('write "DEVIATION RFC 9293 SHLD-n: what, because why"');
    }
    return problems.map(problem => `:${at + 1}: ${problem}`);
  });
}

describe('every file of src', () => {
  test(`has at most ${FILE_LINES_MAX} lines`, () => {
    expectNone(({ lines }) => (lines.length > FILE_LINES_MAX ? [`: ${lines.length} lines`] : []));
    const lengths = sources.map(file => file.lines.length).sort((a, b) => a - b);
    console.log(
      `src: ${lengths.length} files, median ${lengths[lengths.length >> 1]} lines, longest ${lengths.at(-1)}`,
    );
  });

  test(`has functions of at most ${FUNCTION_LINES_MAX} lines`, () => {
    expectNone(longFunctions);
  });

  test('opens with a block comment of two lines or more that says what it is', () => {
    expectNone(({ text }) => {
      const comment = /^(?:#![^\n]*\n)?\/\*\*?([\s\S]*?)\*\//.exec(text)?.[1];
      const said = (comment ?? '').split('\n').filter(line => /\w/.test(line));
      return said.length >= 2 ? [] : [`: opens with ${said.length} comment lines`];
    });
  });

  test('is named in kebab-case, as are its folders', () => {
    expectNone(({ path }) => (/^src(?:\/[a-z0-9]+(?:-[a-z0-9]+)*)+\.ts$/.test(path) ? [] : [': not kebab-case']));
  });

  test('is no barrel: the one index.ts is the public surface', () => {
    expectNone(({ path, text }) => [
      ...(basename(path) === 'index.ts' && path !== 'src/index.ts' ? [': index.ts in a folder'] : []),
      ...(path !== 'src/index.ts' && /^export \* from/m.test(text) ? [': export * from'] : []),
    ]);
  });

  test('leaves nothing for later', () => {
    expectNone(file => linesWith(file, /\b(?:TODO|FIXME|XXX|HACK)\b/));
  });

  test('is typed: no any, no silenced compiler or linter', () => {
    expectNone(file => [
      ...linesWith(file, /@ts-(?:ignore|nocheck|expect-error)|(?:oxlint|eslint)-disable(?!.* -- )/),
      ...linesWith({ ...file, lines: withoutComments(file.text).split('\n') }, /(?::|<|\bas|\|) ?any\b(?!\s*\()/),
    ]);
  });

  test('imports its neighbours as ./name.ts', () => {
    expectNone(file => linesWith(file, /\bfrom '\.{1,2}\/[^']*(?<!\.ts)'/));
  });

  test('writes spec labels so that they can be collected', () => {
    expectNone(badLabels);
    expectNone(
      badLabels,
      filesUnder('test').filter(file => file.path !== 'test/tidy.test.ts'),
    );
  });
});

describe('the checks themselves', () => {
  const file = (text: string): SourceFile => ({ path: 'x.ts', text, lines: text.split('\n') });
  const body = (lines: number): string => '    step();\n'.repeat(lines);

  test.each([
    ['function', `export function f(a: number): void {\n${body(69)}}\n`],
    ['method', `class A {\n  async work(a: Map<string, number>): Promise<void> {\n${body(69)}  }\n}\n`],
    ['private method', `class A {\n  #work(): void {\n${body(69)}  }\n}\n`],
    ['arrow function', `const f = (a: number): void => {\n${body(69)}};\n`],
    ['method with a parameter a line', `class A {\n  work(\n    a: number,\n  ): void {\n${body(69)}  }\n}\n`],
  ])('notice a long %s', (_name, text) => {
    expect(longFunctions(file(text))).toHaveLength(1);
    expect(longFunctions(file(text.replace('    step();\n    step();\n', '    step();\n')))).toHaveLength(0);
  });

  test.each([
    ['class', `export class A extends B {\n${body(90)}}\n`],
    ['object', `export const A = {\n${body(90)}};\n`],
    ['interface', `export interface A {\n${body(90)}}\n`],
    ['switch', `switch (f(x)) {\n${body(90)}}\n`],
    ['comment', `/*\nfunction f() {\n${body(90)}}\n*/\n`],
  ])('take no long %s for a function', (_name, text) => {
    expect(longFunctions(file(text))).toHaveLength(0);
  });

  test('notice a label in the wrong form', () => {
    const wrong = ['// RFC9293 MUST-10', '// RFC 9293 MUST 10', '// RFC 9293 SHOULD-2', '// DEVIATION: just so'];
    for (const label of wrong) expect(badLabels(file(label)), label).not.toHaveLength(0);
    const right = ['// RFC 9293 MUST-10: simultaneous open', '// DEVIATION RFC 9293 SHLD-3: none, because of it'];
    for (const label of right) expect(badLabels(file(label)), label).toHaveLength(0);
  });
});
