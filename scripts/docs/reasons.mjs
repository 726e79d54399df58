/**
 * Why a case or requirement has no test that names it. Everything else must have one: see MISSING_FAILS in compliance.mjs.
 */
export const REASONS = {
  R46: 'shape of the program: src/machine-threads.ts starts a thread for each NIC and keeps the host in its own',
  R48: 'shape of the program: npm run bench, npm start and npm run profile:doctor',
  R49: 'shape of the project: package.json',
  R50: 'shape of the project: the folders under src, bench and test',
};
