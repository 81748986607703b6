import { existsSync } from 'node:fs';
import type { Config } from '../core/config.js';
import { type Database, DatabaseRefusal, openDatabase } from '../core/database.js';
import { openPostgres } from '../core/database-postgres.js';
import { countPendingMigrations, listMigrations } from '../core/migrations.js';
import { POSTGRES_TIMINGS } from '../core/postgres-lane.js';
import { type Finding, ok, problem, warning } from './doctor-scope.js';
import { commandLog } from './opening.js';

export interface Opened {
  database: Database | undefined;
  /** Whether services can be asked: all migrations of this build are there. */
  isReady: boolean;
  findings: Finding[];
}

/** Opens what is configured without the patience of a start, and looks at it as a database. */
export async function examineDatabase(config: Config): Promise<Opened> {
  let database: Database;
  try {
    const opened = await open(config);
    if (!('db' in opened)) return { database: undefined, isReady: false, findings: [opened] };
    database = opened;
  } catch (error) {
    if (!(error instanceof DatabaseRefusal)) throw error;
    return { database: undefined, isReady: false, findings: [problem(error.message, 'Nothing works without it.')] };
  }
  const migrations = await lookAtMigrations(database);
  const isReady = migrations.level === 'ok';
  const others =
    config.database.kind === 'postgres' ? await lookAtServer(database, { ...config.database, isReady }) : [];
  return { database, isReady, findings: [await lookAtLatency(database), migrations, ...others] };
}

const START_MS = 1_000;

async function open(config: Config): Promise<Database | Finding> {
  const log = commandLog(config);
  const settings = config.database;
  if (settings.kind === 'postgres')
    return openPostgres(settings, { log, timings: { ...POSTGRES_TIMINGS, start: START_MS } });
  if (!existsSync(settings.directory ?? ''))
    return warning('There is no embedded database yet.', 'The first start makes it. Is DATA_DIR right?');
  try {
    return await openDatabase(settings, log);
  } catch (error) {
    if (!(error instanceof DatabaseRefusal) || !error.message.includes('is in use by')) throw error;
    return warning(error.message, 'If that is your server, all is well: stop it to have the database looked at, too.');
  }
}

const SLOW_MS = 20;

async function lookAtLatency(database: Database): Promise<Finding> {
  await database.sql.query('select 1', []);
  const begun = performance.now();
  for (let turn = 0; turn < 5; turn += 1) await database.sql.query('select 1', []);
  const latencyMs = Math.round((performance.now() - begun) * 2) / 10;
  const shown = `The database answers in ${latencyMs} ms.`;
  return latencyMs > SLOW_MS ? warning(shown, 'Put it nearer: every request asks it at least once.') : ok(shown);
}

async function lookAtMigrations(database: Database): Promise<Finding> {
  try {
    await listMigrations(database);
    const pending = await countPendingMigrations(database);
    if (pending === 0) return ok('The tables are those of this build.');
    return problem(
      `${pending} migrations are pending.`,
      'Run "credence migrate up", or start the server, which does it.',
    );
  } catch (error) {
    if (!(error instanceof DatabaseRefusal)) throw error;
    return problem(error.message, 'This build and this database do not belong together.');
  }
}

interface ServerFacts {
  version: number;
  encoding: string;
  seconds: number;
  port: number | null;
  most: number;
  used: number;
  may_create: boolean;
  may_write: boolean | null;
}

const FACTS = `
  select current_setting('server_version_num')::int as version, current_setting('server_encoding') as encoding,
         extract(epoch from clock_timestamp())::float8 as seconds, inet_server_port() as port,
         current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as most,
         (select count(*)::int from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()) as used,
         has_schema_privilege(current_user, 'public', 'create') as may_create,
         case when to_regclass('users') is not null then
           has_table_privilege(current_user, 'users', 'insert') and has_table_privilege(current_user, 'users', 'update')
           and has_table_privilege(current_user, 'users', 'delete') end as may_write`;

type Server = Extract<Config['database'], { kind: 'postgres' }> & { isReady: boolean };

async function lookAtServer(database: Database, server: Server): Promise<Finding[]> {
  const begun = Date.now();
  const [facts] = await database.sql.query<ServerFacts>(FACTS, []);
  if (!facts) return [];
  const findings = [lookAtVersion(facts), lookAtClock(facts, (begun + Date.now()) / 2_000), lookAtRoom(facts, server)];
  return [...findings, ...lookAtRights(facts, server), ...lookAtWay(facts, server)];
}

function lookAtVersion({ version, encoding }: ServerFacts): Finding {
  const major = Math.floor(version / 10_000);
  if (major < 14) return problem(`PostgreSQL ${major} is too old.`, 'Use 14 or newer.');
  if (encoding !== 'UTF8')
    return problem(`The database is in ${encoding}.`, 'Make it anew with encoding UTF8: names hold every letter.');
  return ok(`PostgreSQL ${major}, UTF8.`);
}

function lookAtClock({ seconds }: ServerFacts, ourSeconds: number): Finding {
  const apart = Math.round(Math.abs(seconds - ourSeconds) * 10) / 10;
  const shown = `The clocks of this machine and of the database are ${apart} s apart.`;
  if (apart > 30) return problem(shown, 'Tokens and codes end at the wrong time: run NTP on both.');
  return apart > 2 ? warning(shown, 'Run NTP on both.') : ok(shown);
}

function lookAtRoom({ most, used }: ServerFacts, { connections }: Server): Finding {
  const shown = `One instance may hold ${connections} connections; the server has ${most}, of which ${used} are taken.`;
  if (connections > most) return problem(shown, 'Lower DATABASE_CONNECTIONS, or raise max_connections.');
  return connections > most - used
    ? warning(
        shown,
        'Another instance would not get its connections: lower DATABASE_CONNECTIONS, raise max_connections, or put a pooler between.',
      )
    : ok(shown);
}

function lookAtRights({ may_create, may_write }: ServerFacts, { isReady }: Server): Finding[] {
  if (may_write === false)
    return [
      problem('The role may not write the tables.', 'Give it the tables, or sign in as the role that owns them.'),
    ];
  if (may_create) return [ok('The role may change tables and rows.')];
  return isReady
    ? [
        warning(
          'The role may change rows and not tables.',
          'Right for serving; run "credence migrate up" as the owner before each upgrade.',
        ),
      ]
    : [
        problem(
          'The role may not make tables, and some are missing.',
          'Run "credence migrate up" as the owner of the database.',
        ),
      ];
}

/** What answers on another port than the one that was asked is not PostgreSQL itself. */
function lookAtWay({ port }: ServerFacts, { url }: Server): Finding[] {
  const asked = Number(new URL(url).port || 5432);
  if (port === null || port === asked) return [];
  return [
    warning(
      `Something stands before PostgreSQL: port ${asked} was asked, and the server's own is ${port}.`,
      'If it is pgbouncer, read what docs/DEPLOYMENT_GUIDE.md says about its modes; if it is a forwarded port, all is well.',
    ),
  ];
}
