/**
 * Commands of the docs that no test runs, each with its reason. A command that is neither here nor among those that
 * `commands.postgres.test.ts` runs fails the build: whoever writes it down finds out whether it can be run, first.
 */
export const NOT_RUN: readonly { readonly starts: string; readonly because: string }[] = [
  { starts: 'npm ci', because: 'every run of the suite begins with it' },
  { starts: 'npm start', because: 'serves until it is stopped; tests/process starts the same program' },
  { starts: 'npm test', because: 'is this suite' },
  {
    starts: 'npm run demo',
    because: 'builds into dist/, which other tests use at the same time; CI of the demo itself',
  },
  {
    starts: 'npm run spa',
    because: 'serves until it is stopped; tests/browser/spa.test.ts builds and drives that app',
  },
  { starts: 'npm run bench', because: 'takes minutes and a quiet machine' },
];

/** First words of commands that are run as they stand. */
export const RUN: readonly string[] = [
  'cat',
  'credence',
  'curl',
  'echo',
  'export',
  'mkdir',
  'node',
  'openssl',
  'printf',
  'python3',
  'sed',
  'test',
];
