/**
 * `npm start` and `npm run chimney`: makes the clone ready, then runs the command line in this very process, so that
 * signals, standard streams and the exit code are the command's own.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureBuilt, ensureInstalled, root } from './setup.mjs';

ensureInstalled();
ensureBuilt();
const main = join(root, 'dist', 'cli', 'main.js');
process.argv[1] = main;
await import(pathToFileURL(main).href);
