import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeKey } from '../../src/core/secrets.js';
import { ask, createPlace, type ServerProcess, startCredence } from '../support/process.js';

const KILLS = 3;
const CALLS = 40;
const ENTRIES = 25;
const PASSWORD = 'violet tractor sings 77 at dusk';
const serviceKey = makeKey('svc');
const service = { 'x-api-key': serviceKey };

let place: Awaited<ReturnType<typeof createPlace>>;
beforeAll(async () => {
  place = await createPlace();
  Object.assign(place.env, { INTERNAL_SERVICE_KEY: serviceKey, ADMIN_PASSWORD: 'a lantern over 9 quiet rivers' });
});
afterAll(() => place.dispose());

const REGISTER = `mutation($input: RegisterInput!) { register(input: $input) { user { id } } }`;
const LOG = `mutation($input: LogMessagesInput!) { logMessages(input: $input) { accepted replayed } }`;

interface Sent {
  input: object;
  isAcknowledged: boolean;
}

/** Sends everything at once and kills the process when `after` calls have been answered. */
async function sendAndKill(server: ServerProcess, calls: Sent[], after: number): Promise<void> {
  let answered = 0;
  let killed: Promise<unknown> | undefined;
  const requests = calls.map(async (call) => {
    try {
      const { data } = await ask(server.url, { query: LOG, variables: { input: call.input }, headers: service });
      call.isAcknowledged = data?.logMessages?.accepted === ENTRIES;
    } catch {
      return; // the connection broke: nothing was acknowledged
    }
    answered += 1;
    if (answered === after) killed = server.end('SIGKILL');
  });
  await Promise.all(requests);
  await (killed ?? server.end('SIGKILL'));
}

async function countLogged(url: string, userId: string): Promise<number> {
  const login = `mutation($input: AdminLoginInput!) { adminLogin(input: $input) { ... on AdminAuthPayload { accessToken } } }`;
  const { data } = await ask(url, {
    query: login,
    variables: { input: { identifier: 'admin', password: place.env.ADMIN_PASSWORD } },
  });
  const query = `query($userId: ID!) { messageLogs(filter: { userId: $userId }, reason: "counting") { totalCount } }`;
  const headers = { authorization: `Bearer ${data.adminLogin.accessToken}` };
  return (await ask(url, { query, variables: { userId }, headers })).data.messageLogs.totalCount;
}

it(`no acknowledged message is lost, and none is doubled, when the process is killed while it logs, ${KILLS} times`, async () => {
  let server = await startCredence(place.env);
  const input = { username: 'first', email: 'first@example.com', password: PASSWORD };
  const registered = await ask(server.url, { query: REGISTER, variables: { input } });
  const userId: string = registered.data.register.user.id;
  let acknowledged = 0;
  for (let round = 0; round < KILLS; round += 1) {
    const calls: Sent[] = Array.from({ length: CALLS }, (_, n) => ({
      input: {
        idempotencyKey: `r${round}-${n}`,
        batch: Array.from({ length: ENTRIES }, (_, place) => ({
          userId,
          model: 'small-1',
          messages: [{ role: 'user', content: `${round}.${n}.${place}` }],
        })),
      },
      isAcknowledged: false,
    }));
    await sendAndKill(server, calls, 3 + round * 10);
    server = await startCredence(place.env);
    for (const call of calls) {
      const { data } = await ask(server.url, { query: LOG, variables: { input: call.input }, headers: service });
      expect(data.logMessages.accepted).toBe(ENTRIES);
      // What was acknowledged is there; what was not may be or not, and is there once now.
      if (call.isAcknowledged) expect(data.logMessages.replayed).toBe(true);
    }
    acknowledged += calls.filter(({ isAcknowledged }) => isAcknowledged).length;
    expect(await countLogged(server.url, userId)).toBe((round + 1) * CALLS * ENTRIES);
  }
  expect(acknowledged).toBeGreaterThanOrEqual(3);
  expect(await server.end('SIGTERM')).toBe(0);
}, 600_000);
