import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../src/core/config.js';
import { AppError } from '../../src/core/errors.js';
import { createLogger } from '../../src/core/logger.js';
import { createPayments, type Payments, PaymentsError } from '../../src/core/payments.js';
import type { FaultKind } from '../support/fake-stripe/faults.ts';
import { type FakeStripe, startFakeStripe } from '../support/fake-stripe/server.ts';
import { sign } from '../support/fake-stripe/webhooks.ts';

let stripe: FakeStripe;
let payments: Payments;
const lines: string[] = [];

function open(settings: Partial<NonNullable<Config['billing']>> = {}, inside = false): Payments {
  const opened = createPayments(
    { secretKey: stripe.secretKey, webhookSecrets: [...stripe.webhookSecrets], apiBase: stripe.url, ...settings },
    {
      log: createLogger({ level: 'debug', pretty: false }, { destination: { write: (line) => lines.push(line) } }),
      timeoutMs: 400,
      requireOutside: () => {
        if (inside) throw new Error('inside a transaction');
      },
    },
  );
  if (!opened) throw new Error('not opened');
  return opened;
}

const refusalOf = (work: Promise<unknown>): Promise<PaymentsError> =>
  work.then(
    () => expect.unreachable('was not refused'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(PaymentsError);
      return error as PaymentsError;
    },
  );

beforeAll(async () => {
  stripe = await startFakeStripe();
  payments = open();
});
afterAll(() => stripe.close());
beforeEach(() => {
  stripe.faults.clear();
  lines.length = 0;
});

const createCustomer = (idempotencyKey: string, email = 'ada@example.com') =>
  payments.call((client) => client.customers.create({ email }, { idempotencyKey }));

describe('requests', () => {
  it('there is none without a key', () => {
    const log = createLogger({ level: 'silent', pretty: false });
    expect(createPayments(undefined, { log, requireOutside: () => undefined })).toBeUndefined();
  });

  it('reach the base that is set, with the key and a pinned version', async () => {
    const customer = await createCustomer('first');
    expect(customer.id).toMatch(/^cus_/);
    expect(stripe.requests.at(-1)).toMatchObject({ method: 'POST', path: '/v1/customers', idempotencyKey: 'first' });
  });

  it('refuse to leave within a transaction', async () => {
    const before = stripe.requests.length;
    await expect(open({}, true).call((client) => client.customers.list())).rejects.toThrow('inside a transaction');
    expect(stripe.requests.length).toBe(before);
  });

  it('are made once, though the answer is lost', async () => {
    stripe.faults.add({ kind: 'reset', takesEffect: true });
    const customer = await createCustomer('lost');
    const again = await createCustomer('lost');
    expect(again.id).toBe(customer.id);
    expect(stripe.store.all('customer').filter(({ id }) => id === customer.id)).toHaveLength(1);
  });

  it('are tried twice, and then given up', async () => {
    stripe.faults.add({ kind: { status: 500 }, times: 2 });
    const before = stripe.requests.length;
    expect((await refusalOf(createCustomer('twice'))).code).toBe('UPSTREAM_FAILED');
    expect(stripe.requests.length - before).toBe(2);
  });

  it.each<[string, FaultKind]>([
    ['never answers', 'hang'],
    ['cuts the connection', 'reset'],
    ['answers with a page', 'garbage'],
    ['sends us elsewhere', 'redirect'],
    ['answers a byte at a time', 'trickle'],
  ])('end in UPSTREAM_FAILED within the deadline when Stripe %s', async (_, kind) => {
    stripe.faults.add({ kind, times: 9 });
    const started = Date.now();
    expect((await refusalOf(createCustomer(`fault ${String(kind)}`))).code).toBe('UPSTREAM_FAILED');
    // Two requests, a pause between them, and room for a loaded machine.
    expect(Date.now() - started).toBeLessThan(10_000);
  });

  it('end in UPSTREAM_FAILED when the key is not taken', async () => {
    const error = await refusalOf(open({ secretKey: 'sk_test_wrongwrong' }).call((client) => client.customers.list()));
    expect(error.code).toBe('UPSTREAM_FAILED');
  });

  it.each([
    [429, 'rate_limit'],
    [409, 'idempotency_key_in_use'],
  ])('end in RETRY_LATER when Stripe is busy (%i)', async (status, code) => {
    stripe.faults.add({ kind: { status, code }, times: 2 });
    const error = await refusalOf(createCustomer(`busy ${status}`));
    expect(error).toMatchObject({ code: 'RETRY_LATER', providerCode: code, extensions: { retryAfterSeconds: 2 } });
  });

  it('tell our services, and nobody else, what is missing', async () => {
    const error = await refusalOf(payments.call((client) => client.customers.retrieve('cus_none')));
    expect(error).toMatchObject({ code: 'UPSTREAM_FAILED', providerCode: 'resource_missing', extensions: {} });
  });

  it('refuse one key for two things', async () => {
    await createCustomer('reused');
    expect((await refusalOf(createCustomer('reused', 'eve@example.com'))).code).toBe('IDEMPOTENCY_CONFLICT');
  });

  it('say why a card was refused, but not that it is known as stolen', async () => {
    const pay = (payment_method: string) =>
      refusalOf(
        payments.call((client) =>
          client.paymentIntents.create({ amount: 500, currency: 'usd', payment_method, confirm: true }),
        ),
      );
    expect(await pay('pm_card_chargeDeclinedInsufficientFunds')).toMatchObject({
      code: 'PAYMENT_FAILED',
      extensions: { reason: 'insufficient_funds' },
    });
    expect((await pay('pm_card_chargeDeclinedStolenCard')).extensions).toEqual({ reason: 'card_declined' });
  });

  it('let no sentence of Stripe out, neither to callers nor into the log', async () => {
    stripe.faults.add({ kind: { status: 400, code: 'parameter_invalid' } });
    const error = await refusalOf(createCustomer('sentence'));
    expect(JSON.stringify([error.message, error.extensions, lines])).not.toMatch(/sk_test|ada@|sentence of/);
    expect(lines.join()).toContain('parameter_invalid');
  });

  it('leave our own errors as they are', async () => {
    const own = new AppError('NOT_FOUND');
    await expect(payments.call(() => Promise.reject(own))).rejects.toBe(own);
  });
});

describe('webhooks', () => {
  const now = new Date('2026-03-01T12:00:00Z');
  const payload = JSON.stringify(
    { id: 'evt_1', object: 'event', type: 'charge.refunded', note: 'Ä', data: {} },
    null,
    2,
  );
  const later = (seconds: number) => new Date(now.getTime() + seconds * 1_000);
  const signed = (at = now, secrets = stripe.webhookSecrets) => sign(payload, { secrets, at });
  const read = (raw: string | Buffer, signature: string | undefined, by = payments) =>
    by.readWebhook(Buffer.from(raw), signature, now);

  it('are read when a secret of ours signed them', async () => {
    expect(await read(payload, signed())).toMatchObject({ id: 'evt_1', note: 'Ä' });
  });

  it('are read while one secret replaces another, whichever signed', async () => {
    const [old, next] = ['whsec_oldoldoldoldoldold', 'whsec_newnewnewnewnewnew'];
    const both = open({ webhookSecrets: [next, old] });
    for (const secrets of [[old], [next], [old, next]])
      expect(await read(payload, signed(now, secrets), both)).toMatchObject({ id: 'evt_1' });
    expect(await read(payload, signed(now, ['whsec_otherotherotherother']), both)).toBeUndefined();
  });

  it('count for 300 seconds, before and after', async () => {
    for (const seconds of [-300, 0, 300])
      expect(await read(payload, signed(later(seconds))), `${seconds}`).toBeDefined();
    for (const seconds of [-301, 301, 86_400]) expect(await read(payload, signed(later(seconds)))).toBeUndefined();
  });

  it('are nothing without secrets', async () => {
    const none = open({ webhookSecrets: [] });
    expect(none.canReceiveWebhooks).toBe(false);
    expect(await read(payload, signed(), none)).toBeUndefined();
  });

  it('are nothing when a byte of them is another', async () => {
    const signature = signed();
    const bytes = Buffer.from(payload);
    const otherSpelling = Buffer.concat([bytes.subarray(0, 1), Buffer.from(' '), bytes.subarray(1)]);
    for (const raw of [
      bytes.subarray(0, -1),
      Buffer.concat([Buffer.from('\uFEFF'), bytes]),
      JSON.stringify(JSON.parse(payload)),
      payload.replace('Ä', '\\u00c4'),
      otherSpelling,
      Buffer.from(payload, 'latin1'),
      '',
      '[]',
    ])
      expect(await read(raw, signature)).toBeUndefined();
  });

  it('are nothing when the header is not one of ours', async () => {
    const seconds = Math.floor(now.getTime() / 1_000);
    const [secret = ''] = stripe.webhookSecrets;
    const hmac = (text: string) => createHmac('sha256', secret).update(text).digest('hex');
    const right = hmac(`${seconds}.${payload}`);
    for (const header of [
      undefined,
      '',
      't=',
      `t=${seconds}`,
      `v1=${right}`,
      `t=${seconds},v0=${right}`,
      `t=${seconds},v1=${right.slice(0, -1)}`,
      `t=${seconds},v1=${right.replace(/./g, '0')}`,
      // Only one stamp counts, so that the one that was signed cannot hide behind one that is fresh.
      `t=${seconds},t=${seconds},v1=${right}`,
      `t=${seconds}x,v1=${right}`,
      `t=-${seconds},v1=${right}`,
    ])
      expect(await read(payload, header), String(header)).toBeUndefined();
    expect(await read(payload, `t=${seconds},v1=${right}`)).toBeDefined();
  });

  it('that were signed and are no JSON are nothing', async () => {
    const text = 'not json';
    expect(await read(text, sign(text, { secrets: stripe.webhookSecrets, at: now }))).toBeUndefined();
  });
});
