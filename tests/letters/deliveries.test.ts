import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { transact } from '../../src/core/database.js';
import { MailError, type Mailer } from '../../src/core/mail.js';
import { sendDueLetters } from '../../src/jobs/send-letters.js';
import { auditEvents } from '../../src/modules/audit/audit.table.js';
import { outboxEmails } from '../../src/modules/mail/mail.table.js';
import { claimLetters, queueLetter } from '../../src/modules/mail/outbox.service.js';
import { createHarness, type Harness } from '../support/harness.js';

const FIELDS = 'id kind recipient locale userId status attempts lastError nextAttemptAt requestId sentAt';
const LIST = `query($filter: EmailDeliveryFilter, $first: Int, $after: String) {
  emailDeliveries(filter: $filter, first: $first, after: $after) { totalCount nodes { ${FIELDS} } pageInfo { hasNextPage endCursor } } }`;
const RETRY = `mutation($id: ID!) { retryEmailDelivery(id: $id) { delivery { ${FIELDS} } } }`;

let h: Harness;
let admin: Awaited<ReturnType<Harness['admin']>>;
let send: Mailer['send'];
beforeAll(async () => {
  h = await createHarness();
  admin = await h.admin(['email:manage']);
  send = h.app.mailer.send;
});
beforeEach(async () => {
  h.app.mailer.send = send;
  await h.app.db.delete(outboxEmails);
});
afterAll(() => h.close());

const ask = (query: string, variables: Record<string, unknown> = {}) =>
  h.graphql(query, { token: admin.token, variables });
const list = async (variables: Record<string, unknown> = {}) => (await ask(LIST, variables)).data.emailDeliveries;

const queue = (to = 'ada@example.com') =>
  transact(h.app, (app) =>
    queueLetter(app, {
      kind: 'EMAIL_CHANGED',
      to,
      locale: 'de',
      timeZone: 'UTC',
      requestId: 'request-1',
      data: { username: 'ada' },
    }),
  );

const refuse = (code: string, permanent: boolean) => {
  h.app.mailer.send = async () => {
    throw new MailError(code, permanent);
  };
};

/** As if every pause were over. */
const makeDue = () => h.app.db.update(outboxEmails).set({ nextAttemptAt: h.app.now() });

describe('emailDeliveries', () => {
  it('tells of a letter that was given up: to whom, why, after how many attempts', async () => {
    refuse('EENVELOPE_550', true);
    await queue();
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await sendDueLetters(h.app);
      await makeDue();
    }
    await queue('grace@example.com');
    const { nodes, totalCount } = await list({ filter: { status: 'DEAD' } });
    expect(totalCount).toBe(1);
    expect(nodes[0]).toMatchObject({
      kind: 'EMAIL_CHANGED',
      recipient: 'a***@example.com',
      locale: 'de',
      status: 'DEAD',
      attempts: 3,
      lastError: 'EENVELOPE_550',
      nextAttemptAt: null,
      requestId: 'request-1',
      sentAt: null,
    });
  });

  it('lists the newest first, page by page, and filters by kind and person', async () => {
    const person = await h.person();
    await h.letters();
    for (let number = 0; number < 5; number += 1) await queue(`p${number}@example.com`);
    const first = await list({ first: 3 });
    const rest = await list({ first: 100, after: first.pageInfo.endCursor });
    expect(first.pageInfo.hasNextPage).toBe(true);
    const recipients = [...first.nodes, ...rest.nodes].map(({ recipient }: { recipient: string }) => recipient);
    expect(recipients).toHaveLength(first.totalCount);
    expect(recipients.slice(0, 5)).toEqual(Array(5).fill('p***@example.com'));
    const ids = [...first.nodes, ...rest.nodes].map(({ id }: { id: string }) => id);
    expect(ids).toEqual([...ids].sort().reverse());
    const about = await list({ filter: { userId: person.id, kind: 'WELCOME_VERIFY' } });
    expect(about.nodes).toEqual([expect.objectContaining({ userId: person.id, status: 'SENT', lastError: null })]);
    expect((await list({ filter: { kind: 'ACCOUNT_ERASED' } })).totalCount).toBe(0);
  });

  it('shows neither words nor whole addresses, and leaves a record of each look', async () => {
    await queue();
    const before = await h.app.db.$count(auditEvents, eq(auditEvents.action, 'email_deliveries.listed'));
    const answer = JSON.stringify(await list({ filter: { status: 'QUEUED' } }));
    expect(answer).not.toContain('ada@');
    expect(await h.app.db.$count(auditEvents, eq(auditEvents.action, 'email_deliveries.listed'))).toBe(before + 1);
  });

  it('refuses a kind, an id or a cursor that is none', async () => {
    expect((await ask(LIST, { filter: { kind: 'NONE' } })).errors?.[0]?.extensions?.fields).toHaveProperty(
      'filter.kind',
    );
    expect((await ask(LIST, { filter: { userId: 'x' } })).errors?.[0]?.extensions?.fields).toHaveProperty(
      'filter.userId',
    );
    expect((await ask(LIST, { after: 'x' })).code).toBe('BAD_USER_INPUT');
  });
});

describe('retryEmailDelivery', () => {
  const idOfOnly = async (): Promise<string> => (await list()).nodes[0].id;

  it('sends at once what waited for its next attempt', async () => {
    refuse('ETIMEDOUT', false);
    await queue();
    for (let attempt = 0; attempt < 4; attempt += 1) {
      await makeDue();
      await sendDueLetters(h.app);
    }
    h.app.mailer.send = send;
    expect(await sendDueLetters(h.app)).toBe(0);
    const { data } = await ask(RETRY, { id: await idOfOnly() });
    expect(data.retryEmailDelivery.delivery).toMatchObject({ status: 'QUEUED', attempts: 4, lastError: 'ETIMEDOUT' });
    expect(await sendDueLetters(h.app)).toBe(1);
    expect((await list()).nodes[0]).toMatchObject({ status: 'SENT', attempts: 5, lastError: null });
  });

  it('does not make a letter due that a sender has in hand: it would go out twice', async () => {
    await queue();
    await claimLetters(h.app, { max: 1 });
    expect((await ask(RETRY, { id: await idOfOnly() })).code).toBeUndefined();
    expect(await sendDueLetters(h.app)).toBe(0);
  });

  it('refuses what was sent or given up: its words are no longer kept', async () => {
    await queue();
    await sendDueLetters(h.app);
    expect((await ask(RETRY, { id: await idOfOnly() })).code).toBe('CONFLICT');
    await h.app.db.update(outboxEmails).set({ status: 'DEAD', sentAt: null });
    expect((await ask(RETRY, { id: await idOfOnly() })).code).toBe('CONFLICT');
  });

  it('refuses an id that is none or names no letter', async () => {
    expect((await ask(RETRY, { id: 'x' })).code).toBe('BAD_USER_INPUT');
    expect((await ask(RETRY, { id: admin.id })).code).toBe('NOT_FOUND');
  });

  it('is recorded', async () => {
    await queue();
    const id = await idOfOnly();
    await ask(RETRY, { id });
    const rows = await h.app.db.select().from(auditEvents).where(eq(auditEvents.action, 'email.retried'));
    expect(rows.at(-1)).toMatchObject({ actorId: admin.id, targetId: id });
  });
});

it('is for admins who hold email:manage', async () => {
  const other = await h.admin(['system:read']);
  for (const [query, variables] of [
    [LIST, {}],
    [RETRY, { id: admin.id }],
  ] as const) {
    expect((await h.graphql(query, { token: other.token, variables })).code).toBe('FORBIDDEN');
    expect((await h.graphql(query, { variables })).code).toBe('UNAUTHENTICATED');
  }
});
