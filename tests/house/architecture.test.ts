import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Import, importsOf, sourceFiles } from './sources.js';

/** Who may import whom, by place. `src` itself is main.ts, serve.ts and app.ts. */
const PLACES: Record<string, string[]> = {
  src: ['src', 'api', 'cli', 'jobs', 'modules', 'core'],
  api: ['api', 'modules', 'core'],
  // A command runs a server, or opens what a server is made of.
  cli: ['cli', 'src', 'modules', 'core'],
  jobs: ['jobs', 'modules', 'core'],
  modules: ['modules', 'core'],
  core: ['core'],
  // what other services import: of ours it knows nothing but itself
  client: ['client'],
};

/** Which module may use which. Foreign keys between tables are free of this; `admin` may use any. */
const MODULES: Record<string, string[]> = {
  audit: [],
  events: [],
  mail: [],
  // only to say what plan a User has
  catalog: ['audit', 'auth'],
  auth: ['audit', 'events', 'mail'],
  accounts: ['audit', 'auth', 'events', 'files', 'mail'],
  credits: ['auth', 'events'],
  usage: ['auth', 'catalog'],
  'data-keys': ['auth'],
  files: ['audit', 'auth'],
  messages: ['audit', 'auth', 'data-keys'],
  // All that is held about a person, to export and to erase it
  billing: ['audit', 'auth', 'catalog', 'credits', 'payments'],
  // what Stripe has said, and what came of it here
  payments: ['audit', 'auth', 'catalog', 'credits', 'events', 'mail'],
  privacy: [
    'audit',
    'auth',
    'credits',
    'data-keys',
    'events',
    'files',
    'mail',
    'messages',
    'payments',
    'staff',
    'usage',
  ],
  openid: ['accounts', 'audit', 'auth', 'events', 'mail'],
  'second-factor': ['admin', 'audit', 'auth', 'mail', 'staff'],
  staff: ['accounts', 'audit', 'auth', 'credits', 'events', 'mail', 'admin'],
  network: ['audit'],
  // people who come from another system
  imports: ['accounts', 'audit', 'auth', 'credits', 'events'],
  services: ['auth', 'credits', 'network', 'usage', 'catalog', 'audit'],
  // what one request left behind, wherever it did
  logs: ['audit', 'credits', 'mail'],
  // what admins see of letters
  letters: ['audit', 'auth', 'mail'],
  // only counts, of all that there is
  webhooks: ['admin', 'audit', 'events', 'mail'],
  system: ['audit', 'auth', 'credits', 'mail', 'messages', 'payments', 'webhooks'],
  admin: ['accounts', 'audit', 'auth', 'catalog', 'credits', 'events', 'mail', 'services', 'usage'],
};

/** Libraries that live in one file, or one kind of file, so that each can be replaced there. */
const CONFINED: Record<string, RegExp> = {
  'type-graphql': /\.(resolver|types)\.ts$|^src\/api\/schema\.ts$/,
  'graphql-shield': /^src\/api\/access\.ts$/,
  'graphql-rate-limit': /^src\/api\/limits\.ts$/,
  'graphql-middleware': /^src\/api\/access\.ts$/,
  '@apollo/server': /^src\/api\/apollo-lane\.ts$/,
  '@as-integrations/fastify': /^src\/api\/graphql\.ts$/,
  fastify: /^src\/api\//,
  'drizzle-orm':
    /\.(table|service)\.ts$|^src\/core\/(database[a-z-]*|postgres-[a-z]+|columns|context|nested-pages|one-statement|pages|migrations)\.ts$/,
  postgres: /^src\/core\/(database|postgres)-[a-z]+\.ts$/,
  '@electric-sql/pglite': /^src\/core\/database[a-z-]*\.ts$/,
  jose: /^src\/core\/tokens\.ts$|^src\/client\/(key-set|local-verification)\.ts$/,
  '@node-rs/argon2': /^src\/core\/password[a-z-]*\.ts$/,
  '@node-rs/bcrypt': /^src\/core\/password[a-z-]*\.ts$/,
  '@scure/bip39': /^src\/core\/recovery-phrase\.ts$/,
  '@zxcvbn-ts/core': /^src\/core\/password[a-z-]*\.ts$/,
  otpauth: /^src\/core\/totp\.ts$/,
  stripe: /^src\/core\/payments\.ts$/,
  '@aws-sdk/client-s3': /^src\/core\/storage-s3\.ts$/,
  '@aws-sdk/s3-presigned-post': /^src\/core\/storage-s3\.ts$/,
  nodemailer: /^src\/core\/mailer-smtp\.ts$/,
  resend: /^src\/core\/mailer-resend\.ts$/,
  'openid-client': /^src\/core\/openid\.ts$/,
  '@aws-sdk/client-sns': /^src\/core\/event-topic\.ts$/,
  '@aws-sdk/client-sqs': /^src\/core\/event-queue\.ts$/,
  'pg-boss': /^src\/core\/queue\.ts$/,
  pino: /^src\/core\/logger\.ts$/,
  'prom-client': /^src\/core\/metric(s|-kinds)\.ts$/,
  '@opentelemetry/api': /^src\/core\/tracing-otlp\.ts$/,
  '@opentelemetry/context-async-hooks': /^src\/core\/tracing-otlp\.ts$/,
  '@opentelemetry/exporter-trace-otlp-http': /^src\/core\/tracing-otlp\.ts$/,
  '@opentelemetry/resources': /^src\/core\/tracing-otlp\.ts$/,
  '@opentelemetry/sdk-trace': /^src\/core\/tracing-otlp\.ts$/,
  '@opentelemetry/semantic-conventions': /^src\/core\/tracing-otlp\.ts$/,
  ioredis: /^src\/core\/(limiter|redis-probe)\.ts$/,
  'rate-limiter-flexible': /^src\/core\/limiter\.ts$/,
  dataloader: /\.(resolver|service|loaders)\.ts$|^src\/core\//,
  zod: /\.service\.ts$|^src\/core\//,
  commander: /^src\/cli\/program\.ts$/,
  'cli-progress': /^src\/cli\/progress\.ts$/,
  'csv-parse': /^src\/cli\/people-file\.ts$/,
};

const imports: Import[] = sourceFiles().flatMap(importsOf);
const ours = imports.filter((entry) => entry.to.startsWith('src/'));

const placeOf = (name: string) => (name.split('/').length === 2 ? 'src' : (name.split('/')[1] ?? ''));
const moduleOf = (name: string) => (name.startsWith('src/modules/') ? name.split('/')[2] : undefined);
const kindOf = (name: string) => /\.([a-z]+)\.ts$/.exec(name)?.[1] ?? '';
const shown = (list: Import[]) => list.map((entry) => `${entry.from} → ${entry.to}`);

describe('who imports whom', () => {
  it('finds imports at all', () => {
    expect(ours.length).toBeGreaterThan(100);
  });

  it('goes from the edge inwards', () => {
    expect(shown(ours.filter((entry) => !PLACES[placeOf(entry.from)]?.includes(placeOf(entry.to))))).toEqual([]);
  });

  it('keeps modules to those they may know', () => {
    const foreign = ours.filter((entry) => {
      const [from, to] = [moduleOf(entry.from), moduleOf(entry.to)];
      if (!from || !to || from === to) return false;
      if (kindOf(entry.from) === 'table' && kindOf(entry.to) === 'table') return false;
      // Passwords of every kind of account are read and written in one place (docs/decisions/0006).
      if (entry.from === 'src/modules/auth/credentials.service.ts' && /(admin|staff)\.table\.ts$/.test(entry.to))
        return false;
      return !MODULES[from]?.includes(to);
    });
    expect(shown(foreign)).toEqual([]);
    expect(Object.keys(MODULES).sort()).toEqual(
      [...new Set(sourceFiles('src/modules').map((file) => moduleOf(file.name)))].sort(),
    );
  });

  it('keeps the layers of a module apart', () => {
    const upward = ours.filter((entry) => {
      const [from, to] = [kindOf(entry.from), kindOf(entry.to)];
      if (to === 'resolver') return from === 'resolver' || placeOf(entry.from) === 'modules';
      if (from === 'service') return to === 'present';
      if (from === 'table') return to !== 'table' && placeOf(entry.to) === 'modules';
      if (from === 'types') return placeOf(entry.to) === 'modules' && to !== 'types';
      return false;
    });
    expect(shown(upward)).toEqual([]);
  });

  it('keeps libraries where they can be replaced', () => {
    const strays = imports.filter((entry) => {
      const confined = CONFINED[entry.to];
      return confined && !confined.test(entry.from) && !(entry.typeOnly && entry.to === 'fastify');
    });
    expect(shown(strays)).toEqual([]);
  });

  it('writes no SQL from values: sql.raw takes constants and column names alone', () => {
    const raw = sourceFiles().flatMap(({ name, path }) =>
      [...readFileSync(path, 'utf8').matchAll(/\bsql\.raw\(([\w'.]+)/g)].map(([, text]) => `${name}: ${text}`),
    );
    expect(raw).toEqual([
      'src/modules/accounts/registration.service.ts: selectList',
      "src/modules/credits/credits.table.ts: '9007199254740991'",
      // the values of an enum of ours, for a check in the table
      'src/modules/payments/payments.table.ts: values.map',
    ]);
  });

  it('keeps the client to Node and jose: whoever installs it for a service needs nothing of the server', () => {
    const loaded = imports.filter(({ from, typeOnly }) => placeOf(from) === 'client' && !typeOnly);
    const foreign = loaded.map(({ to }) => to);
    expect(foreign.length).toBeGreaterThan(20);
    const strangers = foreign.filter((to) => !to.startsWith('src/client/') && !to.startsWith('node:') && to !== 'jose');
    expect(strangers).toEqual([]);
  });

  it('has no default exports, barrels, or catch-all names', () => {
    for (const file of sourceFiles()) {
      expect(file.name).not.toMatch(/\/(index|utils?|helpers?|common)\.ts$/);
      expect(file.name).toMatch(/^[a-z0-9./-]+$/);
      expect(readFileSync(file.path, 'utf8'), file.name).not.toMatch(/^export default/m);
    }
  });

  it('has no any, no ignored error and no unfinished mark', () => {
    for (const file of sourceFiles()) {
      const text = readFileSync(file.path, 'utf8');
      const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$|'[^'\n]*'|`[^`]*`/gm, '');
      expect(code, file.name).not.toMatch(/: any\b|as any\b|<any>/);
      expect(text, file.name).not.toMatch(/@ts-ignore|@ts-expect-error|biome-ignore/);
      expect(text, file.name).not.toMatch(/\b(TODO|FIXME|XXX|HACK)\b/);
    }
  });
});
