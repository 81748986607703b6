import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { SlowFirst } from './tests/support/slow-first.ts';

// What only a server can show (connections that die, many at once, many processes) wants one: `*.postgres.test.ts`. What
// no database has a part in is not run again beside a server.
const SAME_BESIDE_EVERY_DATABASE = [
  'tests/api/bad-input.test.ts',
  'tests/browser/**',
  'tests/core/{html,log-*,logger,network,openid-fetch,outbound,password*,payments,recovery-phrase,sealed-stream,storage}.test.ts',
  'tests/database/data-directory.test.ts',
  'tests/docs/{code,queries,webhook-receivers}.test.ts',
  'tests/files/avatars.test.ts',
  'tests/house/**',
  'tests/mail/{letters,resend}.test.ts',
  'tests/process/start.test.ts',
  'tests/shipping/image.test.ts',
];

export default defineConfig({
  resolve: {
    // The file that Node.js gives to everybody's `import 'graphql'`. Vite would choose the package's other build for
    // our own files, and graphql refuses to work with two copies of itself ("another module or realm").
    alias: [
      { find: /^graphql$/, replacement: fileURLToPath(new URL('./node_modules/graphql/index.js', import.meta.url)) },
    ],
  },
  test: {
    include: ['tests/**/*.test.ts'],
    // Faults have a configuration of their own.
    exclude: [
      'tests/faults/**',
      ...(process.env.TEST_DATABASE_URL ? SAME_BESIDE_EVERY_DATABASE : ['tests/**/*.postgres.test.ts']),
    ],
    environment: 'node',
    pool: 'forks',
    // Each worker may hold an embedded PostgreSQL, which takes up to half a gigabyte.
    maxWorkers: 2,
    // One process runs many files, since loading the product and compiling PGlite takes seconds each time. Nothing of the
    // product outlives its `App`, and every harness has a database of its own.
    isolate: false,
    sequence: { sequencer: SlowFirst },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    globalSetup: ['tests/support/global-setup.ts'],
  },
});
