import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { closeApp, createApp } from '../app.js';
import { type Config, readEnvironment } from '../core/config.js';
import type { App } from '../core/context.js';
import type { Database } from '../core/database.js';
import { createSecrets } from '../core/secrets.js';
import { examineDatabase } from './doctor-database.js';
import { INSIDE_CHECKS } from './doctor-inside.js';
import { OUTSIDE_CHECKS } from './doctor-outside.js';
import { type Check, codeOf, type Finding, type Level, problem, type Scope } from './doctor-scope.js';
import { readSettings, SETTING_CHECKS } from './doctor-settings.js';
import { quietParts } from './opening.js';
import type { Outcome } from './run.js';

type Named = Finding & { check: string };

/** Looks at everything that a setup leans on, changes nothing, and says in plain words what to mend. */
export async function doctor(): Promise<Outcome> {
  const { config, findings } = readSettings(readEnvironment());
  const found: Named[] = named('settings', findings);
  if (config) found.push(...(await examine(config)));
  const count = (level: Level) => found.filter((finding) => finding.level === level).length;
  const [problems, warnings] = [count('problem'), count('warning')];
  const verdict = problems + warnings === 0 ? 'All is well.' : `Problems: ${problems}. Warnings: ${warnings}.`;
  return {
    ok: problems === 0,
    result: { problems, warnings, findings: found },
    text: [...found.map(inWords), '', verdict].join('\n'),
  };
}

async function examine(config: Config): Promise<Named[]> {
  const beside = inspect([...SETTING_CHECKS, ...OUTSIDE_CHECKS], { config, app: undefined });
  const opened = await within(examineDatabase(config)).catch((error: unknown) => ({
    database: undefined,
    isReady: false,
    findings: [failed(error)],
  }));
  const app = opened.database && (await openQuietly(config, opened.database));
  try {
    const inside = app && opened.isReady ? await inspect(INSIDE_CHECKS, { config, app }) : [];
    return [...(await beside), ...named('database', opened.findings), ...inside];
  } finally {
    if (app) await closeApp(app);
  }
}

/** A missing encryption key is found missing, not made. */
async function openQuietly(config: Config, database: Database): Promise<App> {
  const hasKey = config.encryptionKey !== undefined || existsSync(resolve(config.dataDir, 'encryption.key'));
  const secrets = hasKey ? {} : { secrets: createSecrets(randomBytes(32)) };
  return createApp(
    { ...config, redisUrl: undefined, tracing: undefined },
    { ...quietParts(config), ...secrets, database },
  );
}

async function inspect(checks: readonly Check[], scope: Scope): Promise<Named[]> {
  const looks = checks.map(async ({ name, look }) => {
    const findings = await within(Promise.resolve().then(() => look(scope))).catch((error) => [failed(error)]);
    return named(name, findings);
  });
  return (await Promise.all(looks)).flat();
}

/** No check takes longer, whatever hangs. */
const LIMIT_MS = 15_000;

class TooSlow extends Error {
  readonly code = 'NO_ANSWER_IN_TIME';
}

async function within<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TooSlow()), LIMIT_MS);
  });
  return Promise.race([work, tooLate]).finally(() => clearTimeout(timer));
}

function failed(error: unknown): Finding {
  return problem(
    `This could not be looked at (${codeOf(error)}).`,
    'LOG_LEVEL=debug and the start of the server may say more.',
  );
}

const named = (check: string, findings: readonly Finding[]): Named[] =>
  findings.map((finding) => ({ check, ...finding }));

function inWords({ check, level, sentence, advice }: Named): string {
  const line = `${level.padEnd(8)} ${check.padEnd(15)} ${sentence}`;
  return advice === undefined ? line : `${line}\n${' '.repeat(25)}→ ${advice}`;
}
