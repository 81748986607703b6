// The last step of `npm run build`: what tsc has compiled and the packages it uses become a few scripts in dist/bundle, and
// one start of the server shows V8 what to compile of them ahead of time (docs/decisions/0018).
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { isCompiled } from '../src/bundled.ts';
import { withLinesOf } from './source-map.ts';

const ROOT = resolve(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');
const FOLDER = join(DIST, 'bundle');

/** `--help` and `--version` need this one alone; everything behind its lazy imports is in the other. */
const PROGRAM = 'program.cjs';
const COMMANDS = 'commands.cjs';

/**
 * Packages that stay as they are: with native parts or WebAssembly, with files that they look for beside themselves, or
 * with megabytes that most servers never load. None of them may load another copy of a package that is bundled and whose
 * classes we compare (graphql, the API of OpenTelemetry).
 */
const OUTSIDE = [
  '@electric-sql/pglite',
  '@node-rs/*',
  '@aws-sdk/*',
  '@zxcvbn-ts/*',
  'nodemailer',
  'openid-client',
  'resend',
  'stripe',
  // Asked for by packages that do without them, and not installed.
  'class-validator',
  'pg-native',
];

const LAZY_IMPORT = /\bimport\('(\.\/[\w-]+\.js)'\)/g;
/** Our modules, with what a script cannot have put in other words. */
const ourModules: Plugin = {
  name: 'our modules',
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]dist[/\\]/ }, async ({ path }) => {
      if (!path.startsWith(DIST)) return undefined;
      const text = await readFile(path, 'utf8');
      const url = `urlOf(${JSON.stringify(relative(DIST, path).replaceAll('\\', '/'))})`;
      const contents = text
        // What is asked for by name becomes part of the bundle, as with an import.
        .replace(/^const require = createRequire\(import\.meta\.url\);$(?=[\s\S]*\brequire\(')/m, '')
        .replaceAll('createRequire(import.meta.url)(', 'require(')
        .replaceAll('import.meta.dirname', `process.getBuiltinModule('node:url').fileURLToPath(new URL('.', ${url}))`)
        .replaceAll('import.meta.url', url);
      return { contents, loader: 'js' };
    });
  },
};

/** The program's lazy imports lead to the other script. */
const lazyImportsLeadOut: Plugin = {
  name: 'lazy imports lead out',
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]dist[/\\]cli[/\\]/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      return { contents: text.replaceAll(LAZY_IMPORT, `require('./${COMMANDS}')['$1']()`), loader: 'js' };
    });
  },
};

/** A script that exports what every lazy import of the program leads to, each still run when it is first asked for. */
async function commandsModule(): Promise<string> {
  const texts = await Promise.all(['program.js', 'run.js'].map((name) => readFile(join(DIST, 'cli', name), 'utf8')));
  const paths = new Set(texts.flatMap((text) => [...text.matchAll(LAZY_IMPORT)].map(([, path]) => path)));
  return `module.exports = {${[...paths].map((path) => `'${path}': () => import('${path}')`).join()}};`;
}

type Entry = { entryPoints: string[] } | { stdin: { contents: string; resolveDir: string } };

/** Writes a script and its map, unless they are there already; those of an earlier build go with all that was kept of them. */
async function bundle(name: string, entry: Entry, plugins: Plugin[]): Promise<string> {
  const file = join(FOLDER, name);
  const { outputFiles, warnings } = await build({
    ...entry,
    outfile: file,
    plugins,
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    // The file that Node.js itself takes of each package, so that there is one copy of each.
    mainFields: ['main'],
    external: [...OUTSIDE, `./${COMMANDS}`],
    // Not `keepNames`: it names every closure anew whenever one is made, which was a sixth of a `validateToken`.
    minifyWhitespace: true,
    lineLimit: 500,
    legalComments: 'none',
    sourcemap: 'external',
    sourcesContent: false,
    banner: { js: `/*${'0'.repeat(64)}*/\n(function (exports, require, module, urlOf) {` },
    footer: { js: '})' },
    logLevel: 'silent',
  });
  if (warnings.length > 0)
    throw new Error(warnings.map(({ text, location }) => `${location?.file}: ${text}`).join('\n'));
  const [map, script] = outputFiles;
  if (!map || !script) throw new Error('esbuild gave no script.');
  const text = inAscii(script.text);
  const id = createHash('sha256').update(text).digest('hex');
  const whole = text.replace('0'.repeat(64), id);
  if (existsSync(file) && (await readFile(file, 'latin1')) === whole) return file;
  await rm(`${file}.compiled`, { force: true });
  await write(
    `${file}.map`,
    withLinesOf((source) => source.startsWith('../../src/'), map.text),
  );
  await write(file, whole);
  return file;
}

/** What is left of other characters stands in literals, where they may be written in this way. */
function inAscii(text: string): string {
  return text.replace(/[^\0-\x7F]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Whole or not at all: servers may be starting meanwhile. */
async function write(file: string, text: string): Promise<void> {
  const unfinished = `${file}.${process.pid}`;
  await writeFile(unfinished, text);
  await rename(unfinished, file);
}

/** Starts the server on an embedded database of its own, asks it something, and lets it keep what V8 has compiled for that. */
async function compile(): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'credence-build-'));
  const child = fork(join(import.meta.dirname, 'start-once.ts'), [], {
    env: { PATH: process.env.PATH, DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'warn', NODE_ENV: 'development' },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit');
  try {
    const url = await Promise.race([addressOf(child.stdout), ended.then(() => undefined)]);
    if (url === undefined) throw new Error('The bundle does not start.');
    // Twice: a document seen for the first time goes another way than one that is known.
    for (let turn = 0; turn < 2; turn += 1) await ask(url);
    child.send('enough');
    const [code] = await ended;
    if (code !== 0) throw new Error(`The bundle ended with ${code}.`);
  } finally {
    child.kill('SIGKILL');
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function addressOf(output: NodeJS.ReadableStream | null): Promise<string | undefined> {
  let text = '';
  for await (const chunk of output ?? []) {
    text += chunk;
    const url = /listens on (http:\/\/\S+)/.exec(text)?.[1];
    if (url !== undefined) return url;
  }
  return undefined;
}

async function ask(url: string): Promise<void> {
  const answer = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ serviceInfo { name } }' }),
  });
  if (!answer.ok) throw new Error(`The bundle answers ${answer.status}: ${await answer.text()}`);
}

await mkdir(FOLDER, { recursive: true });
const scripts = await Promise.all([
  bundle(PROGRAM, { entryPoints: [join(DIST, 'cli/program.js')] }, [lazyImportsLeadOut, ourModules]),
  bundle(COMMANDS, { stdin: { contents: await commandsModule(), resolveDir: join(DIST, 'cli') } }, [ourModules]),
]);
if (!scripts.every(isCompiled)) await compile();
