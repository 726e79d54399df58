/**
 * The documents that a storm serves: real files of a folder, with their SHA-256 as the clients will check it.
 *
 * Hidden files, node_modules and what would not fit are left out; the order is by name, so that a seed picks the same.
 */
import { createHash } from 'node:crypto';
import { closeSync, type Dirent, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { ChimneyError } from '../base/errors.ts';

export interface Document {
  /** Path of the URI, leading slash. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly sha256: string;
}

const FILES_MAX = 512;
const FILES_SEEN_MAX = 20_000;
const FILE_BYTES_MAX = 8 << 20;
const ALTOGETHER_BYTES_MAX = 64 << 20;

export function documentOf(path: string, bytes: Uint8Array): Document {
  return { path, bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** Every regular file below the folder, sorted by name; hidden ones and what would not fit in memory are left out. */
export function readDocuments(folder: string): Document[] {
  let isFolder = false;
  try {
    isFolder = statSync(folder).isDirectory();
  } catch {
    isFolder = false;
  }
  if (!isFolder) throw new ChimneyError('ERR_CHIMNEY_WWW', `--www: no such folder: ${folder}`);
  const documents: Document[] = [];
  let altogether = 0;
  for (const file of filesBelow(folder, { left: FILES_SEEN_MAX })) {
    if (documents.length === FILES_MAX) break;
    const bytes = contentOf(file, Math.min(FILE_BYTES_MAX, ALTOGETHER_BYTES_MAX - altogether));
    if (bytes === null) continue;
    altogether += bytes.length;
    const path = `/${relative(folder, file).split(sep).map(encodeURIComponent).join('/')}`;
    documents.push(documentOf(path, bytes));
  }
  if (documents.length === 0) {
    throw new ChimneyError('ERR_CHIMNEY_WWW', `--www: no files to serve in ${folder}`);
  }
  return documents;
}

/**
 * What a file holds, or null for one that is too large, unreadable, or gone since. Reads as much as its size says and no
 * more: some files of a system never end.
 */
function contentOf(file: string, bytesMax: number): Uint8Array | null {
  try {
    const fd = openSync(file, 'r');
    try {
      const { size } = fstatSync(fd);
      if (size > bytesMax) return null;
      const bytes = new Uint8Array(size);
      return bytes.subarray(0, size === 0 ? 0 : readSync(fd, bytes));
    } finally {
      closeSync(fd);
    }
  } catch {
    return null;
  }
}

/** @param budget entries that may still be looked at: a folder may turn out to be a whole disk */
function filesBelow(folder: string, budget: { left: number }): string[] {
  const files: string[] = [];
  for (const entry of entriesOf(folder)) {
    if (budget.left-- <= 0) break;
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) files.push(...filesBelow(path, budget));
    else if (entry.isFile()) files.push(path);
  }
  return files.sort();
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
