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
    because: 'builds dist/ anew, which other tests use at the same time',
  },
  {
    starts: 'npm run spa',
    because: 'serves until it is stopped; tests/browser/spa.test.ts builds and drives that app',
  },
  { starts: 'npm pack', because: 'builds dist/ anew; tests/shipping packs, installs and starts the package' },
  { starts: 'npm install', because: 'tests/shipping installs the package into an empty project' },
  { starts: 'npx credence serve', because: 'serves until it is stopped; tests/shipping starts the installed package' },
  { starts: 'cd deploy', because: 'goes where Docker finds its files' },
  { starts: 'cp compose.env.example', because: 'of the same block' },
  {
    starts: 'docker',
    because: 'no engine where the suite runs; tests/shipping checks files and the folder of the image',
  },
  {
    starts: 'kubectl',
    because: 'no cluster where the suite runs; tests/shipping holds the manifests against the models',
  },
  {
    starts: 'npm run test:faults',
    because: 'takes minutes, and servers of its own; CI runs the quick part',
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
