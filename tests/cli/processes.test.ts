import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createProgress } from '../../src/cli/progress.js';
import { findPostgresServer } from '../support/database.js';
import { ask, createPlace, spawnCredence, startCredence } from '../support/process.js';
import { freePort } from '../support/programs.js';
import { credence, type Ended, jsonOf } from './command.js';

let place: Awaited<ReturnType<typeof createPlace>>;
const run = (...args: string[]) => credence(place.env, args);

beforeAll(async () => {
  place = await createPlace();
  if (findPostgresServer()) await run('migrate', 'up');
});
afterAll(() => place.dispose());

describe('how commands end', () => {
  it('0 for help and version, 2 for what is no command line, and with a hint', async () => {
    const help = await run('--help');
    expect(help).toMatchObject({ code: 0, stderr: '' });
    for (const name of ['serve', 'migrate', 'admin', 'users', 'backup', 'restore', 'doctor'])
      expect(help.stdout).toContain(name);
    expect((await run('users', 'import', '--help')).stdout).toContain('$ credence users import');
    expect((await run('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    for (const args of [
      ['nonsense'],
      ['admin', 'create'],
      ['ledger', 'verify', '--jsn'],
      ['migrate', 'down', '--steps', '0'],
    ]) {
      const { code, stdout, stderr } = await run(...args);
      expect({ code, stdout }, args.join(' ')).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(/^error: |^Usage/m);
    }
  }, 60_000);

  it('as they would, when nobody reads what they print', async () => {
    const { child, output } = spawnCredence(place.env, ['--help']);
    child.stdout?.destroy();
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(output()).toBe('');
  }, 60_000);

  it('only by a signal, when it is the server, and nobody reads what it prints', async () => {
    const PORT = String(await freePort());
    const { child, output } = spawnCredence({ ...place.env, PORT, LOG_LEVEL: 'info' });
    child.stdout?.destroy();
    const url = `http://127.0.0.1:${PORT}`;
    const alive = () => fetch(`${url}/health/ready`);
    expect((await vi.waitFor(alive, { timeout: 30_000 })).status).toBe(200);
    for (const _ of [1, 2, 3]) expect((await ask(url, { query: '{ serviceInfo { name } }' })).code).toBeUndefined();
    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(output()).toBe('');
  }, 60_000);

  it('2 for a configuration that cannot be used, which --json says, too', async () => {
    const ended = await credence({ ...place.env, PORT: 'x' }, ['keys', 'rotate', '--json']);
    expect(ended.code).toBe(2);
    expect(jsonOf(ended)).toMatchObject({
      ok: false,
      error: { code: 'CONFIGURATION', message: expect.stringContaining('PORT') },
    });
  }, 60_000);

  it('1 where there is no database, and none is made', async () => {
    const DATA_DIR = await mkdtemp(join(place.dataDir, 'elsewhere-'));
    const url = place.env.DATABASE_URL;
    const ended = await credence({ DATA_DIR, ...(url && { DATABASE_URL: `${url}_nowhere` }) }, ['audit', 'verify']);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toMatch(/There is no database in|does not exist/);
    expect(readdirSync(DATA_DIR)).toEqual([]);
  }, 60_000);
});

describe('making accounts and keys', () => {
  it('an admin signs in with what was read from standard input or printed once, and stdout holds the result alone', async () => {
    const args = ['admin', 'create', '--username', 'grace', '--email', 'grace@example.com', '--json'];
    const weak = await credence(place.env, [...args, '--password-stdin'], 'short\n');
    expect(weak.code).toBe(1);
    expect(jsonOf(weak).error.code).toBe('WEAK_PASSWORD');
    const made = await run(...args, '--permissions', 'users:read, audit:read');
    expect(made).toMatchObject({ code: 0, stderr: '' });
    const { admin, password } = jsonOf(made);
    expect(admin).toMatchObject({ username: 'grace', permissions: ['users:read', 'audit:read'] });
    expect(password).toMatch(/^[\w-]{24}$/);
    const again = await run(...args);
    expect(again).toMatchObject({ code: 1, stderr: 'That username or email address is taken.\n' });
    expect(jsonOf(again)).toEqual({ ok: false, error: { code: 'USER_ALREADY_EXISTS', message: again.stderr.trim() } });
    const service = jsonOf(
      await run('service', 'create', '--name', 'billing', '--scopes', 'tokens:validate', '--json'),
    );
    const rotated = jsonOf(await run('keys', 'rotate', '--immediately', '--json'));
    const server = await startCredence(place.env);
    const ask = async (query: string, headers: Record<string, string> = {}) => {
      const response = await fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ query }),
      });
      return JSON.stringify(await response.json());
    };
    expect(
      await ask(`mutation { adminLogin(input: { identifier: "grace", password: "${password}" }) { __typename } }`),
    ).toContain('AdminAuthPayload');
    expect(await ask('{ validateToken(token: "x") { code } }', { 'x-api-key': service.key })).toContain('MALFORMED');
    const keys = await (await fetch(`${server.url}/.well-known/jwks.json`)).text();
    expect(keys).toContain(rotated.current.kid);
    // While a server holds the embedded database, a command says so, and the doctor looks at the rest.
    if (!findPostgresServer()) {
      const refused = await run('ledger', 'verify', '--json');
      expect(refused.code).toBe(1);
      expect(jsonOf(refused).error).toMatchObject({
        code: 'DATABASE',
        message: expect.stringContaining('is in use by process'),
      });
    }
    const doctor = await run('doctor', '--json');
    expect(doctor.code).toBe(0);
    expect(jsonOf(doctor).problems).toBe(0);
    await server.end('SIGTERM');
  }, 300_000);
});

describe('an import that is stopped', () => {
  const PEOPLE = 3_000;

  /** Starts the import and stops it once a batch of it is committed, which the report of rejected lines shows. */
  async function interrupted(file: string, signal: NodeJS.Signals, from: number): Promise<Ended> {
    const { child } = spawnCredence(place.env, ['users', 'import', file]);
    const texts = { stdout: '', stderr: '' };
    child.stdout?.on('data', (chunk) => (texts.stdout += chunk));
    child.stderr?.on('data', (chunk) => (texts.stderr += chunk));
    const report = `${file}.rejected.csv`;
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
    while (!(existsSync(report) && statSync(report).size > from) && child.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill(signal);
    await closed;
    return { code: child.exitCode, ...texts };
  }

  it('by a kill or by Ctrl-C goes on, doubles nobody, and reports each rejected line once', async () => {
    const file = join(place.dataDir, 'people.csv');
    const lines = Array.from({ length: PEOPLE }, (_, n) =>
      n % 100 === 50 ? 'x,y,z' : `person${n},person${n}@example.com,2`,
    );
    await writeFile(file, `username,email,credits\n${lines.join('\n')}\n`);
    const report = () => readFileSync(`${file}.rejected.csv`, 'utf8');
    await interrupted(file, 'SIGKILL', 40);
    const stopped = await interrupted(file, 'SIGINT', report().length + 20);
    expect(stopped).toMatchObject({ code: 130, stdout: '' });
    expect(stopped.stderr).toMatch(/The same command goes on after line \d+\./);
    const done = await run('users', 'import', file, '--json');
    expect(done.code).toBe(1);
    expect(jsonOf(done)).toMatchObject({ records: PEOPLE, imported: PEOPLE - 30, skipped: 0, rejected: 30 });
    const rejected = report()
      .trim()
      .split('\n')
      .slice(1)
      .map((row) => Number.parseInt(row, 10));
    expect(rejected).toEqual(Array.from({ length: 30 }, (_, n) => n * 100 + 52));
    const proof = jsonOf(await run('ledger', 'verify', '--json'));
    expect(proof).toMatchObject({ ok: true, accounts: PEOPLE - 30, transactions: PEOPLE - 30 });
  }, 300_000);
});

describe('progress', () => {
  it('is a bar with rate and remaining time on a terminal, and nothing but plain lines elsewhere', () => {
    const written: string[] = [];
    const stream = (isTTY: boolean) =>
      ({
        isTTY,
        columns: 120,
        write: (text: string) => written.push(text),
        on: () => undefined,
      }) as unknown as NodeJS.WriteStream;
    const bar = createProgress('Importing', { total: 10, unit: 'people', stream: stream(true) });
    bar.reached(10);
    bar.stop();
    expect(written.join('')).toMatch(/Importing .*10\/10 people \| \d+\/s \| \S+ left/);
    written.length = 0;
    const lines = createProgress('Importing', { total: 10, unit: 'people', stream: stream(false) });
    lines.reached(1);
    lines.stop();
    expect(written).toEqual([]);
  });
});
