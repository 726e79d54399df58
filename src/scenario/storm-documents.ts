/**
 * The documents that a storm serves unless told otherwise: the project's own. Small text files only, so that a reply is
 * a few KB on average, as the web's were (¶15).
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Document, documentOf, readDocuments } from './documents.ts';

/** What the project wrote for people to read; in an installed package some of it is missing. */
const FOLDERS = ['docs', 'examples'];
const FILES = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'package.json'];
const TEXT = /\.(?:md|txt|svg|html|json|ts|mjs|js)$/;
const SMALL_BYTES = 12 << 10;

/** @param root folder of package.json */
export function ownDocuments(root: string): Document[] {
  const documents: Document[] = [];
  for (const name of FILES) {
    const path = join(root, name);
    if (existsSync(path) && statSync(path).isFile()) documents.push(documentOf(`/${name}`, readFileSync(path)));
  }
  for (const folder of FOLDERS) {
    for (const { path: below, bytes } of documentsIn(join(root, folder))) {
      if (TEXT.test(below)) documents.push(documentOf(`/${folder}${below}`, bytes));
    }
  }
  return documents.filter(({ bytes }) => bytes.length > 0 && bytes.length <= SMALL_BYTES);
}

function documentsIn(folder: string): Document[] {
  return existsSync(folder) && readdirSync(folder).length > 0 ? readDocuments(folder) : [];
}

/** The documents of a folder that the user named, or the project's own. */
export function stormDocuments(www: string | null, root: string): Document[] {
  return www === null ? ownDocuments(root) : readDocuments(www);
}
