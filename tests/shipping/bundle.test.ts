import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { buildClientSchema, getIntrospectionQuery, lexicographicSortSchema, printSchema } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSchema } from '../../src/api/schema.js';
import { isCompiled, openBundle } from '../../src/bundled.js';
import { ask, createPlace, type ServerProcess, spawnCredence, startCredence } from '../support/process.js';

const root = resolve(import.meta.dirname, '../..');
const PASSWORD = 'violet tractor sings 77 at dusk';

const folder = mkdtempSync(join(tmpdir(), 'credence-bundle-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Every file that V8 was given by the processes that wrote their coverage into the folder. */
function filesRun(coverage: string): string[] {
  const urls = readdirSync(coverage).flatMap((name) => {
    const { result } = JSON.parse(readFileSync(join(coverage, name), 'utf8')) as { result: { url: string }[] };
    return result.map(({ url }) => url);
  });
  return urls.filter((url) => url.startsWith('file:')).map((url) => relative(root, fileURLToPath(url)));
}

const packageOf = (file: string) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1];

describe('the server that dist/main.js starts', () => {
  const coverage = join(folder, 'coverage');
  let place: Awaited<ReturnType<typeof createPlace>>;
  let server: ServerProcess;
  beforeAll(async () => {
    place = await createPlace();
    server = await startCredence({ ...place.env, NODE_V8_COVERAGE: coverage });
  });
  afterAll(() => place.dispose());

  it('has the schema of the modules', async () => {
    const { data } = await ask(server.url, {
      query: getIntrospectionQuery({ specifiedByUrl: true, inputValueDeprecation: true }),
    });
    const served = lexicographicSortSchema(buildClientSchema(data));
    expect(printSchema(served)).toBe(printSchema(lexicographicSortSchema(createSchema())));
  });

  it('was the bundle, a few files, and nothing that only some servers need', async () => {
    expect(await server.end('SIGTERM')).toBe(0);
    const files = filesRun(coverage);
    expect(files.filter((file) => file.startsWith('dist/')).sort()).toEqual([
      'dist/bundle/commands.cjs',
      'dist/bundle/program.cjs',
      'dist/bundled.js',
      'dist/main.js',
    ]);
    const packages = new Set(files.map(packageOf).filter((name) => name !== undefined));
    expect([...packages].filter((name) => name !== '@electric-sql/pglite')).toEqual([]);
    expect(files.length).toBeLessThan(20);
  });

  it('finds what stands beside the modules: who hashes, and who keeps the log', async () => {
    const again = await startCredence({ ...place.env, LOG_LEVEL: 'info' });
    const input = { username: 'ada', email: 'ada@example.com', password: PASSWORD };
    const { data } = await ask(again.url, {
      query: 'mutation($input: RegisterInput!) { register(input: $input) { user { username } } }',
      variables: { input },
    });
    expect(data.register.user.username).toBe('ada');
    expect(await again.end('SIGTERM')).toBe(0);
    expect(existsSync(join(place.dataDir, 'logs.sqlite'))).toBe(true);
  });

  it('names our own lines when something fails', async () => {
    const broken = await createPlace();
    mkdirSync(join(broken.dataDir, 'encryption.key'));
    const { child, output } = spawnCredence({ ...broken.env, LOG_LEVEL: 'debug' });
    expect(await new Promise((done) => child.once('close', done))).toBe(1);
    expect(output()).toMatch(/ at loadEncryptionKey \(.*src\/core\/secrets\.ts:\d+\)/);
    expect(output()).not.toMatch(/commands\.cjs:\d+/);
    await broken.dispose();
  });

  it('begins with what V8 compiled at the build', () => {
    for (const name of ['program.cjs', 'commands.cjs'])
      expect(isCompiled(join(root, 'dist/bundle', name)), name).toBe(true);
  });
});

describe('a bundle', () => {
  const id = 'a'.repeat(64);
  function write(text: string): URL {
    const place = mkdtempSync(join(folder, 'scripts-'));
    writeFileSync(join(place, 'one.cjs'), `/*${id}*/\n(function (exports, require, module, urlOf) {${text}})`);
    return pathToFileURL(`${place}/`);
  }
  const load = (place: URL) => openBundle(place).load<{ answer(): unknown }>('./one.cjs');
  const file = (place: URL) => fileURLToPath(new URL('one.cjs', place));

  it('keeps what was compiled when it is told to, and not before', () => {
    const place = write('exports.answer = () => 42;');
    expect(load(place).answer()).toBe(42);
    expect(isCompiled(file(place))).toBe(false);
    const bundle = openBundle(place);
    bundle.load('./one.cjs');
    bundle.keepCompiled();
    expect(isCompiled(file(place))).toBe(true);
    expect(load(place).answer()).toBe(42);
  });

  it('does without what another Node.js, another build or an accident has left, and writes nothing', () => {
    const place = write('exports.answer = () => 42;');
    const bundle = openBundle(place);
    bundle.load('./one.cjs');
    bundle.keepCompiled();
    const kept = readFileSync(`${file(place)}.compiled`);
    const header = kept.toString('latin1', 0, 128);
    const others = [
      header.replace(process.version, 'v20.0.0'),
      header.replace('aaaa', 'bbbb'),
      header.replace(process.arch, process.arch === 'x64' ? 'arm' : 'x64'),
    ];
    for (const other of others.map((text) => Buffer.concat([Buffer.from(text), kept.subarray(128)]))) {
      writeFileSync(`${file(place)}.compiled`, other);
      expect(isCompiled(file(place))).toBe(false);
      expect(load(place).answer()).toBe(42);
    }
    writeFileSync(`${file(place)}.compiled`, Buffer.concat([Buffer.from(header), Buffer.alloc(500, 7)]));
    chmodSync(fileURLToPath(place), 0o500);
    expect(load(place).answer()).toBe(42);
    chmodSync(fileURLToPath(place), 0o700);
    expect(readdirSync(place).sort()).toEqual(['one.cjs', 'one.cjs.compiled']);
  });

  it('has its scripts know each other and their packages, each run once', () => {
    const place = write(
      "exports.answer = () => [require('./one.cjs') === module.exports, require('node:path').sep, urlOf('core/x.js')];",
    );
    expect(load(place).answer()).toEqual([true, '/', new URL('../core/x.js', place).href]);
  });
});
