// Plays purchases without the outside world: a server of its own, with a data directory that ends with it, and a
// stand-in for Stripe that the real client talks to (tests/support/fake-stripe).
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { styleText } from 'node:util';
import { Params } from '../../tests/support/fake-stripe/params.ts';
import { createRefund } from '../../tests/support/fake-stripe/reversals.ts';
import { type FakeStripe, startFakeStripe } from '../../tests/support/fake-stripe/server.ts';
import { enterCard } from '../../tests/support/fake-stripe/setup-intents.ts';
import { toUrl } from '../../tests/support/fake-stripe/webhooks.ts';
import { check, createStage, fail, type Stage } from './stage.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PASSWORD = 'violet tractor sings 77 at dusk';
const DAY = 86_400_000;

interface Theatre {
  url: string;
  child: ChildProcess;
  dataDir: string;
}

/** Known before the start, for it is part of PUBLIC_URL. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** `npm start` in a directory of its own, on a free port, with Stripe's settings pointing at the stand-in. */
async function startServer(stripe: FakeStripe): Promise<Theatre> {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' });
  const port = await freePort();
  const dataDir = mkdtempSync(join(tmpdir(), 'credence-demo-'));
  const child = spawn(process.execPath, [join(ROOT, 'dist/main.js')], {
    cwd: dataDir,
    env: {
      PATH: process.env.PATH ?? '',
      DATA_DIR: dataDir,
      PORT: String(port),
      LOG_LEVEL: 'warn',
      STRIPE_SECRET_KEY: stripe.secretKey,
      STRIPE_WEBHOOK_SECRET: stripe.webhookSecrets.join(','),
      STRIPE_API_BASE: stripe.url,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  const url = await new Promise<string>((found) => {
    child.stdout?.on('data', (chunk) => {
      output += chunk;
      const match = /listens on (http:\/\/\S+)/.exec(output);
      if (match?.[1]) found(match[1]);
    });
    child.once('exit', () => fail(`the server did not start:\n${output}`));
  });
  child.removeAllListeners('exit');
  return { url, child, dataDir };
}

/** Asks again until it is so: what Stripe tells comes a moment after it happened. */
async function until<T>(what: string, ask: () => Promise<T>, isSo: (value: T) => boolean): Promise<T> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const value = await ask();
    if (isSo(value)) return value;
    await new Promise((resume) => setTimeout(resume, 100));
  }
  return fail(`waited in vain: ${what}`);
}

interface Person {
  headers: { authorization: string };
  balance(): Promise<number>;
}

async function signUp(stage: Stage): Promise<Person> {
  const input = { username: `ada${Date.now().toString(36)}`, email: 'ada@example.com', password: PASSWORD };
  const { register } = await stage.play('A person signs up', {
    query: `mutation($input: RegisterInput!) { register(input: $input) { accessToken user { id username } } }`,
    variables: { input },
  });
  await stage.play('… and proves the address', {
    query: `mutation($token: String!) { verifyEmail(token: $token) { user { emailVerified } } }`,
    variables: { token: await stage.tokenFromMailbox(input.email) },
  });
  const headers = { authorization: `Bearer ${register?.accessToken}` };
  return {
    headers,
    async balance() {
      const { me } = await stage.ask({ query: '{ me { creditAccount { balance } } }', headers });
      const account = me?.creditAccount as { balance: number } | undefined;
      return account?.balance ?? 0;
    },
  };
}

async function stockShelves(stage: Stage, dataDir: string) {
  const first = JSON.parse(readFileSync(join(dataDir, 'first-credentials.json'), 'utf8'));
  const { adminLogin } = await stage.ask({
    query: `mutation($input: AdminLoginInput!) { adminLogin(input: $input) { ... on AdminAuthPayload { accessToken } } }`,
    variables: { input: { identifier: first.adminUsername, password: first.adminPassword } },
  });
  const headers = { authorization: `Bearer ${adminLogin?.accessToken}` };
  const sell = async (title: string, input: object) => {
    const { createProduct } = await stage.play(title, {
      query: `mutation($input: CreateProductInput!) { createProduct(input: $input) {
        product { id code kind creditsGranted prices { id currency amountMinor interval } } } }`,
      variables: { input },
      headers,
    });
    return createProduct?.product as { id: string; prices: { id: string }[] };
  };
  const pack = await sell('An operator puts a pack of 500 credits on sale', {
    code: 'pack500',
    name: '500 credits',
    kind: 'CREDIT_PACK',
    creditsGranted: 500,
    prices: [{ currency: 'USD', interval: 'ONCE', amountMinor: 999 }],
  });
  const pro = await sell('… and a subscription', {
    code: 'pro',
    name: 'Pro',
    kind: 'SUBSCRIPTION',
    prices: [{ currency: 'USD', interval: 'MONTH', amountMinor: 2_900 }],
  });
  await stage.play('… that brings a plan with 1,000 credits a month', {
    query: `mutation($input: CreatePlanInput!) { createPlan(input: $input) { plan { code monthlyCredits } } }`,
    variables: { input: { code: 'pro', name: 'Pro', monthlyCredits: 1_000, productId: pro.id } },
    headers,
  });
  return { headers, pack: pack.prices[0]?.id, pro: pro.prices[0]?.id };
}

async function buyPack(
  stage: Stage,
  { person, priceId, waits, url }: { person: Person; priceId: string | undefined; waits: boolean; url: string },
) {
  const { startCheckout } = await stage.play('The person starts a checkout', {
    query: `mutation($input: StartCheckoutInput!) { startCheckout(input: $input) { id url expiresAt } }`,
    variables: { input: { priceId, successUrl: `${url}/playground`, idempotencyKey: 'first-pack' } },
    headers: person.headers,
  });
  const page = String(startCheckout?.url);
  process.stdout.write(`\n${styleText('bold', `Stripe's page: ${page}`)}\n`);
  if (waits) {
    process.stdout.write('Open it and press "Pay".\n');
    while ((await person.balance()) === 0) await new Promise((resume) => setTimeout(resume, 500));
  } else {
    const pay = (card: string) =>
      fetch(page, { method: 'POST', body: new URLSearchParams({ card }), redirect: 'manual' });
    check((await pay('4000000000000002')).status === 402, 'a card that is declined pays nothing');
    check((await pay('4242424242424242')).status === 303, 'a good card pays, and the page leads back');
  }
  await until('the webhook', person.balance, (balance) => balance === 500);
  check(true, 'the webhook came, and 500 credits are there');
}

async function subscribe(
  stage: Stage,
  { person, stripe, priceId }: { person: Person; stripe: FakeStripe; priceId: string | undefined },
) {
  const { createMySetupIntent } = await stage.play('The person saves a card, in Stripe’s form', {
    query: `mutation { createMySetupIntent { id clientSecret } }`,
    headers: person.headers,
  });
  const { payment_method } = enterCard(stripe.store, String(createMySetupIntent?.id), '5555555555554444');
  await stage.play('… and subscribes with it', {
    query: `mutation($input: StartSubscriptionInput!) { startSubscription(input: $input) {
      subscription { id status currentPeriodEnd cancelAtPeriodEnd } clientSecret } }`,
    variables: { input: { priceId, paymentMethodId: payment_method, idempotencyKey: 'pro' } },
    headers: person.headers,
  });
  await until('the first invoice', person.balance, (balance) => balance === 1_500);
  await stage.play('The plan is there, and its credits', {
    query: `{ me { plan { code } creditAccount { balance } subscription { status } } }`,
    headers: person.headers,
  });
  stripe.advance(31 * DAY);
  await until('the renewal', person.balance, (balance) => balance === 2_500);
  check(true, 'a month later at Stripe: the subscription renewed, and 1,000 more credits are there');
  await stage.play('The person wants it to end with the period', {
    query: `mutation { cancelMySubscription { subscription { status cancelAtPeriodEnd currentPeriodEnd } } }`,
    headers: person.headers,
  });
}

async function settle(
  stage: Stage,
  { person, stripe, operator }: { person: Person; stripe: FakeStripe; operator: Person['headers'] },
) {
  await stripe.webhooks.settled();
  for (const event of stripe.webhooks.events.slice(0, 200)) await stripe.webhooks.deliver(event);
  check((await person.balance()) === 2_500, 'every event delivered again: nothing is paid out twice');
  const [pack] = stripe.store.all('charge').filter(({ amount, paid }) => amount === 999 && paid);
  createRefund(stripe.store, new Params({ charge: String(pack?.id) }));
  await until('the refund', person.balance, (balance) => balance === 2_000);
  await stage.play('The pack is refunded at Stripe: its credits go back', {
    query: `{ me { creditAccount { balance transactions(first: 10) { nodes { kind amount balanceAfter description } } } } }`,
    headers: person.headers,
  });
  const { ledgerHealth } = await stage.play('The operator looks at the books', {
    query: `{ ledgerHealth { ok } billingReconciliation { ok differences { kind here atStripe } } }`,
    headers: operator,
  });
  check(ledgerHealth?.ok === true, 'they add up');
}

/** The whole play; leaves nothing behind. */
export async function playBilling({ waits }: { waits: boolean }): Promise<void> {
  const stripe = await startFakeStripe({ webhook: { signsAt: () => new Date() } });
  const { url, child, dataDir } = await startServer(stripe);
  const end = () => {
    child.kill('SIGKILL');
    rmSync(dataDir, { recursive: true, force: true });
  };
  process.once('exit', end);
  process.once('SIGINT', () => process.exit(130));
  stripe.webhooks.transport = toUrl(`${url}/stripe/webhook`);
  process.stdout.write(`Credence runs on ${url}, with a stand-in for Stripe on ${stripe.url}\n`);
  const stage = createStage(url);
  const { headers: operator, pack, pro } = await stockShelves(stage, dataDir);
  const person = await signUp(stage);
  await buyPack(stage, { person, priceId: pack, waits, url });
  await subscribe(stage, { person, stripe, priceId: pro });
  await settle(stage, { person, stripe, operator });
  process.stdout.write(`\n${styleText('green', `All ${stage.steps()} steps went as they should.`)}\n`);
  child.kill('SIGTERM');
  await once(child, 'exit');
  await stripe.close();
}
