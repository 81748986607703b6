import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { generateDrizzleJson } from 'drizzle-kit/api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/core/database.js';
import { listMigrations, migrate, revertMigrations } from '../../src/core/migrations.js';
import { startQueue } from '../../src/core/queue.js';
import { silentLog } from '../support/database.js';
import { createHarness, type Harness } from '../support/harness.js';

const directory = resolve(import.meta.dirname, '../../drizzle');

/** Every generated or hand-written migration, without its ending. */
async function migrationNames(): Promise<string[]> {
  const files = await readdir(directory);
  return files
    .filter((name) => /^\d{4}_\w+\.sql$/.test(name))
    .map((name) => name.slice(0, -'.sql'.length))
    .sort();
}

async function tablesInCode(): Promise<Record<string, unknown>> {
  const modules = resolve(import.meta.dirname, '../../src/modules');
  const files = (await readdir(modules, { recursive: true })).filter((name) => name.endsWith('.table.ts'));
  const exported = await Promise.all(files.map((file) => import(join(modules, file)) as Promise<object>));
  return Object.assign({}, ...exported) as Record<string, unknown>;
}

/** A snapshot as drizzle-kit writes it, without the ids that are new each time. */
function contentOf(snapshot: object): unknown {
  return { ...(JSON.parse(JSON.stringify(snapshot)) as object), id: '', prevId: '' };
}

test('the tables in the code are those that the migrations make (else: npm run db:generate)', async () => {
  const newest = (await readdir(join(directory, 'meta')))
    .filter((name) => name.endsWith('_snapshot.json'))
    .sort()
    .at(-1);
  const migrated = JSON.parse(await readFile(join(directory, 'meta', newest ?? ''), 'utf8')) as object;
  expect(contentOf(generateDrizzleJson(await tablesInCode()))).toEqual(contentOf(migrated));
});

test('every migration has its way down', async () => {
  for (const name of await migrationNames()) expect(existsSync(join(directory, `${name}.down.sql`)), name).toBe(true);
});

describe('with rows in the tables', () => {
  let harness: Harness;
  let database: Database;

  beforeAll(async () => {
    harness = await createHarness();
    database = harness.app.database;
    await fill(harness);
  });

  afterAll(() => harness.close());

  test('going down and up again, step by step, leaves all other rows and the whole schema as they were', async () => {
    const rows = await readRows(database);
    // What is rehearsed on empty tables proves little.
    for (const table of ['users', 'sessions', 'credit_transactions', 'credit_holds', 'audit_events', 'plans']) {
      expect(rows.get(table)?.length, table).toBeGreaterThan(0);
    }
    const schema = await readSchema(database);
    const steps = (await listMigrations(database)).length - 1;
    let lowest = rows;
    for (let step = 0; step < steps; step += 1) {
      await revertMigrations(database, { log: silentLog, steps: 1 });
      const below = await readRows(database);
      expectSameWhereBoth(below, lowest);
      lowest = below;
    }
    expect(await migrate(database, { log: silentLog })).toHaveLength(steps);
    expectSameWhereBoth(await readRows(database), lowest);
    expect(await readSchema(database)).toEqual(schema);
  });

  test('going all the way down leaves nothing, and up again makes the same schema', async () => {
    const schema = await readSchema(database);
    // The job queue's own tables, which no migration makes, are there after a start.
    await (await startQueue(harness.app, { jobs: [] })).stop();
    const queue = () => database.sql.query("select from pg_namespace where nspname = 'pgboss'", []);
    expect(await queue()).toHaveLength(1);
    const all = (await listMigrations(database)).length;
    expect(await revertMigrations(database, { log: silentLog, steps: all })).toHaveLength(all);
    expect(await readSchema(database)).toEqual([]);
    expect(await queue()).toEqual([]);
    expect(await migrate(database, { log: silentLog })).toHaveLength(all);
    expect(await readSchema(database)).toEqual(schema);
  });
});

/** A little of everything, made through the API where that is there. */
async function fill(harness: Harness): Promise<void> {
  const { graphql } = harness;
  const person = await harness.person();
  await harness.person({ verified: false });
  const admin = await harness.admin(['users:read', 'users:write']);
  const { key: serviceKey } = await harness.service(['credits:grant', 'credits:use', 'usage:write', 'messages:write']);
  const answers = [
    await graphql(`mutation($input: AddCreditsInput!) { addCredits(input: $input) { replayed } }`, {
      serviceKey,
      variables: { input: { userId: person.id, amount: 100, description: 'welcome', idempotencyKey: 'a' } },
    }),
    await graphql(`mutation($input: HoldCreditsInput!) { holdCredits(input: $input) { replayed } }`, {
      serviceKey,
      variables: { input: { userId: person.id, amount: 5, idempotencyKey: 'b' } },
    }),
    await graphql(`mutation($input: ConsumeConversationInput!) { consumeConversation(input: $input) { allowed } }`, {
      serviceKey,
      variables: { input: { userId: person.id } },
    }),
    await graphql(`mutation($input: LogMessagesInput!) { logMessages(input: $input) { accepted } }`, {
      serviceKey,
      variables: { input: { batch: [{ userId: person.id, model: 'm', messages: [{ role: 'user', content: 'hi' }] }] } },
    }),
    await graphql('mutation { createRecoveryPhrase { phrase } }', { token: person.token }),
    await graphql(`mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { key } }`, {
      token: person.token,
      variables: { input: { name: 'reader', scopes: ['account:read'] } },
    }),
    await graphql('mutation { startTotpEnrollment { secret } }', { token: person.token }),
    await graphql(`mutation($input: AddUserNoteInput!) { addUserNote(input: $input) { note { id } } }`, {
      token: admin.token,
      variables: { input: { userId: person.id, text: 'called' } },
    }),
  ];
  for (const { errors } of answers) expect(errors).toBeUndefined();
  const wrong = { identifier: person.username, password: 'not the password at all' };
  await graphql('mutation($input: LoginInput!) { login(input: $input) { __typename } }', {
    variables: { input: wrong },
  });
}

type Row = Record<string, unknown>;

/** Every row of every table of ours, in an order that does not depend on where it lies. */
async function readRows(database: Database): Promise<Map<string, Row[]>> {
  const tables = await database.sql.query<{ name: string }>(
    `select tablename as name from pg_tables where schemaname = 'public' and tablename <> 'credence_migrations'`,
    [],
  );
  const rows = new Map<string, Row[]>();
  for (const { name } of tables) {
    const found = await database.sql.query<{ row: Row }>(`select to_jsonb(t) as row from "${name}" t order by 1`, []);
    rows.set(
      name,
      found.map(({ row }) => row),
    );
  }
  return rows;
}

/** The rows of tables that both have, in the columns that both have. */
function expectSameWhereBoth(some: Map<string, Row[]>, others: Map<string, Row[]>): void {
  for (const [table, rows] of some) {
    const other = others.get(table);
    if (!other) continue;
    expect(narrow(rows, other[0]), table).toEqual(narrow(other, rows[0]));
  }
}

function narrow(rows: Row[], like: Row = {}): string[] {
  const narrowed = rows.map((row) => JSON.stringify(Object.entries(row).filter(([column]) => column in like)));
  return narrowed.sort();
}

/** Everything that migrations make, as PostgreSQL writes it out. */
async function readSchema(database: Database): Promise<unknown[]> {
  return database.sql.query(
    `with ours as (
       select oid, relname, relkind, reloptions from pg_class
       where relnamespace = 'public'::regnamespace and relname not like 'credence_migrations%'
     )
     select 'relation' as kind, relname as name, concat(relkind, reloptions) as definition from ours
     union all
     select 'column', relname || '.' || attname,
       -- The place among the columns there are: one that was dropped and made again leaves a gap in the numbers.
       concat(rank() over (partition by ours.oid order by attnum), format_type(atttypid, atttypmod), attnotnull,
              pg_get_expr(adbin, adrelid))
     from pg_attribute join ours on ours.oid = attrelid left join pg_attrdef on adrelid = attrelid and adnum = attnum
     where attnum > 0 and not attisdropped
     union all
     select 'constraint', conname, pg_get_constraintdef(pg_constraint.oid) from pg_constraint join ours on ours.oid = conrelid
     union all
     select 'index', indexname, indexdef from pg_indexes where indexname in (select relname from ours)
     union all
     select 'trigger', tgname, pg_get_triggerdef(pg_trigger.oid) from pg_trigger join ours on ours.oid = tgrelid
     where not tgisinternal
     union all
     select 'function', pg_proc.oid::regprocedure::text, prosrc from pg_proc
     where pronamespace = 'public'::regnamespace
       and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e')
     order by 1, 2, 3`,
    [],
  );
}
