import postgres from 'postgres';
import { compare, type Effort, type Side } from '../compare.ts';
import { load, post } from '../load.ts';
import { type Server, startServer } from '../processes.ts';
import { createWorld, type World } from '../world.ts';
import { atMost, type Result, type Row } from './row.ts';
import { tokenRequests } from './tokens.ts';

const SEARCH =
  'query($search: String) { users(first: 20, filter: { search: $search }) { nodes { id username } totalCount } }';
const ADMIN =
  'mutation($input: AdminLoginInput!) { adminLogin(input: $input) { ... on AdminAuthPayload { accessToken } } }';

/** With a session each. */
const FEW = 1_000;

/** Takes the indexes of a table away, all but those of constraints, and answers what makes them again. */
async function dropIndexes(client: postgres.Sql, table: string): Promise<string[]> {
  const indexes = await client.unsafe<{ name: string; definition: string }[]>(`
    select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
      from pg_index i left join pg_constraint c on c.conindid = i.indexrelid
     where i.indrelid = '${table}'::regclass and c.oid is null`);
  for (const { name } of indexes) await client.unsafe(`drop index ${name}`);
  return indexes.map(({ definition }) => definition);
}

/**
 * People beside those who are asked for, with a session each. Indexes are made over all rows at once: row by row, the one
 * that people are searched by takes most of an hour.
 */
async function crowdIn(databaseUrl: string, rows: number): Promise<void> {
  const client = postgres(databaseUrl, { max: 1, onnotice: () => undefined });
  try {
    await client.unsafe("set session_replication_role = replica; set maintenance_work_mem = '256MB'");
    const indexes = [...(await dropIndexes(client, 'users')), ...(await dropIndexes(client, 'sessions'))];
    await client.unsafe(`
      insert into users (id, username, username_key, email, email_key, email_verified_at, created_at, updated_at)
      select gen_random_uuid(), name, name, name || '@example.org', name || '@example.org', now(), moment, moment
        from (select 'crowd' || md5(n::text) as name, now() - n * interval '1 second' as moment
                from generate_series(1, ${rows}) n) crowd`);
    await client.unsafe(`
      insert into sessions (id, user_id, method, refresh_hash, rotated_at, created_at, last_used_at, authenticated_at,
                            expires_at, ends_at)
      select gen_random_uuid(), id, 'PASSWORD', md5(username), now(), now(), now(), now(), now() + interval '30 days',
             now() + interval '90 days'
        from users where username like 'crowd%'`);
    for (const definition of indexes) await client.unsafe(definition);
    await client.unsafe('vacuum analyze');
  } finally {
    await client.end();
  }
}

function validating(world: World): Side['script'] {
  const requests = tokenRequests(world, '/graphql');
  let at = 0;
  return () => ({
    next() {
      at = (at + 1) % requests.length;
      return requests[at] as Buffer;
    },
  });
}

async function searching(server: Server, world: World): Promise<Side['script']> {
  let token = '';
  const login = post('/graphql', {
    query: ADMIN,
    variables: { input: { identifier: 'admin', password: world.password } },
  });
  await load({
    ...{ url: server.url, connections: 1, seconds: 60, requests: 1 },
    script: () => ({
      next: () => login,
      answered: (body) => {
        token = JSON.parse(body).data.adminLogin.accessToken;
      },
    }),
  });
  return () => ({
    next() {
      const search = world.people[Math.floor(Math.random() * world.people.length)]?.username;
      return post('/graphql', { query: SEARCH, variables: { search } }, { authorization: `Bearer ${token}` });
    },
  });
}

async function growthOf(small: World, large: World, effort: Effort): Promise<[sessions: number, search: number]> {
  const start = (world: World) => startServer('Credence', { script: 'dist/main.js', env: world.env });
  const few = await start(small);
  const many = await start(large);
  try {
    const sides = [
      { server: many, script: validating(large) },
      { server: few, script: validating(small) },
    ] as const;
    const sessions = await compare(...sides, effort);
    const gentle = { ...effort, connections: 4 };
    const search = await compare(
      { server: many, script: await searching(many, large) },
      { server: few, script: await searching(few, small) },
      gentle,
    );
    return [1 / sessions.ratio, 1 / search.ratio];
  } finally {
    await Promise.all([few.stop(), many.stop()]);
  }
}

export const growth: Row = {
  name: 'growth',
  async run({ effort, large: rows, serverUrl }): Promise<Result[]> {
    if (rows <= FEW || serverUrl === undefined) return [];
    const small = await createWorld(serverUrl, { accounts: FEW });
    const large = await createWorld(serverUrl, { accounts: FEW });
    try {
      // Both sides are treated alike: indexes made in one go, every row seen by the vacuum.
      await crowdIn(small.databaseUrl ?? '', 0);
      await crowdIn(large.databaseUrl ?? '', rows - FEW);
      const [sessions, search] = await growthOf(small, large, effort);
      const baseline = `itself with ${FEW.toLocaleString('en')}`;
      const targets = { firstLanding: atMost(1.5), goal: atMost(1.1) };
      const crowd = rows.toLocaleString('en');
      return [
        { row: `time of \`validateToken\` among ${crowd} sessions`, baseline, ratio: sessions, ...targets },
        { row: `time of a search among ${crowd} people`, baseline, ratio: search, ...targets },
      ];
    } finally {
      await Promise.all([small.dispose(), large.dispose()]);
    }
  },
};
