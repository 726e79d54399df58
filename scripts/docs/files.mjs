/** What the generators read: the project's files, and its compiled modules. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** A module of dist, by its path in src without the extension. */
export const dist = path => import(new URL(`../../dist/${path}.js`, import.meta.url));

/** Files below a folder as `{ path, text }`, in one order everywhere. */
export function filesBelow(folder, ending = '.ts') {
  const paths = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map(name => join(folder, name).replaceAll('\\', '/'))
    .filter(path => path.endsWith(ending));
  return paths.toSorted().map(path => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

/** A Markdown table; columns named `:` at the end are aligned to the right. */
export function table(columns, rows) {
  const cell = text => String(text).replaceAll('|', '\\|');
  const line = cells => `| ${cells.map(cell).join(' | ')} |`;
  const names = columns.map(name => name.replace(/:$/, ''));
  const rule = columns.map(name => (name.endsWith(':') ? '---:' : '---'));
  return [line(names), `|${rule.join('|')}|`, ...rows.map(line)];
}
