import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeKey } from '../../src/core/secrets.js';
import { findBroken } from '../support/invariants.js';
import { ask, createPlace, type ServerProcess, startCredence } from '../support/process.js';

const KILLS = 10;
const REQUESTS = 200;
const PASSWORD = 'violet tractor sings 77 at dusk';
const serviceKey = makeKey('svc');
const service = { 'x-api-key': serviceKey };

let place: Awaited<ReturnType<typeof createPlace>>;
beforeAll(async () => {
  place = await createPlace();
  Object.assign(place.env, { INTERNAL_SERVICE_KEY: serviceKey, ADMIN_PASSWORD: 'a lantern over 9 quiet rivers' });
});
afterAll(() => place.dispose());

const REGISTER = `mutation($input: RegisterInput!) { register(input: $input) { accessToken refreshToken user { id } } }`;
const ADD = `mutation($input: AddCreditsInput!) { addCredits(input: $input) { transaction { id balanceAfter } replayed } }`;
const USE = `mutation($input: UseCreditsInput!) { useCredits(input: $input) { transaction { id balanceAfter } replayed } }`;
const HOLD = `mutation($input: HoldCreditsInput!) { holdCredits(input: $input) { hold { id } replayed } }`;

interface Acknowledged {
  people: { id: string; token: string; refreshToken: string }[];
  /** Everything that moved credits and was answered: sent again with its key, it has to be the same answer. */
  movements: { query: string; variables: { input: object }; field: string; id: string }[];
}

/** Not the clock and not chance: the same request kinds at the same places in every run. */
const dice = (round: number, place: number) => createHash('sha256').update(`${round}:${place}`).digest()[0] ?? 0;

async function mixedRequest(
  url: string,
  options: { round: number; place: number; userId: string; seen: Acknowledged },
): Promise<void> {
  const { round, place, userId, seen } = options;
  const key = `r${round}-${place}`;
  const kind = dice(round, place) % 10;
  if (kind === 0) {
    const input = { username: `p${key}`, email: `p${key}@example.com`, password: PASSWORD };
    const { data } = await ask(url, { query: REGISTER, variables: { input } });
    if (data?.register)
      seen.people.push({
        id: data.register.user.id,
        token: data.register.accessToken,
        refreshToken: data.register.refreshToken,
      });
    return;
  }
  const [query, field, input] =
    kind < 5
      ? [ADD, 'addCredits', { userId, amount: 10, description: 'add', idempotencyKey: key }]
      : kind < 9
        ? [USE, 'useCredits', { userId, amount: 1, description: 'use', idempotencyKey: key }]
        : [HOLD, 'holdCredits', { userId, amount: 1, idempotencyKey: key }];
  const { data } = await ask(url, { query, variables: { input }, headers: service });
  const answer = data?.[field];
  if (answer) seen.movements.push({ query, variables: { input }, field, id: (answer.transaction ?? answer.hold).id });
}

/** Sends everything at once and kills the process when `after` of the requests have been answered. */
async function sendAndKill(
  server: ServerProcess,
  options: { round: number; userId: string; seen: Acknowledged; after: number },
): Promise<void> {
  let answered = 0;
  let killed: Promise<unknown> | undefined;
  const requests = Array.from({ length: REQUESTS }, async (_, place) => {
    try {
      await mixedRequest(server.url, { ...options, place });
    } catch {
      return; // the connection broke: the outcome is unknown, and nothing was acknowledged
    }
    answered += 1;
    if (answered === options.after) killed = server.end('SIGKILL');
  });
  await Promise.all(requests);
  await (killed ?? server.end('SIGKILL'));
}

async function checkAcknowledged(url: string, seen: Acknowledged): Promise<void> {
  for (const { query, variables, field, id } of seen.movements) {
    const { data } = await ask(url, { query, variables, headers: service });
    expect(data?.[field]?.replayed, JSON.stringify(variables)).toBe(true);
    expect((data[field].transaction ?? data[field].hold).id).toBe(id);
  }
  for (const person of seen.people) {
    const { data } = await ask(url, {
      query: `query($token: String!) { validateToken(token: $token) { valid user { id } } }`,
      variables: { token: person.token },
      headers: service,
    });
    expect(data.validateToken).toEqual({ valid: true, user: { id: person.id } });
  }
}

async function booksAreRight(url: string): Promise<unknown> {
  const { data } = await ask(url, {
    query: `mutation($input: AdminLoginInput!) { adminLogin(input: $input) { ... on AdminAuthPayload { accessToken } } }`,
    variables: { input: { identifier: 'admin', password: place.env.ADMIN_PASSWORD } },
  });
  const health = await ask(url, {
    query: `{ ledgerHealth { ok } }`,
    headers: { authorization: `Bearer ${data.adminLogin.accessToken}` },
  });
  return health.data?.ledgerHealth.ok;
}

it(`loses no acknowledged write when killed in the middle of ${REQUESTS} mixed requests, ${KILLS} times, and starts again without help`, async () => {
  let server = await startCredence(place.env);
  const first = await ask(server.url, {
    query: REGISTER,
    variables: { input: { username: 'first', email: 'first@example.com', password: PASSWORD } },
  });
  const userId: string = first.data.register.user.id;
  let acknowledged = 0;
  for (let round = 0; round < KILLS; round += 1) {
    const seen: Acknowledged = { people: [], movements: [] };
    await sendAndKill(server, { round, userId, seen, after: 40 + (dice(round, -1) % 120) });
    server = await startCredence(place.env);
    await checkAcknowledged(server.url, seen);
    acknowledged += seen.movements.length + seen.people.length;
    expect(await booksAreRight(server.url)).toBe(true);
  }
  expect(acknowledged).toBeGreaterThan(KILLS * 30);
  expect(await server.end('SIGTERM')).toBe(0);
  const { DATABASE_URL: url } = place.env;
  const directory = `${place.dataDir}/database`;
  const database = url
    ? ({ kind: 'postgres', url, connections: 4 } as const)
    : ({ kind: 'pglite', directory } as const);
  expect(await findBroken({ database })).toEqual([]);
}, 900_000);
