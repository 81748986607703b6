import { and, desc, eq } from 'drizzle-orm';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { auditEvents } from '../../src/modules/audit/audit.table.js';
import { users } from '../../src/modules/auth/auth.table.js';
import { createHarness, type Harness, uniqueName } from '../support/harness.js';

const LIST = `query($first: Int, $after: String, $filter: UserFilter, $sort: UserSort) { users(first: $first, after: $after, filter: $filter, sort: $sort) {
  nodes { id username status } edges { cursor } totalCount pageInfo { hasNextPage hasPreviousPage endCursor } } }`;
const ONE = `query($id: ID!) { user(id: $id) { id username email status plan { code name } } }`;

let h: Harness;
let admin: Awaited<ReturnType<Harness['admin']>>;

beforeAll(async () => {
  h = await createHarness();
  admin = await h.admin(['users:read']);
});
afterAll(() => h.close());
afterEach(async () => {
  await h.app.db.delete(users);
});

interface Made {
  id: string;
  username: string;
  email: string;
}

/** Straight into the table: what is tested is how they are found. */
async function make(
  changes: Partial<typeof users.$inferInsert> & { username?: string; email?: string } = {},
): Promise<Made> {
  const id = changes.id ?? newId();
  const username = changes.username ?? uniqueName('u');
  const email = changes.email ?? `${username}@example.com`.toLowerCase();
  const createdAt = changes.createdAt ?? h.app.now();
  const keys = { usernameKey: username.toLowerCase(), emailKey: email.toLowerCase() };
  await h.app.db.insert(users).values({ ...changes, id, username, email, ...keys, createdAt, updatedAt: createdAt });
  return { id, username, email };
}

interface ListVariables {
  first?: number;
  after?: string | null;
  filter?: Record<string, unknown>;
  sort?: string;
}

const ask = (variables: ListVariables = {}) => h.graphql(LIST, { token: admin.token, variables: { ...variables } });

async function list(variables: ListVariables = {}) {
  const { data, errors } = await ask(variables);
  expect(errors).toBeUndefined();
  return data.users as {
    nodes: { id: string; username: string; status: string }[];
    edges: { cursor: string }[];
    totalCount: number;
    pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; endCursor: string | null };
  };
}

const names = async (filter: Record<string, unknown>, sort = 'USERNAME_ASC') =>
  (await list({ filter, sort, first: 100 })).nodes.map(({ username }) => username);

describe('search', () => {
  it('finds people by any part of user name, address and display name, in any case', async () => {
    await make({ username: 'ada' });
    await make({ username: 'Countess', email: 'lovelace@analytical.example' });
    await make({ username: 'grace', displayName: 'Grace Hopper-Ada' });
    await make({ username: 'someone' });
    expect(await names({ search: 'ada' })).toEqual(['ada', 'grace']);
    expect(await names({ search: 'ADA' })).toEqual(['ada', 'grace']);
    expect(await names({ search: '  lovelace@ ' })).toEqual(['Countess']);
    expect(await names({ search: 'analytical.ex' })).toEqual(['Countess']);
    expect(await names({ search: 'e hopper' })).toEqual(['grace']);
    expect(await names({ search: 'nobody at all' })).toEqual([]);
  });

  it('finds people by the beginning of their id, and not by what stands in the middle of it', async () => {
    const [one, two] = [
      await make({ id: '0193aaaa-0000-7000-8000-000000000001' }),
      await make({ id: '0193aaaa-0001-7000-8000-000000000002' }),
    ];
    const ids = async (search: string) => (await list({ filter: { search } })).nodes.map(({ id }) => id).sort();
    expect(await ids('0193aaaa')).toEqual([one.id, two.id]);
    expect(await ids('0193AAAA-0001')).toEqual([two.id]);
    expect(await ids(one.id)).toEqual([one.id]);
    expect(await ids('0193aaaa-0000-7000-8000-00000000000')).toEqual([one.id]);
    expect(await ids('0000-7000')).toEqual([]);
    expect(await ids('0193aaab')).toEqual([]);
  });

  it('takes %, _ and \\ for themselves', async () => {
    await make({ username: 'percent', displayName: '100% sure' });
    await make({ username: 'under_score' });
    await make({ username: 'underXscore' });
    await make({ username: 'slash', displayName: 'back\\slash' });
    expect(await names({ search: '100%' })).toEqual(['percent']);
    expect(await names({ search: '%%%' })).toEqual([]);
    expect(await names({ search: '___' })).toEqual([]);
    expect(await names({ search: 'r_s' })).toEqual(['under_score']);
    expect(await names({ search: 'k\\s' })).toEqual(['slash']);
    expect(await names({ search: '\\\\\\' })).toEqual([]);
    expect(await names({ search: "' or 1=1 --" })).toEqual([]);
  });

  it('does not reach from one column into the next', async () => {
    await make({ username: 'abcdef', email: 'ghi@example.com' });
    expect(await names({ search: 'defghi' })).toEqual([]);
    expect(await names({ search: 'def ghi' })).toEqual([]);
  });

  it.each([['ab'], [''], ['  a  '], ['a'.repeat(101)], ['a\nb c'], ['abc\0'], ['abc\ud800'], ['a'.repeat(50_000)]])(
    'refuses %j: BAD_USER_INPUT',
    async (search) => {
      expect((await ask({ filter: { search } })).code).toBe('BAD_USER_INPUT');
    },
  );

  it('whatever is searched for, the answer is people who hold it, or BAD_USER_INPUT', async () => {
    const displayName = 'Ünïcödé %_\\ Näme';
    await make({ username: 'searched', displayName });
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 12 }), async (search) => {
        const { code, data } = await ask({ filter: { search } });
        if (code) expect(code).toBe('BAD_USER_INPUT');
        else expect(data.users.totalCount).toBe(0);
      }),
      { numRuns: 60 },
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(displayName.length - 3), fc.integer({ min: 3, max: 8 }), async (start, length) => {
        const search = displayName.slice(start, start + length);
        if (search.trim().length >= 3) expect(await names({ search })).toEqual(['searched']);
      }),
      { numRuns: 30 },
    );
  });

  it('is answered by the index, not by reading the table', async () => {
    const { sql } = h.app.database;
    const ids = Array.from({ length: 3_000 }, () => newId());
    await sql.query(
      `insert into users (id, username, username_key, email, email_key, created_at, updated_at)
       select id, 'bulk' || n, 'bulk' || n, n || '@example.com', n || '@example.com', now(), now()
         from unnest($1::uuid[]) with ordinality as made (id, n)`,
      [ids],
    );
    await sql.query('analyze users', []);
    const scans = async () => {
      const text = `select idx_scan as scans from pg_stat_user_indexes where indexrelname = 'users_search'`;
      return (await sql.query<{ scans: number }>(text, []))[0]?.scans;
    };
    const before = await scans();
    // The server adds its counts up about once a second.
    await expect
      .poll(
        async () => {
          expect(await names({ search: 'bulk2999' })).toEqual(['bulk2999']);
          return scans();
        },
        { timeout: 15_000 },
      )
      .toBeGreaterThan(before ?? 0);
  });
});

describe('filter', () => {
  it('by status goes by the clock, as everywhere', async () => {
    const now = h.app.now();
    const [past, ahead] = [new Date(now.getTime() - 1_000), new Date(now.getTime() + 60_000)];
    const suspension = { status: 'SUSPENDED', suspendedAt: past } as const;
    await make({ username: 'active' });
    await make({ username: 'endless', ...suspension });
    await make({ username: 'lifted', ...suspension, suspendedUntil: past });
    await make({ username: 'limited', ...suspension, suspendedUntil: ahead });
    expect(await names({ status: 'SUSPENDED' })).toEqual(['endless', 'limited']);
    expect(await names({ status: 'ACTIVE' })).toEqual(['active', 'lifted']);
    const shown = (await list({ filter: { search: 'lifted' } })).nodes;
    expect(shown).toMatchObject([{ status: 'ACTIVE' }]);
  });

  it('by verified address and by time of creation, all together', async () => {
    const at = (day: number) => new Date(Date.UTC(2026, 0, day));
    await make({ username: 'one', createdAt: at(1), emailVerifiedAt: at(1) });
    await make({ username: 'two', createdAt: at(2) });
    await make({ username: 'three', createdAt: at(3), emailVerifiedAt: at(3) });
    expect(await names({ emailVerified: true })).toEqual(['one', 'three']);
    expect(await names({ emailVerified: false })).toEqual(['two']);
    expect(await names({ createdAfter: at(2).toISOString() })).toEqual(['three', 'two']);
    expect(await names({ createdBefore: at(2).toISOString() })).toEqual(['one']);
    expect(await names({ createdAfter: at(2).toISOString(), emailVerified: true })).toEqual(['three']);
    expect(await names({ search: null, status: null, emailVerified: null, createdAfter: null })).toHaveLength(3);
  });

  it.each([
    ['a status that is none', { status: 'GONE' }],
    ['a time that is none', { createdAfter: 'yesterday' }],
    ['a field that is none', { passwordHash: 'x' }],
    ['a search that is no text', { search: 12345 }],
  ])('refuses %s: BAD_USER_INPUT', async (_, filter) => {
    expect((await ask({ filter })).code).toBe('BAD_USER_INPUT');
  });
});

describe('pages', () => {
  it('come in the order asked for, newest first without asking', async () => {
    const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
    await make({ username: 'bob', createdAt: at(1) });
    await make({ username: 'Ada', createdAt: at(2) });
    await make({ username: 'cleo', createdAt: at(3) });
    const order = async (sort?: string) => (await list(sort ? { sort } : {})).nodes.map(({ username }) => username);
    expect(await order()).toEqual(['cleo', 'Ada', 'bob']);
    expect(await order('CREATED_AT_DESC')).toEqual(['cleo', 'Ada', 'bob']);
    expect(await order('CREATED_AT_ASC')).toEqual(['bob', 'Ada', 'cleo']);
    expect(await order('USERNAME_ASC')).toEqual(['Ada', 'bob', 'cleo']);
    expect((await ask({ sort: 'PASSWORD_ASC' })).code).toBe('BAD_USER_INPUT');
  });

  it('have between 1 and 100 people', async () => {
    for (const first of [0, -1, 101, 1_000_000_000]) {
      // Beyond 100 the document itself is refused, by its cost.
      expect(['BAD_USER_INPUT', 'GRAPHQL_VALIDATION_FAILED']).toContain((await ask({ first })).code);
    }
    expect((await ask({ first: 1.5 })).code).toBe('BAD_USER_INPUT');
  });

  it.each([
    ['a word', 'nonsense'],
    ['nothing', ''],
    ['NUL', '\0'],
    ['a cursor of another list', Buffer.from('["bob"]').toString('base64url')],
    ['a cursor with a day that is none', Buffer.from(`["x","${newId()}"]`).toString('base64url')],
    ['a cursor with SQL', Buffer.from(`[0,"' or 1=1 --"]`).toString('base64url')],
    ['a huge cursor', 'A'.repeat(5_000)],
    ['a cursor out of time', Buffer.from(`[9e20,"${newId()}"]`).toString('base64url')],
  ])('refuse %s as a cursor: BAD_USER_INPUT', async (_, after) => {
    expect((await ask({ after })).code).toBe('BAD_USER_INPUT');
  });

  it('a forged cursor moves about in the list and leads nowhere else', async () => {
    await make({ username: 'only' });
    const far = Buffer.from(`[${Date.UTC(2100, 0, 1)},"${newId()}"]`).toString('base64url');
    expect((await list({ after: far, filter: { search: 'only' } })).nodes).toHaveLength(1);
    expect((await list({ after: far, filter: { search: 'nobody' } })).nodes).toEqual([]);
  });

  it('go on where they were whoever comes or goes meanwhile: nobody twice, nobody missed', async () => {
    const moments = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 12 });
    const sorts = fc.constantFrom('CREATED_AT_DESC', 'CREATED_AT_ASC', 'USERNAME_ASC');
    const base = Date.UTC(2026, 5, 1);
    await fc.assert(
      fc.asyncProperty(
        moments,
        moments,
        sorts,
        fc.integer({ min: 1, max: 4 }),
        async (before, between, sort, first) => {
          await h.app.db.delete(users);
          const there = new Set<string>();
          for (const second of before) there.add((await make({ createdAt: new Date(base + second * 1000) })).id);
          const seen: string[] = [];
          const late = [...between];
          let after: string | null = null;
          for (;;) {
            const page = await list({ first, after, sort });
            seen.push(...page.nodes.map(({ id }) => id));
            expect(page.pageInfo.hasPreviousPage).toBe(after !== null);
            if (!page.pageInfo.hasNextPage) break;
            after = page.pageInfo.endCursor;
            const second = late.pop();
            if (second !== undefined) await make({ createdAt: new Date(base + second * 1000) });
          }
          expect(new Set(seen).size).toBe(seen.length);
          expect(seen.filter((id) => there.has(id)).length).toBe(there.size);
        },
      ),
      { numRuns: 12 },
    );
  });

  it('count everybody who fits, not only who is on the page', async () => {
    for (let n = 0; n < 5; n += 1) await make({ username: `counted${n}` });
    await make({ username: 'other' });
    const page = await list({ first: 2, filter: { search: 'counted' } });
    expect([page.nodes.length, page.totalCount, page.pageInfo.hasNextPage]).toEqual([2, 5, true]);
  });
});

describe('user', () => {
  it('shows one person', async () => {
    const { id, username, email } = await make({ username: 'shown' });
    const { data } = await h.graphql(ONE, { token: admin.token, variables: { id } });
    expect(data.user).toEqual({ id, username, email, status: 'ACTIVE', plan: { code: 'free', name: 'Free' } });
    expect((await h.graphql(ONE, { token: admin.token, variables: { id: id.toUpperCase() } })).data.user.id).toBe(id);
  });

  it('an unknown id is NOT_FOUND, an admin’s too; a malformed one BAD_USER_INPUT', async () => {
    const one = (id: string) => h.graphql(ONE, { token: admin.token, variables: { id } });
    expect((await one(newId())).code).toBe('NOT_FOUND');
    expect((await one(admin.id)).code).toBe('NOT_FOUND');
    for (const id of ['', 'x', '%', '../etc/passwd', 'a'.repeat(9_000)])
      expect((await one(id)).code).toBe('BAD_USER_INPUT');
  });
});

describe('every look leaves a row', () => {
  const newest = async (action: 'user.viewed' | 'users.listed') => {
    const mine = and(eq(auditEvents.action, action), eq(auditEvents.actorId, admin.id));
    const [row] = await h.app.db.select().from(auditEvents).where(mine).orderBy(desc(auditEvents.id));
    return row;
  };

  it('at one person: in that person’s history', async () => {
    const { id } = await make();
    await h.graphql(ONE, { token: admin.token, variables: { id }, ip: '203.0.113.5' });
    expect(await newest('user.viewed')).toMatchObject({
      userId: id,
      targetId: id,
      actorKind: 'ADMIN',
      ip: '203.0.113.5',
    });
  });

  it('at a list: with a fingerprint of what was searched for, which may be a name', async () => {
    await list({ filter: { search: 'whoever' }, first: 7 });
    const row = await newest('users.listed');
    expect(row).toMatchObject({
      userId: null,
      after: { filter: { search: expect.stringMatching(/^[\w-]{43}$/) }, sort: 'CREATED_AT_DESC', first: 7 },
    });
    expect(JSON.stringify(row)).not.toContain('whoever');
  });

  it('and the person reads who looked', async () => {
    const person = await h.person();
    await h.graphql(ONE, { token: admin.token, variables: { id: person.id } });
    const query = `{ me { securityHistory(first: 5) { nodes { action } } } }`;
    const { data, errors } = await h.graphql(query, { token: person.token });
    expect(errors).toBeUndefined();
    expect(data.me.securityHistory.nodes[0].action).toBe('user.viewed');
  });
});

it('who may not read people is refused', async () => {
  const person = await h.person();
  const calls = [
    { token: (await h.admin(['users:write', 'admins:manage'])).token },
    { token: person.token },
    { serviceKey: (await h.service(['users:read'])).key },
  ];
  for (const call of calls) {
    expect((await h.graphql(LIST, call)).code).toBe('FORBIDDEN');
    expect((await h.graphql(ONE, { ...call, variables: { id: person.id } })).code).toBe('FORBIDDEN');
  }
  expect((await h.graphql(LIST)).code).toBe('UNAUTHENTICATED');
  expect((await h.graphql(ONE, { variables: { id: person.id } })).code).toBe('UNAUTHENTICATED');
});
