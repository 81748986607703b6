import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { auditEvents } from '../../src/modules/audit/audit.table.js';
import { webhookEndpoints as endpointTable } from '../../src/modules/events/events.table.js';
import { createHarness, type Harness } from '../support/harness.js';
import {
  createWebhookEndpoint,
  deleteWebhookEndpoint,
  redeliverWebhook,
  rotateWebhookSecret,
  updateWebhookEndpoint,
  webhookDeliveries,
  webhookEndpoints,
} from './operations.js';

let h: Harness;
let admin: { token: string };
beforeAll(async () => {
  h = await createHarness();
  admin = await h.admin(['webhooks:manage']);
});
afterAll(() => h.close());
beforeEach(() => h.app.db.delete(endpointTable));

const URL_ = 'https://receiver.example/hooks?team=a';

async function create(input: Record<string, unknown> = {}) {
  const { data, errors } = await createWebhookEndpoint(h, admin, { url: URL_, ...input });
  expect(errors).toBeUndefined();
  return data.createWebhookEndpoint;
}

async function audited(id: string): Promise<{ action: string; before: unknown; after: unknown }[]> {
  return h.app.db
    .select()
    .from(auditEvents)
    .where(eq(auditEvents.targetId, id))
    .orderBy(auditEvents.occurredAt, auditEvents.id);
}

describe('createWebhookEndpoint', () => {
  it('makes an endpoint, shows its secret once and keeps it sealed', async () => {
    const { endpoint, secret } = await create({ kinds: ['credits.low', 'user.registered'], description: 'CRM' });
    expect(endpoint).toMatchObject({
      url: URL_,
      kinds: ['user.registered', 'credits.low'],
      description: 'CRM',
      enabled: true,
      failuresInARow: 0,
    });
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const { data } = await webhookEndpoints(h, admin);
    expect(data.webhookEndpoints).toMatchObject({ totalCount: 1, nodes: [{ id: endpoint.id, description: 'CRM' }] });
    const rows = await h.app.db.select().from(endpointTable);
    const written = JSON.stringify([rows, await h.app.db.select().from(auditEvents), data]);
    expect(written).not.toContain(secret);
    expect(written).not.toContain(secret.slice(6));
    expect(await audited(endpoint.id)).toMatchObject([
      { action: 'webhook_endpoint.created', after: { url: URL_, kinds: ['user.registered', 'credits.low'] } },
    ]);
  });

  it('says what is wrong with an address', async () => {
    const bad = [
      'ftp://receiver.example/',
      'receiver.example',
      'http://receiver.example/',
      'https://ada:pw@receiver.example/',
      'https://ada@receiver.example/',
      'https://receiver.example/#part',
      'https://receiver.example:25/',
      'https://127.0.0.1/',
      'https://2130706433/',
      'https://0x7f.1/',
      'https://0177.0.0.1/',
      'https://127.1/',
      'https://10.1.2.3/',
      'https://169.254.169.254/latest/meta-data/',
      'https://0.0.0.0/',
      'https://[::1]/',
      'https://[::]/',
      'https://[::ffff:127.0.0.1]/',
      'https://[::ffff:7f00:1]/',
      'https://[64:ff9b::7f00:1]/',
      'https://[fd00::1]/',
      'https://[fe80::1]/',
      'https://[2002:7f00:1::]/',
      `https://receiver.example/${'a'.repeat(2_000)}`,
    ];
    for (const url of bad) {
      const answer = await createWebhookEndpoint(h, admin, { url });
      expect(answer.code, url).toBe('BAD_USER_INPUT');
      expect(answer.errors?.[0]?.extensions.fields, url).toHaveProperty('url');
    }
    expect(await h.app.db.$count(endpointTable)).toBe(0);
  });

  it('takes public addresses of both families, and ports that are none of the system’s', async () => {
    for (const url of [
      'https://93.184.215.14/',
      'https://[2606:2800:21f:cb07::1]:8443/x',
      'https://receiver.example:8443/',
    ])
      expect((await create({ url })).endpoint.url).toBe(url);
  });

  it('refuses kinds that there are not, and descriptions that are too long', async () => {
    expect((await createWebhookEndpoint(h, admin, { url: URL_, kinds: ['user.sneezed'] })).code).toBe('BAD_USER_INPUT');
    expect((await createWebhookEndpoint(h, admin, { url: URL_, description: 'x'.repeat(201) })).code).toBe(
      'BAD_USER_INPUT',
    );
  });

  it('stops at fifty, also when several come at once', async () => {
    const { secret: _, endpoint } = await create();
    const [row] = await h.app.db.select().from(endpointTable).where(eq(endpointTable.id, endpoint.id));
    if (!row) throw new Error('no row');
    await h.app.db.insert(endpointTable).values(Array.from({ length: 47 }, () => ({ ...row, id: newId() })));
    const codes = await Promise.all(
      Array.from({ length: 5 }, async () => (await createWebhookEndpoint(h, admin, { url: URL_ })).code),
    );
    expect(codes.filter((code) => code === undefined)).toHaveLength(2);
    expect(codes.filter((code) => code === 'LIMIT_REACHED')).toHaveLength(3);
  });
});

describe('updateWebhookEndpoint', () => {
  it('changes what is given, turns off and on, and leaves the rest', async () => {
    const { endpoint } = await create({ kinds: ['user.registered'], description: 'CRM' });
    const change = async (input: Record<string, unknown>) =>
      (await updateWebhookEndpoint(h, admin, { endpointId: endpoint.id, ...input })).data.updateWebhookEndpoint
        .endpoint;
    expect(await change({ kinds: [], description: null })).toMatchObject({ url: URL_, kinds: [], description: null });
    expect(await change({ enabled: false })).toMatchObject({ enabled: false, disabledReason: 'ADMIN' });
    expect(await change({ enabled: true })).toMatchObject({ enabled: true, disabledAt: null, disabledReason: null });
    const rows = await audited(endpoint.id);
    expect(rows[2]).toMatchObject({
      action: 'webhook_endpoint.updated',
      before: { enabled: true },
      after: { enabled: false, url: URL_ },
    });
  });

  it('refuses nothing to change, bad values, and an endpoint that is not there', async () => {
    const { endpoint } = await create();
    const update = async (input: Record<string, unknown>) => (await updateWebhookEndpoint(h, admin, input)).code;
    expect(await update({ endpointId: endpoint.id })).toBe('BAD_USER_INPUT');
    expect(await update({ endpointId: endpoint.id, url: 'https://10.0.0.1/' })).toBe('BAD_USER_INPUT');
    expect(await update({ endpointId: 'x', enabled: true })).toBe('BAD_USER_INPUT');
    expect(await update({ endpointId: newId(), enabled: true })).toBe('NOT_FOUND');
  });
});

describe('deleteWebhookEndpoint', () => {
  it('takes it away and answers it as it was', async () => {
    const { endpoint } = await create();
    const { data } = await deleteWebhookEndpoint(h, admin, endpoint.id);
    expect(data.deleteWebhookEndpoint.endpoint.url).toBe(URL_);
    expect((await deleteWebhookEndpoint(h, admin, endpoint.id)).code).toBe('NOT_FOUND');
    expect((await audited(endpoint.id)).at(-1)?.action).toBe('webhook_endpoint.deleted');
  });
});

describe('rotateWebhookSecret', () => {
  it('gives a new secret, and says how long the old one signs as well', async () => {
    const { endpoint, secret } = await create();
    const { data } = await rotateWebhookSecret(h, admin, { endpointId: endpoint.id, overlap: 'ONE_HOUR' });
    const rotated = data.rotateWebhookSecret;
    expect(rotated.secret).not.toBe(secret);
    const ends = Date.parse(rotated.endpoint.previousSecretEndsAt) - h.app.now().getTime();
    expect(ends).toBeGreaterThan(3_500_000);
    expect(ends).toBeLessThanOrEqual(3_600_000);
    const none = await rotateWebhookSecret(h, admin, { endpointId: endpoint.id, overlap: 'NONE' });
    expect(none.data.rotateWebhookSecret.endpoint.previousSecretEndsAt).toBeNull();
    expect((await rotateWebhookSecret(h, admin, { endpointId: newId(), overlap: 'NONE' })).code).toBe('NOT_FOUND');
  });
});

it('is for admins who hold webhooks:manage and nobody else', async () => {
  const { endpoint } = await create();
  const person = await h.person();
  const callers = [
    {},
    { token: person.token },
    { token: (await h.staff(3)).token },
    await h.admin(['security:manage']),
  ];
  for (const caller of callers) {
    const call = 'token' in caller ? { token: caller.token } : {};
    const answers = [
      await webhookEndpoints(h, call),
      await webhookDeliveries(h, call),
      await createWebhookEndpoint(h, call, { url: URL_ }),
      await updateWebhookEndpoint(h, call, { endpointId: endpoint.id, enabled: false }),
      await rotateWebhookSecret(h, call, { endpointId: endpoint.id, overlap: 'NONE' }),
      await redeliverWebhook(h, call, { endpointId: endpoint.id, since: new Date() }),
      await deleteWebhookEndpoint(h, call, endpoint.id),
    ];
    expect(new Set(answers.map(({ code }) => code))).toEqual(new Set([call.token ? 'FORBIDDEN' : 'UNAUTHENTICATED']));
  }
});
