/**
 * Preloaded by `profile.mjs`. Clinic injects its sampler through NODE_OPTIONS, which worker threads inherit: all of them
 * then write the one file of the process, and the report cannot be made. So workers start here without those options.
 */
'use strict';
const { syncBuiltinESMExports } = require('node:module');
const threads = require('node:worker_threads');

if (threads.isMainThread) {
  threads.Worker = class Worker extends threads.Worker {
    constructor(file, options = {}) {
      const given = typeof options.env === 'object' ? options.env : process.env;
      super(file, { ...options, env: { ...given, NODE_OPTIONS: '' } });
    }
  };
  syncBuiltinESMExports(); // for `import { Worker } from 'node:worker_threads'`
}
