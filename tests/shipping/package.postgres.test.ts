import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, type ServerProcess, startCredence } from '../support/process.js';

const root = resolve(import.meta.dirname, '../..');
const run = promisify(execFile);
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

/** `npm pack` of what is built here, installed into an empty project as anybody would. */
const project = mkdtempSync(join(tmpdir(), 'credence-package-'));
let packed: { filename: string; files: { path: string }[] };
let server: ServerProcess | undefined;

beforeAll(async () => {
  // The suite has compiled; `prepack` would do so again, under the feet of the tests beside.
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', project], {
    cwd: root,
  });
  [packed] = JSON.parse(stdout) as [typeof packed];
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'app', version: '1.0.0', type: 'module' }));
  const install = ['install', `./${packed.filename}`, '--omit=dev', '--prefer-offline', '--no-audit', '--no-fund'];
  await run('npm', install, { cwd: project });
}, 600_000);
afterAll(async () => {
  await server?.end('SIGKILL');
  await rm(project, { recursive: true, force: true });
}, 300_000);

describe('the package', () => {
  it('holds what is needed at run time and nothing else', () => {
    const folders = new Set(packed.files.map(({ path }) => path.split('/')[0]));
    expect([...folders].sort()).toEqual(
      ['.env.example', 'README.md', 'dist', 'docs', 'drizzle', 'package.json', 'schema.graphql', 'src'].sort(),
    );
    const sources = packed.files.filter(({ path }) => path.startsWith('src/')).map(({ path }) => path);
    expect(sources.sort()).toEqual(['src/api/playground/browser.css', 'src/api/playground/browser.js']);
    expect(packed.files.filter(({ path }) => /tsbuildinfo|^dist\/docs\/|\.env$|first-credentials/.test(path))).toEqual(
      [],
    );
  });

  it('has the command line', async () => {
    const { stdout } = await run('npx', ['credence', '--version'], { cwd: project });
    expect(stdout.trim()).toBe(version);
  });

  it('serves with the embedded database, the playground and its letters, and ends when it is told to', async () => {
    const dataDir = join(project, 'data');
    mkdirSync(dataDir);
    const main = join(project, 'node_modules/credence/dist/main.js');
    server = await startCredence({ DATA_DIR: dataDir }, { main });
    const input = { username: 'ada', email: 'ada@example.com', password: 'violet tractor sings 77 at dusk' };
    const { data } = await ask(server.url, {
      query: 'mutation($input: RegisterInput!) { register(input: $input) { user { username } } }',
      variables: { input },
    });
    expect(data.register.user.username).toBe('ada');
    const page = await (await fetch(`${server.url}/playground`)).text();
    const assets = [...page.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map((match) => match[1]);
    expect(assets.length).toBeGreaterThan(4);
    for (const asset of assets) expect((await fetch(server.url + asset)).status, asset).toBe(200);
    expect(await server.end('SIGTERM')).toBe(0);
  }, 120_000);

  it('gives its client to whoever imports it', async () => {
    const script = `import * as client from 'credence/client'; console.log(Object.keys(client).join())`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { cwd: project });
    expect(stdout).toContain('createCredenceClient');
  });
});
