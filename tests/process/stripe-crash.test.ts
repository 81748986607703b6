import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeKey } from '../../src/core/secrets.js';
import { completeSession } from '../support/fake-stripe/checkout.ts';
import { type FakeStripe, startFakeStripe } from '../support/fake-stripe/server.ts';
import { type Transport, toUrl } from '../support/fake-stripe/webhooks.ts';
import { ask, createPlace, type ServerProcess, startCredence } from '../support/process.js';

const PACKS = 12;
const CREDITS = 500;
const serviceKey = makeKey('svc');
const service = { 'x-api-key': serviceKey };
const ADMIN_PASSWORD = 'a lantern over 9 quiet rivers';

let place: Awaited<ReturnType<typeof createPlace>>;
let stripe: FakeStripe;
let server: ServerProcess;

beforeAll(async () => {
  [place, stripe] = await Promise.all([createPlace(), startFakeStripe()]);
  Object.assign(place.env, {
    INTERNAL_SERVICE_KEY: serviceKey,
    ADMIN_PASSWORD,
    STRIPE_SECRET_KEY: stripe.secretKey,
    STRIPE_WEBHOOK_SECRET: stripe.webhookSecrets.join(','),
    STRIPE_API_BASE: stripe.url,
  });
  server = await startCredence(place.env);
}, 120_000);
afterAll(async () => {
  await server.end('SIGKILL');
  await stripe.close();
  await place.dispose();
});

async function must(query: string, variables: object, headers: Record<string, string> = service) {
  const { data, code } = await ask(server.url, { query, variables, headers });
  expect(code, query).toBeUndefined();
  return data;
}

async function operator(): Promise<Record<string, string>> {
  const { adminLogin } = await must(
    `mutation($input: AdminLoginInput!) { adminLogin(input: $input) { ... on AdminAuthPayload { accessToken } } }`,
    { input: { identifier: 'admin', password: ADMIN_PASSWORD } },
    {},
  );
  return { authorization: `Bearer ${adminLogin.accessToken}` };
}

/** What a pack costs here. */
async function sellPack(): Promise<string> {
  const input = {
    code: 'pack',
    name: 'Pack',
    kind: 'CREDIT_PACK',
    creditsGranted: CREDITS,
    prices: [{ currency: 'USD', interval: 'ONCE', amountMinor: 1_000 }],
  };
  const { createProduct } = await must(
    `mutation($input: CreateProductInput!) { createProduct(input: $input) { product { prices { id } } } }`,
    { input },
    await operator(),
  );
  return createProduct.product.prices[0].id;
}

async function signUp(username: string): Promise<string> {
  const { register } = await must(
    `mutation($input: RegisterInput!) { register(input: $input) { user { id } } }`,
    { input: { username, email: `${username}@example.com`, password: 'violet tractor sings 77 at dusk' } },
    {},
  );
  for (;;) {
    const letters = (await (await fetch(`${server.url}/dev/mailbox.json`)).json()) as { to: string; links: string[] }[];
    const link = letters
      .find(({ to }) => to === `${username}@example.com`)
      ?.links.find((url) => url.includes('token='));
    if (link) {
      const token = new URL(link).searchParams.get('token');
      await must(`mutation($token: String!) { verifyEmail(token: $token) { user { id } } }`, { token }, {});
      return register.user.id;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function balanceOf(userId: string): Promise<number> {
  const { creditBalance } = await must(`query($userId: ID!) { creditBalance(userId: $userId) { balance } }`, {
    userId,
  });
  return creditBalance.balance;
}

/** Sends the request by hand, and kills the server as soon as the first byte of its answer is here. */
const killedByItsAnswer: Transport = async (payload, headers) => {
  const { hostname, port, host } = new URL(server.url);
  const lines = Object.entries({ ...headers, host, 'content-length': String(Buffer.byteLength(payload)) });
  const socket = connect(Number(port), hostname);
  socket.write(
    `POST /stripe/webhook HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
  );
  socket.write(payload);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  await server.end('SIGKILL');
  socket.destroy();
  expect(answer.toString()).toContain(' 200 ');
  throw new Error('the answer was lost');
};

it('what was committed and never answered is paid out once, and so is what was cut off before', async () => {
  const priceId = await sellPack();
  const { webhooks } = stripe;
  webhooks.hold();
  const buyers: string[] = [];
  for (let number = 0; number < PACKS / 4; number += 1) {
    const userId = await signUp(`buyer${number}`);
    for (let pack = 0; pack < 4; pack += 1) {
      const { createCheckoutSession } = await must(
        `mutation($input: CreateCheckoutSessionInput!) { createCheckoutSession(input: $input) { url } }`,
        { input: { userId, priceId, idempotencyKey: `${userId} ${pack}` } },
      );
      completeSession(stripe.store, createCheckoutSession.url.split('/').at(-1));
      buyers.push(userId);
    }
  }
  const told = webhooks.takeHeld().filter(({ type }) => type === 'checkout.session.completed');
  expect(told).toHaveLength(PACKS);
  const [first = told[0], ...others] = told;
  if (!first) throw new Error('nothing was told');

  // Between commit and answer.
  webhooks.transport = killedByItsAnswer;
  await webhooks.deliver(first);
  server = await startCredence(place.env);
  expect(await balanceOf(String(buyers[0]))).toBe(CREDITS);

  // Anywhere: as soon as some are answered the process is gone, with the others in the middle.
  for (const after of [1, 3, 5]) {
    webhooks.transport = toUrl(`${server.url}/stripe/webhook`);
    let answered = 0;
    let killed: Promise<unknown> | undefined;
    await Promise.all(
      others.map(async (event) => {
        const status = await webhooks.deliver(event);
        if (status === undefined) return;
        expect(status).toBe(200);
        answered += 1;
        if (answered === after) killed = server.end('SIGKILL');
      }),
    );
    await (killed ?? server.end('SIGKILL'));
    server = await startCredence(place.env);
  }

  webhooks.transport = toUrl(`${server.url}/stripe/webhook`);
  for (const event of told) expect(await webhooks.deliver(event)).toBe(200);
  for (const userId of new Set(buyers)) expect(await balanceOf(userId)).toBe(4 * CREDITS);
  const books = await must(
    `{ ledgerHealth { ok } billingReconciliation { ok pendingEvents deadEvents } }`,
    {},
    await operator(),
  );
  expect(books).toEqual({
    ledgerHealth: { ok: true },
    billingReconciliation: { ok: true, pendingEvents: 0, deadEvents: 0 },
  });
  expect(await server.end('SIGTERM')).toBe(0);
}, 900_000);
