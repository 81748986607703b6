import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask, createPlace, startCredence } from '../support/process.js';
import { createReceiver, type Receiver, verify } from '../support/receiver.js';

const ADMIN_PASSWORD = 'a lantern over 9 quiet rivers';

let place: Awaited<ReturnType<typeof createPlace>>;
let receiver: Receiver;
beforeAll(async () => {
  place = await createPlace();
  Object.assign(place.env, { ADMIN_PASSWORD });
  receiver = await createReceiver();
});
afterAll(async () => {
  await receiver.close();
  await place.dispose();
});

const LOGIN = `mutation($input: AdminLoginInput!) { adminLogin(input: $input) { ... on AdminAuthPayload { accessToken } } }`;
const CREATE = `mutation($input: CreateWebhookEndpointInput!) { createWebhookEndpoint(input: $input) { secret } }`;
const REGISTER = `mutation($input: RegisterInput!) { register(input: $input) { user { id } } }`;

async function register(url: string, name: string): Promise<string | undefined> {
  const input = { username: name, email: `${name}@example.com`, password: 'violet tractor sings 77 at dusk' };
  const { data } = await ask(url, { query: REGISTER, variables: { input } });
  return data?.register?.user.id;
}

it('a server killed between commit and sending delivers what it answered for, after it is back', async () => {
  // Nobody answers: whatever is sent before the kill is not taken.
  receiver.answer = 'hang';
  const first = await startCredence(place.env);
  const login = { input: { identifier: 'admin', password: ADMIN_PASSWORD } };
  const { accessToken } = (await ask(first.url, { query: LOGIN, variables: login })).data.adminLogin;
  const { data } = await ask(first.url, {
    query: CREATE,
    variables: { input: { url: receiver.url, kinds: ['user.registered'] } },
    headers: { authorization: `Bearer ${accessToken}` },
  });
  const { secret } = data.createWebhookEndpoint;
  const answered: string[] = [];
  const registering = Array.from({ length: 12 }, async (_, index) => {
    const id = await register(first.url, `crash${index}`).catch(() => undefined);
    if (id) answered.push(id);
    if (answered.length === 6) await first.end('SIGKILL');
  });
  await Promise.all(registering);
  expect(answered.length).toBeGreaterThanOrEqual(6);

  receiver.received.length = 0;
  receiver.answer = 204;
  const second = await startCredence(place.env);
  const told = () => new Set(receiver.received.map((seen) => (verify(secret, seen).data as { userId: string }).userId));
  // What the killed one had taken comes after its lease of half a minute.
  while (!answered.every((id) => told().has(id))) await new Promise((resolve) => setTimeout(resolve, 200));
  await second.end('SIGTERM');
  const ids = receiver.received.map(({ headers }) => headers['webhook-id']);
  expect(new Set(ids).size).toBe(ids.length);
}, 240_000);
