import { access, constants, stat, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { buildConfig, type Config, ConfigError, type Environment, SETTINGS } from '../core/config.js';
import { isLoopbackHost } from '../core/network.js';
import { type Check, type Finding, ok, problem, type Scope, warning } from './doctor-scope.js';

/**
 * The configuration as far as it can be used, and every complaint about the rest: what is wrong with one setting must
 * not hide what is wrong behind another. Undefined when not even that is possible.
 */
export function readSettings(environment: Environment): { config: Config | undefined; findings: Finding[] } {
  const complaints = new Set<string>();
  let values = { ...environment };
  for (;;) {
    try {
      const config = asProduction(buildConfig(values), environment);
      return { config, findings: complaints.size === 0 ? [ok('The settings can be used.')] : asFindings(complaints) };
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      for (const complaint of error.complaints) complaints.add(complaint);
      const blamed = names(values).filter((name) => error.complaints.some((text) => text.includes(name)));
      for (const name of blamed) delete values[name];
      if (blamed.length > 0) continue;
      // What production asks for and nobody has set: read without production, and looked at as production.
      if (values.NODE_ENV !== 'production') return { config: undefined, findings: asFindings(complaints) };
      values = withoutProduction(values);
    }
  }
}

function withoutProduction({ NODE_ENV: _, ...values }: Environment): Environment {
  const transport = values.SMTP_URL ? 'smtp' : values.RESEND_API_KEY ? 'resend' : 'mailbox';
  return { INTROSPECTION: 'false', PLAYGROUND: 'false', MAIL_TRANSPORT: transport, ...values };
}

function asProduction(config: Config, { NODE_ENV }: Environment): Config {
  return NODE_ENV === 'production' ? { ...config, environment: 'production' } : config;
}

const names = (values: Environment) =>
  (Object.keys(SETTINGS) as (keyof Environment)[]).filter((name) => values[name] !== undefined);

function asFindings(complaints: ReadonlySet<string>): Finding[] {
  return [...complaints].map((text) =>
    problem(text, 'The server does not start like this: mend the setting (see .env.example).'),
  );
}

export const SETTING_CHECKS: readonly Check[] = [
  { name: 'node', look: lookAtNode },
  { name: 'addresses', look: ({ config }) => orOk(lookAtAddresses(config), 'Addresses and origins fit together.') },
  { name: 'production', look: ({ config }) => orOk(lookAtProduction(config), `Fit for ${config.environment}.`) },
  { name: 'stripe', look: ({ config }) => lookAtStripe(config) },
  { name: 'data directory', look: lookAtDirectory },
];

const orOk = (findings: Finding[], sentence: string) => (findings.length === 0 ? [ok(sentence)] : findings);

function lookAtNode({ config }: Scope): Finding[] {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const advice = 'Start with npm, which brings its own Node.js, or install Node.js 24.';
  if (major < 20) return [problem(`Node.js ${process.version} is too old.`, advice)];
  if (config.database.kind === 'pglite' && (major < 22 || (major === 22 && minor < 13)))
    return [
      problem(
        `The embedded database needs Node.js 22.13, and this is ${process.version}.`,
        'Start with npm, which brings its own Node.js, or set DATABASE_URL.',
      ),
    ];
  if (major < 22) return [warning(`Node.js ${process.version} gets no repairs any more.`, advice)];
  return [ok(`Node.js ${process.version} on ${process.platform}; the machine's time zone is ${timeZone}.`)];
}

const isLocal = (url: string) => isLoopbackHost(new URL(url).hostname);

function lookAtAddresses({ server, environment, tokens }: Config): Finding[] {
  const { publicUrl, frontendUrl, corsOrigins, trustProxy } = server;
  const findings: Finding[] = [];
  const isProduction = environment === 'production';
  if (isProduction && isLocal(publicUrl))
    findings.push(
      problem(
        'PUBLIC_URL names this machine alone.',
        'Set it to the address that people reach: links and tokens carry it.',
      ),
    );
  if (isProduction && frontendUrl && isLocal(frontendUrl))
    findings.push(
      problem('FRONTEND_URL names this machine alone.', 'Links in letters lead there: set the address of your app.'),
    );
  else if (isProduction && frontendUrl?.startsWith('http://'))
    findings.push(problem('FRONTEND_URL is plain http.', 'Links with secrets lead there: serve the app by https.'));
  if (isProduction && corsOrigins.some(isLocal))
    findings.push(
      warning('CORS_ORIGINS allows pages of somebody’s own machine.', 'Take localhost out of it in production.'),
    );
  if (isProduction && corsOrigins.length === 0)
    findings.push(
      warning('No browser app may ask this server.', 'Set FRONTEND_URL or CORS_ORIGINS, unless only services do.'),
    );
  if (!isProduction && publicUrl.startsWith('https://') && !isLocal(publicUrl))
    findings.push(
      warning(
        `NODE_ENV is ${environment}, and PUBLIC_URL is public.`,
        'Set NODE_ENV=production: playground, mailbox and weak settings are open else.',
      ),
    );
  if (publicUrl.startsWith('https://') && trustProxy.length === 0)
    findings.push(
      warning(
        'TRUST_PROXY is empty, and something in front speaks https.',
        'List the proxies, or everybody seems to come from them and shares one limit.',
      ),
    );
  if (trustProxy.some(({ prefix }) => prefix === 0))
    findings.push(
      problem(
        'TRUST_PROXY believes everybody.',
        'List the proxies alone: else each caller chooses the address that limits count.',
      ),
    );
  if (tokens.refreshCookie && frontendUrl && !isSameSite(publicUrl, frontendUrl))
    findings.push(
      warning(
        'REFRESH_COOKIE is on, and FRONTEND_URL is of another site.',
        'The cookie is SameSite=Strict: serve both under one domain.',
      ),
    );
  return findings;
}

/** The last two labels of the name: right for most domains, and only a warning hangs on it. */
function isSameSite(one: string, other: string): boolean {
  const siteOf = (url: string) => new URL(url).hostname.split('.').slice(-2).join('.');
  return siteOf(one) === siteOf(other);
}

function lookAtProduction(config: Config): Finding[] {
  if (config.environment !== 'production') return [];
  const findings: Finding[] = [];
  if (config.database.kind === 'pglite')
    findings.push(
      warning(
        'The database is the embedded one.',
        'It is one process and survives no crash of the machine: set DATABASE_URL.',
      ),
    );
  if (config.redisUrl === undefined)
    findings.push(warning('REDIS_URL is not set.', 'Right for one instance; with more, each counts limits alone.'));
  if (config.graphql.playground || config.graphql.introspection)
    findings.push(warning('PLAYGROUND or INTROSPECTION is on.', 'Turn them off unless strangers may read the schema.'));
  if (config.mail.transport === 'mailbox')
    findings.push(
      problem(
        'MAIL_TRANSPORT is mailbox.',
        'Nobody gets a letter, and nobody can reset a password: set smtp or resend.',
      ),
    );
  return findings;
}

function lookAtStripe({ billing, environment }: Config): Finding[] {
  if (!billing) return [ok('Nothing is sold here (STRIPE_SECRET_KEY is not set).')];
  const isLive = /^.k_live_/.test(billing.secretKey);
  const findings: Finding[] = [];
  if (environment === 'production' && !isLive)
    findings.push(
      warning(
        'The Stripe key is of test mode, and this is production.',
        'No money moves: set a live key, and the webhook secret of live mode.',
      ),
    );
  if (environment !== 'production' && isLive)
    findings.push(
      problem(`The Stripe key is of live mode, and this is ${environment}.`, 'Real cards are charged: set a test key.'),
    );
  if (billing.webhookSecrets.length === 0)
    findings.push(
      problem(
        'STRIPE_WEBHOOK_SECRET is not set.',
        'Payments are never noticed: add the endpoint at Stripe and set its secret.',
      ),
    );
  return orOk(findings, `Stripe, ${isLive ? 'live' : 'test'} mode, with a webhook secret.`);
}

const LOW_BYTES = 1024 ** 3;
const EMPTY_BYTES = 100 * 1024 ** 2;

async function lookAtDirectory({ config: { dataDir } }: Scope): Promise<Finding[]> {
  const findings: Finding[] = [];
  const place = await firstThatIs(dataDir);
  const isWritable = await access(place, constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!isWritable)
    findings.push(problem(`${dataDir} cannot be written.`, 'Let the account of the server own it, or set DATA_DIR.'));
  const { bavail, bsize } = await statfs(place);
  const free = bavail * bsize;
  const shown = `${Math.floor(free / 1024 ** 2)} MiB are free in ${dataDir}.`;
  if (free < EMPTY_BYTES) findings.push(problem(shown, 'Make room now.'));
  else if (free < LOW_BYTES) findings.push(warning(shown, 'Make room before it is full.'));
  const key = await stat(resolve(dataDir, 'encryption.key')).catch(() => undefined);
  if (key && (key.mode & 0o077) !== 0 && process.platform !== 'win32')
    findings.push(
      problem('Others on this machine may read encryption.key.', `chmod 600 ${resolve(dataDir, 'encryption.key')}`),
    );
  return orOk(findings, shown);
}

/** The directory itself, or the nearest above it that is there: where it would be made. */
async function firstThatIs(directory: string): Promise<string> {
  for (let place = directory; ; place = dirname(place)) {
    const isThere = await stat(place).then(
      () => true,
      () => false,
    );
    if (isThere || place === dirname(place)) return place;
  }
}
