import postgres from 'postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../src/core/database.js';
import { openPostgres } from '../../src/core/database-postgres.js';
import { migrate } from '../../src/core/migrations.js';
import { POSTGRES_TIMINGS } from '../../src/core/postgres-lane.js';
import { silentLog } from '../support/database.js';
import { createHarness, type Harness, type Person, uniqueName } from '../support/harness.js';
import { type Cluster, createCluster, findServerPrograms } from '../support/postgres-cluster.js';

const SEARCH = 'query($search: String!) { users(filter: { search: $search }) { nodes { username } totalCount } }';
const HISTORY = 'query($userId: ID!) { creditTransactions(userId: $userId) { nodes { amount } totalCount } }';
const ADD = `mutation($input: AddCreditsInput!) { addCredits(input: $input) { account { balance } } }`;
const USE = `mutation($input: UseCreditsInput!) { useCredits(input: $input) { account { balance } } }`;
const VALIDATE = 'query($token: String!) { validateToken(token: $token) { valid } }';
/** So that a replica which lags can be waited for. */
const LAG_MS = 1_500;

describe.skipIf(findServerPrograms() === undefined)('with a streaming replica', () => {
  let cluster: Cluster;
  let database: Database;
  let h: Harness;
  let standby: postgres.Sql;
  let operator: { id: string; token: string };
  let service: { key: string };

  beforeAll(async () => {
    cluster = await createCluster();
    const timings = { ...POSTGRES_TIMINGS, replicaCheck: 50, replicaLag: LAG_MS };
    const config = {
      kind: 'postgres',
      url: cluster.primary.url,
      connections: 8,
      replicaUrl: cluster.replica.url,
    } as const;
    database = await openPostgres(config, { log: silentLog, timings });
    await migrate(database, { log: silentLog });
    h = await createHarness({ overrides: { database, db: database.db, sql: database.sql } });
    operator = await h.admin(['users:read', 'users:write', 'audit:read']);
    service = await h.service(['tokens:validate', 'credits:read', 'credits:grant', 'credits:use']);
    standby = postgres(cluster.replica.url, { max: 1, onnotice: () => undefined });
  }, 180_000);
  afterAll(async () => {
    await standby.end();
    await h.close();
    await cluster.close();
  });
  beforeEach(() => expect.poll(() => database.replica?.db() !== undefined, { timeout: 20_000 }).toBe(true));

  const pauseReplay = () => standby`select pg_wal_replay_pause()`;
  const resumeReplay = () => standby`select pg_wal_replay_resume()`;

  async function search(person: Pick<Person, 'username'>): Promise<string[]> {
    const { data, errors } = await h.graphql(SEARCH, { variables: { search: person.username }, token: operator.token });
    if (errors) throw new Error(JSON.stringify(errors));
    return data.users.nodes.map(({ username }: { username: string }) => username);
  }

  const isValid = async ({ token }: Person) =>
    (await h.graphql(VALIDATE, { variables: { token }, serviceKey: service.key })).data.validateToken.valid;

  it('a search is answered by the replica, and its record stands on the primary', async () => {
    const person = await h.person({ username: uniqueName() });
    await expect.poll(() => search(person)).toEqual([person.username]);
    await pauseReplay();
    const later = await h.person({ username: uniqueName() });
    expect(await search(later)).toEqual([]);
    const audit = 'select count(*)::int as count from audit_events where action = $1';
    const before = await database.sql.query<{ count: number }>(audit, ['users.listed']);
    await search(person);
    const after = await database.sql.query<{ count: number }>(audit, ['users.listed']);
    expect(after[0]?.count).toBe((before[0]?.count ?? 0) + 1);
    await resumeReplay();
    await expect.poll(() => search(later)).toEqual([later.username]);
  });

  it('a replica that stands still decides nothing: sign-out, suspension and credits count at once', async () => {
    const [leaving, suspended, spender] = [await h.person(), await h.person(), await h.person()];
    await pauseReplay();
    await h.graphql('mutation { logout { ok } }', { token: leaving.token });
    expect(await isValid(leaving)).toBe(false);
    const input = { userId: suspended.id, reason: 'test' };
    const suspend = 'mutation($input: SuspendUserInput!) { suspendUser(input: $input) { user { status } } }';
    expect((await h.graphql(suspend, { variables: { input }, token: operator.token })).code).toBeUndefined();
    expect(await isValid(suspended)).toBe(false);

    const move = (query: string, amount: number) =>
      h.graphql(query, {
        variables: {
          input: { userId: spender.id, amount, description: 'test', idempotencyKey: `${query.length}${amount}` },
        },
        serviceKey: service.key,
      });
    await move(ADD, 5);
    expect((await move(USE, 3)).data.useCredits.account.balance).toBe(2);
    expect((await move(USE, 4)).code).toBe('INSUFFICIENT_CREDITS');
    // The account says how long its history is, so a replica that lacks the end of it is noticed.
    const history = await h.graphql(HISTORY, { variables: { userId: spender.id }, serviceKey: service.key });
    expect(history.data.creditTransactions.nodes.map(({ amount }: { amount: number }) => Math.abs(amount))).toEqual([
      3, 5,
    ]);
    await resumeReplay();
  });

  it('one that is too far behind is not read from, until it has caught up', async () => {
    await pauseReplay();
    const person = await h.person({ username: uniqueName() });
    expect(await search(person)).toEqual([]);
    await expect.poll(() => search(person), { timeout: LAG_MS + 5_000 }).toEqual([person.username]);
    expect(database.replica?.db()).toBeUndefined();
    await resumeReplay();
    await expect.poll(() => database.replica?.db() !== undefined, { timeout: 10_000 }).toBe(true);
  });

  it('one that is stopped is done without, and taken again when it is back', async () => {
    const person = await h.person({ username: uniqueName() });
    await cluster.replica.stop();
    const answers = await Promise.all(Array.from({ length: 8 }, () => search(person)));
    expect(new Set(answers.flat())).toEqual(new Set([person.username]));
    expect(database.replica?.db()).toBeUndefined();
    await cluster.replica.start();
    await expect.poll(() => database.replica?.db() !== undefined, { timeout: 10_000 }).toBe(true);
    await expect.poll(() => search(person)).toEqual([person.username]);
  });
});
