import { getTableColumns } from 'drizzle-orm';
import { getTableConfig, type PgTable } from 'drizzle-orm/pg-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { PRIVACY_MAP } from '../../src/modules/privacy/privacy-map.js';
import { userNotes } from '../../src/modules/staff/user-notes.table.js';
import { createRecoveryPhrase, requestEmailChange, requestPasswordReset } from '../auth/operations.js';
import { createApiKey, deleteAccount, eraseUser, exchange, logMessages, move } from '../privacy/operations.js';
import { createHarness, type Harness } from '../support/harness.js';
import { expectSection } from './sections.js';

let h: Harness;
beforeAll(async () => {
  h = await createHarness();
});
afterAll(() => h.close());

/** Tables that say whose a row is by another name than `user_id`. */
const OTHER_TABLES = ['users', 'login_failures'];

/** Every column, as `table.column`, of tables that hold something about people. */
async function heldColumns(): Promise<string[]> {
  const rows = await h.app.database.sql.query<{ name: string }>(
    `select c.table_name || '.' || c.column_name as name
       from information_schema.columns c
      where c.table_schema = 'public'
        and (c.table_name = any($1::text[])
             or exists (select from information_schema.columns o
                         where o.table_schema = 'public' and o.table_name = c.table_name and o.column_name = 'user_id')
             or exists (select from pg_constraint f
                         where f.contype = 'f' and f.confrelid = 'users'::regclass and f.conrelid = c.table_name::regclass))
      order by 1`,
    [OTHER_TABLES],
  );
  return rows.map(({ name }) => name);
}

function mappedColumns(): string[] {
  return PRIVACY_MAP.flatMap(({ table, columns }) => {
    const names = getTableColumns(table as PgTable);
    return Object.keys(columns).map((column) => `${nameOf(table)}.${names[column]?.name}`);
  }).sort();
}

const nameOf = (table: object) => getTableConfig(table as PgTable).name;
const missing = (held: string[]) => held.filter((name) => !mappedColumns().includes(name));

describe('the privacy map', () => {
  it('covers every column of every table that holds something about people, and no other', async () => {
    const held = await heldColumns();
    expect(held.length).toBeGreaterThan(100);
    expect(missing(held)).toEqual([]);
    expect(mappedColumns().filter((name) => !held.includes(name))).toEqual([]);
  });

  it('has teeth: a column or a table that a migration adds is missed', async () => {
    const { sql } = h.app.database;
    await sql.query('alter table users add column shoe_size int', []);
    await sql.query('create table diaries (id uuid primary key, writer uuid references users (id))', []);
    try {
      expect(missing(await heldColumns())).toEqual(['diaries.id', 'diaries.writer', 'users.shoe_size']);
    } finally {
      await sql.query('drop table diaries', []);
      await sql.query('alter table users drop column shoe_size', []);
    }
  });

  it('gives a reason for everything that stays', () => {
    for (const { table, columns } of PRIVACY_MAP) {
      for (const [column, { atErasure, why }] of Object.entries(columns)) {
        if (atErasure === 'KEEP') expect(why, `${nameOf(table)}.${column}`).toBeTruthy();
      }
    }
  });

  it('is printed into docs/PRIVACY.md (npm run generate writes it)', async () => {
    const rows = PRIVACY_MAP.flatMap(({ table, columns, section }) => {
      const names = getTableColumns(table as PgTable);
      return Object.entries(columns).map(([column, { exported, atErasure, why }]) => {
        const shown = exported ? `\`${section}\`` : '·';
        return `| \`${nameOf(table)}.${names[column]?.name}\` | ${shown} | ${atErasure} | ${why ?? ''} |`;
      });
    });
    const content = ['| column | in the export | when erased | why |', '|---|---|---|---|', ...rows].join('\n');
    await expectSection('docs/PRIVACY.md', { name: 'privacy map', content });
  });
});

/** Which tables hold the text anywhere. */
async function tablesWith(text: string): Promise<string[]> {
  const { sql } = h.app.database;
  const tables = await sql.query<{ name: string }>(
    `select tablename as name from pg_tables where schemaname = 'public' order by 1`,
    [],
  );
  const found: string[] = [];
  for (const { name } of tables) {
    const [row] = await sql.query<{ found: boolean }>(
      `select exists (select from "${name}" t where to_jsonb(t)::text ilike '%' || $1 || '%') as found`,
      [text],
    );
    if (row?.found) found.push(name);
  }
  return found;
}

it('of somebody who was erased no table says anything but the id', async () => {
  const { key: serviceKey } = await h.service(['messages:write', 'credits:grant', 'usage:write']);
  const admin = await h.admin(['users:delete']);
  const person = await h.person({ username: `zebrafish${process.pid}` });
  const agent = { headers: { 'user-agent': 'MarkerAgent/1' }, token: person.token };
  await h.graphql(
    `mutation { updateProfile(input: { displayName: "Zelda Quux", avatarUrl: "https://quux.example/a.png" }) { user { id } } }`,
    agent,
  );
  await createRecoveryPhrase(h, person.token);
  await createApiKey(h, person.token);
  await requestPasswordReset(h, person.email);
  await requestEmailChange(h, person.token, 'zelda@quux.example');
  await move(h, serviceKey, { field: 'addCredits', userId: person.id, amount: 3, key: newId() });
  await logMessages(h, serviceKey, { batch: [exchange(person.id, 'sesame')] });
  await h.app.db.insert(userNotes).values({
    id: newId(),
    userId: person.id,
    authorKind: 'ADMIN',
    authorId: newId(),
    text: 'collects quux stamps',
    createdAt: h.app.now(),
  });
  const reader = await h.admin(['users:read']);
  const search = `query($search: String!) { users(filter: { search: $search }, sort: USERNAME_ASC, first: 1) { nodes { id } } }`;
  for (const text of [person.username, 'Zelda']) {
    const { data } = await h.graphql(search, { token: reader.token, variables: { search: text } });
    expect(data.users.nodes).toEqual([{ id: person.id }]);
  }
  await h.letters();
  expect((await tablesWith(person.username)).sort()).toEqual(['email_tokens', 'outbox_emails', 'users']);
  expect(await tablesWith('quux')).toEqual(['email_tokens', 'outbox_emails', 'user_notes', 'users']);
  await deleteAccount(h, person.token, 'moved to quux.example');
  expect(await tablesWith(person.username)).toEqual(['outbox_emails']);
  await eraseUser(h, admin, person.id);
  for (const trace of [person.username, person.email, 'quux', 'zelda', 'sesame']) {
    expect(await tablesWith(trace), trace).toEqual([]);
  }
  // What the map calls proof.
  expect(await tablesWith('MarkerAgent')).toEqual(['audit_events']);
});
