import { and, eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { subscriptions } from '../../src/modules/payments/payments.table.js';
import {
  addressOf,
  type BillingHarness,
  createBillingHarness,
  START_SUBSCRIPTION,
  saveCard,
  sell,
  standing,
  subscribe,
} from '../support/billing.js';
import type { Person } from '../support/harness.js';

const DAY = 86_400_000;
const DECLINED_LATER = '4000000000000341';

// Each of these plays a purchase to its end, on machines that do other things beside.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let h: BillingHarness;
beforeAll(async () => {
  h = await createBillingHarness();
});
afterAll(() => h.close());

const start = (person: Person, input: object) =>
  h.graphql(START_SUBSCRIPTION, {
    token: person.token,
    variables: { input: { idempotencyKey: newId(), ...input } },
    ip: addressOf(person),
  });

const FIELDS = `subscription { id status cancelAtPeriodEnd price { id } nextPrice { id } endedAt }`;
const CHANGE = `mutation($input: ChangeMySubscriptionInput!) { changeMySubscription(input: $input) { ${FIELDS} } }`;
const act = (person: Person, field: string) =>
  h.graphql(`mutation { ${field} { ${FIELDS} } }`, { token: person.token });

async function change(person: Person, input: object) {
  const variables = { input: { idempotencyKey: newId(), ...input } };
  const answer = await h.graphql(CHANGE, { token: person.token, variables });
  await h.settled();
  return answer;
}

/** Both clocks go on, and everything that falls due at Stripe arrives here. */
async function pass(days: number) {
  h.clock.advance(days * DAY);
  h.fake.advance(days * DAY);
  await h.settled();
}

/** A session of today: the old one does not live through months. */
async function signIn(person: Person): Promise<Person> {
  const { data } = await h.graphql(
    `mutation($input: LoginInput!) { login(input: $input) { ... on AuthPayload { accessToken } } }`,
    { variables: { input: { identifier: person.username, password: person.password } } },
  );
  return { ...person, token: data.login.accessToken };
}

describe('startSubscription', () => {
  it('charges a saved card: the plan counts at once and its credits are there, once', async () => {
    const { priceId, planCode, code } = await sell(h, { kind: 'SUBSCRIPTION', monthlyCredits: 300 });
    const person = await h.person();
    const { data } = await subscribe(h, person, priceId);
    expect(data.startSubscription).toMatchObject({
      clientSecret: null,
      replayed: false,
      subscription: { status: 'ACTIVE', product: { code }, price: { id: priceId }, nextPrice: null },
    });
    expect(await standing(h, person)).toMatchObject({ plan: planCode, movements: ['PLAN_GRANT 300'] });
  });

  it('without a card leaves the first payment to Stripe’s form, and gives nothing before it', async () => {
    const { priceId } = await sell(h, { kind: 'SUBSCRIPTION' });
    const person = await h.person();
    const { data } = await start(person, { priceId });
    expect(data.startSubscription).toMatchObject({
      clientSecret: expect.stringContaining('_secret_'),
      subscription: { status: 'INCOMPLETE' },
    });
    expect(await standing(h, person)).toMatchObject({ plan: 'free', balance: 0 });
  });

  it('one that was never paid for is no hindrance to the next', async () => {
    const { priceId, planCode } = await sell(h, { kind: 'SUBSCRIPTION' });
    const person = await h.person();
    await start(person, { priceId });
    const { data } = await subscribe(h, person, priceId);
    expect(data.startSubscription.subscription.status).toBe('ACTIVE');
    expect((await standing(h, person)).plan).toBe(planCode);
  });

  it('answers the same subscription for the same key, and refuses the key with other input', async () => {
    const { priceId } = await sell(h, { kind: 'SUBSCRIPTION' });
    const person = await h.person();
    const input = { priceId, paymentMethodId: await saveCard(h, person), idempotencyKey: newId() };
    const first = await start(person, input);
    const second = await start(person, input);
    expect(second.data.startSubscription).toMatchObject({
      replayed: true,
      subscription: { id: first.data.startSubscription.subscription.id },
    });
    expect((await start(person, { ...input, paymentMethodId: null })).code).toBe('IDEMPOTENCY_CONFLICT');
    await h.settled();
    expect((await standing(h, person)).movements).toEqual(['PLAN_GRANT 500']);
  });

  it('refuses a second one: CONFLICT', async () => {
    const { priceId } = await sell(h, { kind: 'SUBSCRIPTION' });
    const person = await h.person();
    await subscribe(h, person, priceId);
    expect((await start(person, { priceId })).code).toBe('CONFLICT');
  });

  it('two at once make one', async () => {
    const { priceId } = await sell(h, { kind: 'SUBSCRIPTION' });
    const person = await h.person();
    const paymentMethodId = await saveCard(h, person);
    const answers = await Promise.all([1, 2, 3].map(() => start(person, { priceId, paymentMethodId })));
    expect(answers.filter(({ code }) => code === undefined)).toHaveLength(1);
    for (const { code } of answers) expect([undefined, 'CONFLICT', 'RETRY_LATER']).toContain(code);
    await h.settled();
    const rows = await h.app.db.select().from(subscriptions).where(eq(subscriptions.userId, person.id));
    expect(rows).toHaveLength(1);
    expect((await standing(h, person)).movements).toEqual(['PLAN_GRANT 500']);
  });

  it('refuses another’s card and one that does not exist alike: NOT_FOUND', async () => {
    const { priceId } = await sell(h, { kind: 'SUBSCRIPTION' });
    const [ada, eve] = [await h.person(), await h.person()];
    const paymentMethodId = await saveCard(h, ada);
    await saveCard(h, eve);
    expect((await start(eve, { priceId, paymentMethodId })).code).toBe('NOT_FOUND');
    expect((await start(eve, { priceId, paymentMethodId: 'pm_none' })).code).toBe('NOT_FOUND');
    expect((await start(eve, { priceId, paymentMethodId: 'cus_1/../pm' })).code).toBe('BAD_USER_INPUT');
  });

  it('refuses a credit pack: BAD_USER_INPUT', async () => {
    const { priceId } = await sell(h);
    expect((await start(await h.person(), { priceId })).code).toBe('BAD_USER_INPUT');
  });
});

describe('renewals', () => {
  it('bring the credits of each period; a failure is told, keeps the plan for a while, and takes it in the end', async () => {
    const { priceId, planCode } = await sell(h, { kind: 'SUBSCRIPTION', amountMinor: 1_200, monthlyCredits: 100 });
    let person = await h.person();
    await subscribe(h, person, priceId);
    await pass(32);
    person = await signIn(person);
    expect(await standing(h, person)).toMatchObject({ plan: planCode, balance: 200 });
    // From now on the card fails.
    const [row] = await h.app.db.select().from(subscriptions).where(eq(subscriptions.userId, person.id));
    const stripeId = row?.stripeSubscriptionId ?? '';
    const at = h.fake.store.get('subscription', stripeId);
    const bad = h.fake.store.wallet.get(String(at.default_payment_method));
    if (!bad) throw new Error('no card');
    Object.assign(bad, { decline: { code: 'card_declined', declineCode: 'generic_decline' } });
    await pass(32);
    person = await signIn(person);
    expect(await standing(h, person)).toMatchObject({ plan: planCode, balance: 200 });
    expect((await standing(h, person)).subscription.status).toBe('PAST_DUE');
    const letter = (await h.letters(person.email)).findLast(({ text }) => text.includes('could not collect'));
    expect(letter?.text).toContain('€12.00');
    await pass(40);
    person = await signIn(person);
    const after = await standing(h, person);
    expect(['CANCELED', 'UNPAID']).toContain(after.subscription.status);
    expect(after).toMatchObject({ plan: 'free', balance: 200 });
  });
});

describe('cancelMySubscription and resumeMySubscription', () => {
  it('ends it with the period, and takes that back; twice is once', async () => {
    const { priceId, planCode } = await sell(h, { kind: 'SUBSCRIPTION' });
    let person = await signIn(await h.person());
    await subscribe(h, person, priceId);
    for (let n = 0; n < 2; n += 1) {
      const { data } = await act(person, 'cancelMySubscription');
      expect(data.cancelMySubscription.subscription).toMatchObject({ status: 'ACTIVE', cancelAtPeriodEnd: true });
    }
    expect((await standing(h, person)).plan).toBe(planCode);
    const resumed = await act(person, 'resumeMySubscription');
    expect(resumed.data.resumeMySubscription.subscription).toMatchObject({ cancelAtPeriodEnd: false });
    await act(person, 'cancelMySubscription');
    await pass(32);
    person = await signIn(person);
    expect(await standing(h, person)).toMatchObject({ plan: 'free', subscription: { status: 'CANCELED' } });
    expect((await act(person, 'resumeMySubscription')).code).toBe('NOT_FOUND');
    const subjects = (await h.letters(person.email)).map(({ subject }) => subject);
    expect(subjects).toContain('Your subscription will end');
    expect(subjects).toContain('Your subscription has ended');
  });

  it('refuses who has none: NOT_FOUND', async () => {
    const person = await signIn(await h.person());
    expect((await act(person, 'cancelMySubscription')).code).toBe('NOT_FOUND');
    expect((await act(person, 'resumeMySubscription')).code).toBe('NOT_FOUND');
  });
});

describe('changeMySubscription', () => {
  it('moves up at once: the plan, and the part of its credits that was paid for', async () => {
    const basic = await sell(h, { kind: 'SUBSCRIPTION', amountMinor: 1_000, monthlyCredits: 100 });
    const pro = await sell(h, { kind: 'SUBSCRIPTION', amountMinor: 3_000, monthlyCredits: 1_100 });
    const person = await signIn(await h.person());
    await subscribe(h, person, basic.priceId);
    const { data, errors } = await change(person, { priceId: pro.priceId, when: 'NOW' });
    expect(errors).toBeUndefined();
    expect(data.changeMySubscription.subscription).toMatchObject({ price: { id: pro.priceId }, nextPrice: null });
    const after = await standing(h, person);
    expect(after.plan).toBe(pro.planCode);
    // The period has only begun: nearly all of the 1,000 that are the difference.
    expect(after.balance).toBeGreaterThan(1_050);
    expect(after.balance).toBeLessThanOrEqual(1_100);
  });

  it('moves with the next renewal: until then everything stays as it was paid for', async () => {
    const pro = await sell(h, { kind: 'SUBSCRIPTION', amountMinor: 3_000, monthlyCredits: 300 });
    const basic = await sell(h, { kind: 'SUBSCRIPTION', amountMinor: 1_000, monthlyCredits: 100 });
    let person = await signIn(await h.person());
    await subscribe(h, person, pro.priceId);
    const { data } = await change(person, { priceId: basic.priceId, when: 'PERIOD_END' });
    expect(data.changeMySubscription.subscription).toMatchObject({
      price: { id: pro.priceId },
      nextPrice: { id: basic.priceId },
    });
    expect(await standing(h, person)).toMatchObject({ plan: pro.planCode, balance: 300 });
    await pass(32);
    person = await signIn(person);
    expect(await standing(h, person)).toMatchObject({
      plan: basic.planCode,
      balance: 400,
      subscription: { price: { id: basic.priceId }, nextPrice: null },
    });
  });

  it('takes back what was to come with the renewal', async () => {
    const pro = await sell(h, { kind: 'SUBSCRIPTION', amountMinor: 3_000 });
    const basic = await sell(h, { kind: 'SUBSCRIPTION', amountMinor: 1_000 });
    const person = await signIn(await h.person());
    await subscribe(h, person, pro.priceId);
    await change(person, { priceId: basic.priceId, when: 'PERIOD_END' });
    const { data } = await change(person, { priceId: pro.priceId, when: 'PERIOD_END' });
    expect(data.changeMySubscription.subscription).toMatchObject({ price: { id: pro.priceId }, nextPrice: null });
  });

  it('that cannot be collected does not happen: PAYMENT_FAILED, and the key is free again', async () => {
    const basic = await sell(h, { kind: 'SUBSCRIPTION', amountMinor: 1_000 });
    const pro = await sell(h, { kind: 'SUBSCRIPTION', amountMinor: 3_000 });
    const person = await signIn(await h.person());
    await subscribe(h, person, basic.priceId);
    const [row] = await h.app.db.select().from(subscriptions).where(eq(subscriptions.userId, person.id));
    const at = h.fake.store.get('subscription', row?.stripeSubscriptionId ?? '');
    const card = h.fake.store.wallet.get(String(at.default_payment_method));
    if (!card) throw new Error('no card');
    Object.assign(card, { decline: { code: 'card_declined', declineCode: 'insufficient_funds' } });
    const input = { priceId: pro.priceId, when: 'NOW', idempotencyKey: newId() };
    const refused = await change(person, input);
    expect(refused.code).toBe('PAYMENT_FAILED');
    expect(refused.errors?.[0]?.extensions.reason).toBe('insufficient_funds');
    expect(await standing(h, person)).toMatchObject({ plan: basic.planCode });
    Object.assign(card, { decline: undefined });
    expect((await change(person, input)).code).toBeUndefined();
    expect(await standing(h, person)).toMatchObject({ plan: pro.planCode });
  });

  it('refuses what makes no sense', async () => {
    const monthly = await sell(h, { kind: 'SUBSCRIPTION' });
    const yearly = await sell(h, { kind: 'SUBSCRIPTION', interval: 'YEAR', amountMinor: 9_000 });
    const dollars = await sell(h, { kind: 'SUBSCRIPTION', currency: 'USD' });
    const pack = await sell(h);
    const person = await signIn(await h.person());
    expect((await change(person, { priceId: monthly.priceId, when: 'NOW' })).code).toBe('NOT_FOUND');
    await subscribe(h, person, monthly.priceId);
    for (const [priceId, when] of [
      [monthly.priceId, 'NOW'],
      [yearly.priceId, 'PERIOD_END'],
      [dollars.priceId, 'NOW'],
      [pack.priceId, 'NOW'],
    ])
      expect((await change(person, { priceId, when })).code).toBe('BAD_USER_INPUT');
    await act(person, 'cancelMySubscription');
    expect((await change(person, { priceId: yearly.priceId, when: 'NOW' })).code).toBe('CONFLICT');
  });
});

describe('on behalf of a person', () => {
  const CREATE = `mutation($input: CreateSubscriptionInput!) { createSubscription(input: $input) { ${FIELDS} } }`;
  const CANCEL = `mutation($userId: ID!, $now: Boolean!) { cancelSubscription(userId: $userId, immediately: $now) { ${FIELDS} } }`;

  it('a service subscribes, reads, changes and ends', async () => {
    const { priceId } = await sell(h, { kind: 'SUBSCRIPTION' });
    const other = await sell(h, { kind: 'SUBSCRIPTION' });
    const person = await signIn(await h.person());
    const paymentMethodId = await saveCard(h, person);
    const { key: serviceKey } = await h.service(['billing:read', 'billing:write']);
    const input = { userId: person.id, priceId, paymentMethodId, idempotencyKey: newId() };
    const created = await h.graphql(CREATE, { serviceKey, variables: { input } });
    expect(created.data.createSubscription.subscription.status).toBe('ACTIVE');
    const read = await h.graphql(
      `query($userId: ID!) { subscription(userId: $userId) { status } paymentMethods(userId: $userId) { id card { last4 } } }`,
      { serviceKey, variables: { userId: person.id } },
    );
    expect(read.data).toEqual({
      subscription: { status: 'ACTIVE' },
      paymentMethods: [{ id: paymentMethodId, card: { last4: '4242' } }],
    });
    const move = { userId: person.id, priceId: other.priceId, when: 'NOW', idempotencyKey: newId() };
    const changed = await h.graphql(
      `mutation($input: ChangeSubscriptionInput!) { changeSubscription(input: $input) { ${FIELDS} } }`,
      { serviceKey, variables: { input: move } },
    );
    expect(changed.data.changeSubscription.subscription.price.id).toBe(other.priceId);
    const ended = await h.graphql(CANCEL, { serviceKey, variables: { userId: person.id, now: true } });
    expect(ended.data.cancelSubscription.subscription.status).toBe('CANCELED');
    expect((await standing(h, person)).plan).toBe('free');
    const again = await h.graphql(CANCEL, { serviceKey, variables: { userId: person.id, now: true } });
    expect(again.code).toBe('NOT_FOUND');
  });

  it('reading wants its scope, and nobody is NOT_FOUND', async () => {
    const { key: serviceKey } = await h.service(['billing:read']);
    const query = `query($userId: ID!) { subscription(userId: $userId) { status } }`;
    expect((await h.graphql(query, { serviceKey, variables: { userId: newId() } })).code).toBe('NOT_FOUND');
    expect((await h.graphql(query, { serviceKey, variables: { userId: 'x' } })).code).toBe('BAD_USER_INPUT');
    const { key: other } = await h.service(['billing:write']);
    expect((await h.graphql(query, { serviceKey: other, variables: { userId: newId() } })).code).toBe('FORBIDDEN');
  });
});

it('an admin’s own choice of a plan stays when the subscription is looked at again', async () => {
  const { priceId } = await sell(h, { kind: 'SUBSCRIPTION' });
  const person = await signIn(await h.person());
  await subscribe(h, person, priceId);
  const { planCode } = await sell(h, { kind: 'SUBSCRIPTION' });
  const admin = await h.admin(['users:write']);
  await h.graphql(`mutation($input: SetUserPlanInput!) { setUserPlan(input: $input) { user { id } } }`, {
    token: admin.token,
    variables: { input: { userId: person.id, planCode } },
  });
  await act(person, 'cancelMySubscription');
  await act(person, 'resumeMySubscription');
  await h.settled();
  expect((await standing(h, person)).plan).toBe(planCode);
});

it('a card that saves and does not pay leaves the subscription incomplete', async () => {
  const { priceId } = await sell(h, { kind: 'SUBSCRIPTION' });
  const person = await signIn(await h.person());
  const { data } = await subscribe(h, person, priceId, DECLINED_LATER);
  expect(data.startSubscription).toMatchObject({
    clientSecret: expect.any(String),
    subscription: { status: 'INCOMPLETE' },
  });
  const rows = await h.app.db
    .select()
    .from(subscriptions)
    .where(and(eq(subscriptions.userId, person.id), eq(subscriptions.status, 'INCOMPLETE')));
  expect(rows).toHaveLength(1);
  expect(await standing(h, person)).toMatchObject({ plan: 'free', balance: 0 });
});
