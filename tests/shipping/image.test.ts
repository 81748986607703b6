import { execFile } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPlace, type ServerProcess, startCredence } from '../support/process.js';
import { copiesOf, environmentOf, lastStage, readStages, restOf, root } from './dockerfile.js';

const run = promisify(execFile);
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

describe('the Dockerfile', () => {
  it('copies what there is, and what .dockerignore lets in', () => {
    const allowed = readFileSync(join(root, '.dockerignore'), 'utf8').match(/(?<=^!).+$/gm) ?? [];
    const copies = readStages().flatMap(copiesOf);
    const here = copies.filter(({ from }) => from === undefined).flatMap(({ sources }) => sources);
    expect(here.length).toBeGreaterThan(5);
    expect(here.filter((source) => !existsSync(join(root, source)))).toEqual([]);
    expect(here.filter((source) => !allowed.some((name) => source === name || source.startsWith(`${name}/`)))).toEqual(
      [],
    );
    expect(allowed.filter((name) => !here.some((source) => source === name || source.startsWith(`${name}/`)))).toEqual(
      [],
    );
    const names = readStages().map(({ name }) => name);
    for (const { from } of copies) expect([undefined, ...names]).toContain(from);
  });

  it('ships no development package and runs no install script', () => {
    const installs = readStages().flatMap((stage) => restOf(stage, 'RUN').filter((rest) => rest.includes('npm ci')));
    expect(installs).toHaveLength(2);
    for (const install of installs) expect(install).toContain('--ignore-scripts');
    const shipped = readStages().find(({ name }) => name === 'packages');
    expect(shipped && restOf(shipped, 'RUN').join()).toContain('--omit=dev');
    expect(copiesOf(lastStage()).find(({ target }) => target.includes('node_modules'))?.from).toBe('packages');
  });

  it('has ready native code for both kinds of Linux on both kinds of processors', () => {
    const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { packages: object };
    for (const name of ['argon2', 'bcrypt'])
      for (const platform of ['linux-x64-gnu', 'linux-arm64-gnu', 'linux-x64-musl', 'linux-arm64-musl'])
        expect(packages).toHaveProperty([`node_modules/@node-rs/${name}-${platform}`]);
  });

  it('runs as nobody in particular, says how it is and how it ends', () => {
    const stage = lastStage();
    expect(restOf(stage, 'USER')).toEqual(['1000:1000']);
    expect(restOf(stage, 'STOPSIGNAL')).toEqual(['SIGTERM']);
    expect(restOf(stage, 'EXPOSE')).toEqual([environmentOf(stage).PORT]);
    expect(restOf(stage, 'VOLUME')).toEqual([environmentOf(stage).DATA_DIR]);
    expect(restOf(stage, 'ARG')).toContain(`VERSION=${version}`);
    expect(restOf(stage, 'LABEL').join()).toMatch(/org\.opencontainers\.image\.version="\$\{VERSION\}"/);
  });
});

/** The last stage's folder put together as the Dockerfile says, from what is compiled and installed here. */
describe('the image’s folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'credence-image-'));
  let place: Awaited<ReturnType<typeof createPlace>>;
  let server: ServerProcess;

  beforeAll(async () => {
    for (const { from, sources, target } of copiesOf(lastStage())) {
      for (const source of sources) {
        const path = from ? source.replace('/build/', '') : source;
        const to = join(
          folder,
          target,
          target.endsWith('/') || sources.length > 1 || target === './' ? (path.split('/').at(-1) ?? '') : '',
        );
        mkdirSync(dirname(to), { recursive: true });
        if (path === 'node_modules') symlinkSync(join(root, path), to);
        else
          cpSync(join(root, path), to, {
            recursive: true,
            filter: (name) => !name.startsWith(join(root, 'dist/docs')),
          });
      }
    }
    chmodSync(join(folder, 'dist/main.js'), 0o755);
    symlinkSync(join(folder, 'dist/main.js'), join(folder, 'credence'));
    place = await createPlace();
    const production = {
      ...environmentOf(lastStage()),
      HOST: '127.0.0.1',
      PORT: '0',
      PUBLIC_URL: 'https://id.example.com',
      ENCRYPTION_KEY: '6bq0pXwWb2p3XoZ0kTgV3b0rJt9WmKq1sN8yLhCfUeA=',
      SMTP_URL: 'smtp://127.0.0.1:9',
      MAIL_FROM: 'no-reply@example.com',
      PLAYGROUND: 'true',
    };
    server = await startCredence({ ...production, ...place.env }, { main: join(folder, 'dist/main.js') });
  });
  afterAll(async () => {
    await server.end('SIGTERM');
    await place.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  it('serves: the API, the playground with all that it loads', async () => {
    const info = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"query":"{ serviceInfo { version } }"}',
    });
    expect(await info.json()).toEqual({ data: { serviceInfo: { version } } });
    const page = await (await fetch(`${server.url}/playground`)).text();
    const assets = [...page.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map((match) => match[1]);
    expect(assets.length).toBeGreaterThan(4);
    for (const asset of assets) expect((await fetch(server.url + asset)).status, asset).toBe(200);
  });

  it('is healthy by the command of HEALTHCHECK, and not when nothing answers', async () => {
    const [check = ''] = restOf(lastStage(), 'HEALTHCHECK');
    const [, file = '', ...args] = ['', ...(JSON.parse(check.slice(check.indexOf('['))) as string[])];
    expect(file).toBe('node');
    const env = (PORT: string) => ({ env: { ...process.env, PORT } });
    await run(process.execPath, args, env(new URL(server.url).port));
    await expect(run(process.execPath, args, env('9'))).rejects.toThrow();
  });

  it('has the command line under its name', async () => {
    const { stdout } = await run(join(folder, 'credence'), ['--version']);
    expect(stdout.trim()).toBe(version);
  });

  it('is never written to: the root file system may be read-only', () => {
    const parts = readdirSync(folder).filter((name) => name !== 'node_modules');
    const files = parts.flatMap((part) =>
      statSync(join(folder, part)).isDirectory()
        ? readdirSync(join(folder, part), { recursive: true, encoding: 'utf8' }).map((name) => join(part, name))
        : [part],
    );
    expect(files.length).toBeGreaterThan(300);
    const written = files.filter((name) => statSync(join(folder, name)).ctimeMs > server.startedAt);
    expect(written).toEqual([]);
  });
});
