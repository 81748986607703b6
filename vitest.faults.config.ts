import { mergeConfig } from 'vitest/config';
import suite from './vitest.config.ts';

// Faults: servers are killed, paused and filled, one file after the other. Not part of `npm test`.
const faults = mergeConfig(suite, {
  test: {
    testTimeout: 240_000,
    hookTimeout: 120_000,
    fileParallelism: false,
    // Servers run within the tests' process, too; what became of one must not be seen by the next file.
    isolate: true,
    setupFiles: ['tests/support/faults-each.ts'],
  },
});
const quick = ['tests/faults/*.quick.test.ts'];
faults.test.include = process.env.FAULTS === 'quick' ? quick : ['tests/faults/*.test.ts'];
faults.test.exclude = [];
faults.test.globalSetup = ['tests/support/faults-setup.ts'];

export default faults;
