import { randomBytes } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { buildConfig } from '../../src/core/config.js';
import type { App } from '../../src/core/context.js';
import { type Database, openDatabase, transact } from '../../src/core/database.js';
import { createLogger } from '../../src/core/logger.js';
import { type Letter, MailError } from '../../src/core/mail.js';
import { createMailer } from '../../src/core/mailer.js';
import { createMetrics } from '../../src/core/metrics.js';
import { createSecrets } from '../../src/core/secrets.js';
import { type LetterSender, sendDueLetters, startSendLetters } from '../../src/jobs/send-letters.js';
import type { LetterKind } from '../../src/modules/mail/letter-texts.js';
import { outboxEmails } from '../../src/modules/mail/mail.table.js';
import {
  claimLetters,
  deleteOldLetters,
  type LetterRequest,
  markFailed,
  markSent,
  outboxAgeSeconds,
  queueLetter,
} from '../../src/modules/mail/outbox.service.js';
import { createTestDatabase, silentLog, type TestDatabase } from '../support/database.js';
import { startSmtpServer } from '../support/smtp-server.js';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const TOKEN = 'crd_verify_Q2nYb7Ws0pXcR4tGh8JkLmNzV5uEaD1fO3iPqTy6BxC9wS';
const link = `https://id.example.org/verify-email?token=${TOKEN}`;

let now: number;
let sent: Letter[];
/** What the mail server does with a letter; throws to refuse. */
let take: (letter: Letter) => unknown;
let logLines: string[];
let app: App;
const databases: Database[] = [];
let cleanUp: (() => Promise<unknown>)[];
let testDatabase: TestDatabase;

/** As a process of its own has it: on PostgreSQL with its own connections (an embedded database has but one process). */
function instanceOn(database: Database): App {
  const instance: Partial<App> = {
    config: buildConfig({ NODE_ENV: 'test', MAIL_FROM: 'Acme Accounts <no-reply@acme.example>' }),
    log: createLogger({ level: 'debug', pretty: false }, { destination: { write: (line) => logLines.push(line) } }),
    database,
    db: database.db,
    sql: database.sql,
    secrets,
    metrics: createMetrics(),
    now: () => new Date(now),
    mailer: {
      async send(letter) {
        await take(letter);
        sent.push(letter);
      },
      close: async () => undefined,
    },
  };
  return instance as App;
}

const secrets = createSecrets(randomBytes(32));

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  const one = await openDatabase(testDatabase, silentLog);
  databases.push(one, testDatabase.kind === 'postgres' ? await openDatabase(testDatabase, silentLog) : one);
});

afterAll(async () => {
  for (const database of new Set(databases)) await database.close();
  await testDatabase.dispose();
});

beforeEach(async () => {
  now = Date.parse('2026-03-01T12:00:00Z');
  sent = [];
  logLines = [];
  cleanUp = [];
  take = () => undefined;
  app = instanceOn(databases[0] as Database);
  await app.db.delete(outboxEmails);
});

afterEach(async () => {
  vi.useRealTimers();
  for (const step of cleanUp) await step();
});

function queue<K extends LetterKind>(changes: Partial<LetterRequest<LetterKind>> = {}): Promise<boolean> {
  const request = {
    kind: 'VERIFY_EMAIL',
    to: 'ada@example.com',
    locale: 'en',
    timeZone: 'UTC',
    data: { username: 'ada', link },
    ...changes,
  };
  return transact(app, (app) => queueLetter(app, request as LetterRequest<K>));
}

const rows = () => app.db.select().from(outboxEmails).orderBy(outboxEmails.createdAt, outboxEmails.id);
const onlyRow = async () => {
  const [row, ...others] = await rows();
  expect(others).toEqual([]);
  return row as NonNullable<typeof row>;
};

describe('queueing a letter', () => {
  it('sends what a committed transaction queued, and nothing of one that was rolled back', async () => {
    const failed = transact(app, async (app) => {
      await queueLetter(app, {
        kind: 'EMAIL_CHANGED',
        to: 'ada@example.com',
        locale: 'en',
        timeZone: 'UTC',
        data: { username: 'ada' },
      });
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    expect(await queue({ to: 'grace@example.com' })).toBe(true);
    await sendDueLetters(app);
    expect(sent.map(({ to }) => to)).toEqual(['grace@example.com']);
    expect(sent[0]).toMatchObject({
      from: 'Acme Accounts <no-reply@acme.example>',
      subject: 'Verify your email address',
    });
    expect(sent[0]?.text).toContain(link);
    expect(sent[0]?.html).toContain('Acme Accounts');
  });

  it('refuses to queue outside a transaction', async () => {
    const request = {
      kind: 'VERIFY_EMAIL',
      to: 'a@example.com',
      locale: 'en',
      timeZone: 'UTC',
      data: { username: 'ada', link },
    } as const;
    await expect(queueLetter(app, request)).rejects.toThrow('in the transaction');
    expect(await rows()).toEqual([]);
  });

  it('keeps link and name out of the database in the clear, and keeps nothing of them once the letter is sent', async () => {
    await queue({ ip: '203.0.113.9' });
    const dump = JSON.stringify(await app.db.execute(sql`select t::text from outbox_emails t`));
    expect(dump).toContain('ada@example.com');
    expect(dump).not.toContain(TOKEN);
    expect(dump).not.toContain('203.0.113.9');
    await sendDueLetters(app);
    expect(await onlyRow()).toMatchObject({ status: 'SENT', sealedBody: null, sentAt: new Date(now), attempts: 1 });
  });

  it('queues the same idempotency key once', async () => {
    const again = { idempotencyKey: 'session-reuse:1', kind: 'EMAIL_CHANGED', data: { username: 'ada' } } as const;
    expect([await queue(again), await queue(again)]).toEqual([true, false]);
    expect(await sendDueLetters(app)).toBe(1);
  });

  it('falls silent for an address after 3 letters in an hour, however it is written, and makes no new link then', async () => {
    const answers = [];
    for (const to of ['ada@example.com', 'Ada@Example.com', 'ADA@EXAMPLE.COM', 'ada@example.com']) {
      answers.push(await queue({ to }));
    }
    expect(answers).toEqual([true, true, true, false]);
    const makeLink = vi.fn(async () => ({ username: 'ada', link }));
    expect(await queue({ kind: 'RESET_PASSWORD', data: makeLink })).toBe(false);
    expect(makeLink).not.toHaveBeenCalled();
    expect(await queue({ to: 'grace@example.com', data: makeLink })).toBe(true);
    expect(makeLink).toHaveBeenCalledOnce();
    now += HOUR + SECOND;
    expect(await queue()).toBe(true);
  });

  it('falls silent for an address after 10 letters in a day', async () => {
    let queued = 0;
    for (let hour = 0; hour < 20; hour += 1, now += HOUR) if (await queue()) queued += 1;
    expect(queued).toBe(10);
    now += 5 * HOUR;
    expect(await queue()).toBe(true);
  });

  it('never holds back a letter that only the owner or an admin can cause', async () => {
    for (let number = 0; number < 5; number += 1) await queue({ ip: '203.0.113.9' });
    for (let number = 0; number < 25; number += 1) {
      const when = new Date(now);
      expect(
        await queue({ kind: 'PASSWORD_CHANGED', ip: '203.0.113.9', data: { username: 'ada', when, ip: null } }),
      ).toBe(true);
    }
  });

  it('falls silent for a network after 20 letters in an hour', async () => {
    let queued = 0;
    const attempt = async (ip: string) => {
      queued += (await queue({ ip, to: `person${Math.random()}@example.com` })) ? 1 : 0;
    };
    for (let host = 1; host <= 25; host += 1) await attempt(`2001:db8:1:2::${host}`);
    expect(queued).toBe(20);
    await attempt('2001:db8:1:3::1');
    expect(queued).toBe(21);
    now += HOUR + SECOND;
    await attempt('2001:db8:1:2::1');
    expect(queued).toBe(22);
  });

  it('lets exactly 3 of 30 parallel requests for one address through', async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, () => queue({ ip: '203.0.113.9' })));
    expect(answers.filter(Boolean)).toHaveLength(3);
    expect(await rows()).toHaveLength(3);
  });
});

describe('sending letters', () => {
  const senders: LetterSender[] = [];
  const start = (instance: App) => {
    const sender = startSendLetters(instance);
    senders.push(sender);
    return sender;
  };

  afterEach(async () => {
    await Promise.all(senders.splice(0).map((sender) => sender.stop()));
  });

  /** Only the database can wake a sender now. */
  const withoutPolling = () => vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });

  it('wakes up when a letter is queued', async () => {
    withoutPolling();
    const live = Promise.withResolvers<void>();
    const { database } = app;
    const listen: Database['listen'] = (channel, onPayload, onLive) =>
      database.listen(channel, onPayload, (isLive) => {
        onLive(isLive);
        live.resolve();
      });
    start({ ...app, database: { ...database, listen } });
    await live.promise;
    for (let number = 1; number <= 3; number += 1) {
      await queue();
      await vi.waitFor(() => expect(sent).toHaveLength(number), { timeout: 3_000 });
    }
  });

  it('looks by itself for what became due', async () => {
    withoutPolling();
    await queue();
    await claimLetters(app, { max: 1 });
    start(app);
    now += 61 * SECOND;
    await vi.advanceTimersByTimeAsync(5_000);
    await vi.waitFor(() => expect(sent).toHaveLength(1), { timeout: 5_000 });
  });

  it('sends every letter once though two instances send', async () => {
    const other = instanceOn(databases[1] as Database);
    for (let number = 0; number < 40; number += 1) {
      await queue({ kind: 'EMAIL_CHANGED', to: `person${number}@example.com`, data: { username: 'ada' } });
    }
    for (const sender of [start(app), start(other)]) sender.kick();
    await vi.waitFor(async () => expect((await rows()).every(({ status }) => status === 'SENT')).toBe(true), {
      timeout: 10_000,
    });
    expect(new Set(sent.map(({ to }) => to)).size).toBe(40);
    expect(sent).toHaveLength(40);
  });

  it('sends at most eight at a time, and keeps the database free meanwhile', async () => {
    let open = 0;
    let most = 0;
    take = async () => {
      open += 1;
      most = Math.max(most, open);
      // Would wait for ever on an embedded database if a transaction were held open around it.
      await transact(app, (app) => app.db.select().from(outboxEmails).limit(1));
      open -= 1;
    };
    for (let number = 0; number < 24; number += 1) await queue({ kind: 'EMAIL_CHANGED', data: { username: 'ada' } });
    start(app);
    await vi.waitFor(() => expect(sent).toHaveLength(24), { timeout: 5_000 });
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(8);
  });

  it('finishes what it is sending before it stops, and takes no more', async () => {
    const gate = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    take = () => {
      entered.resolve();
      return gate.promise;
    };
    await queue();
    const sender = start(app);
    await entered.promise;
    let isStopped = false;
    const stopping = sender.stop().then(() => {
      isStopped = true;
    });
    expect((await onlyRow()).status).toBe('QUEUED');
    expect(isStopped).toBe(false);
    gate.resolve();
    await stopping;
    expect((await onlyRow()).status).toBe('SENT');
    await queue({ to: 'grace@example.com' });
    sender.kick();
    expect((await rows()).map(({ attempts }) => attempts)).toEqual([1, 0]);
  });

  it('sends again, under the same key, what a killed sender had taken', async () => {
    await queue();
    const [taken] = await claimLetters(app, { max: 5 });
    expect(taken).toBeDefined();
    expect(await sendDueLetters(app)).toBe(0);
    now += 61 * SECOND;
    expect(await sendDueLetters(app)).toBe(1);
    expect(sent[0]?.idempotencyKey).toBe(taken?.idempotencyKey);
    expect(await onlyRow()).toMatchObject({ status: 'SENT', attempts: 2 });
  });

  it('does not let a sender that wakes up late undo what another has done', async () => {
    await queue();
    const [late] = await claimLetters(app, { max: 1 });
    if (!late) throw new Error('nothing was taken');
    now += 61 * SECOND;
    const [second] = await claimLetters(app, { max: 1 });
    await markFailed(app, { row: late, error: new MailError('EENVELOPE_550', true) });
    expect((await onlyRow()).lastError).toBeNull();
    await markSent(app, { id: second?.id ?? '' });
    await markFailed(app, { row: late, error: new MailError('EENVELOPE_550', true) });
    expect(await onlyRow()).toMatchObject({ status: 'SENT', lastError: null });
  });

  it('takes no more letters at once than it was asked for', async () => {
    for (let number = 0; number < 5; number += 1) await queue({ to: `person${number}@example.com` });
    expect(await claimLetters(app, { max: 2 })).toHaveLength(2);
    expect(await claimLetters(app, { max: 9 })).toHaveLength(3);
  });

  it('tries for a day, more and more rarely, and then gives up and forgets the body', async () => {
    take = () => {
      throw new MailError('ETIMEDOUT', false);
    };
    await queue();
    const pauses: number[] = [];
    let lastAttempt = now;
    for (let row = await onlyRow(); row.status === 'QUEUED'; row = await onlyRow()) {
      lastAttempt = now;
      expect(await sendDueLetters(app)).toBe(1);
      const next = (await onlyRow()).nextAttemptAt.getTime();
      pauses.push((next - now) / SECOND);
      now = next;
    }
    expect(await onlyRow()).toMatchObject({ status: 'DEAD', sealedBody: null, lastError: 'ETIMEDOUT' });
    expect(pauses.length).toBeGreaterThan(20);
    expect(pauses[0]).toBeGreaterThanOrEqual(22.5);
    expect(pauses[0]).toBeLessThanOrEqual(37.5);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(1.25 * 3_600);
    expect(lastAttempt - Date.parse('2026-03-01T12:00:00Z')).toBeLessThanOrEqual(24 * HOUR);
    expect(lastAttempt - Date.parse('2026-03-01T12:00:00Z')).toBeGreaterThan(22 * HOUR);
    expect(await sendDueLetters(app)).toBe(0);
  });

  it('leaves a mail server alone for as long as it asks, but not for longer than an hour', async () => {
    await queue();
    const pauseAfter = async (retryAfterSeconds: number) => {
      take = () => {
        throw new MailError('RESEND_429_rate_limit_exceeded', false, retryAfterSeconds);
      };
      expect(await sendDueLetters(app)).toBe(1);
      const next = (await onlyRow()).nextAttemptAt.getTime();
      const pause = (next - now) / SECOND;
      now = next;
      return pause;
    };
    expect(await pauseAfter(600)).toSatisfy((pause: number) => pause >= 600 && pause <= 750);
    expect(await pauseAfter(86_400)).toSatisfy((pause: number) => pause >= 3_600 && pause <= 4_500);
    // Shorter than what we would wait anyway: no invitation to hurry.
    expect(await pauseAfter(1)).toBeGreaterThanOrEqual(90);
  });

  it('gives up after the third refusal for good', async () => {
    take = () => {
      throw new MailError('EENVELOPE_550', true);
    };
    await queue();
    for (let attempt = 1; attempt <= 3; attempt += 1, now += HOUR) expect(await sendDueLetters(app)).toBe(1);
    expect(await onlyRow()).toMatchObject({ status: 'DEAD', attempts: 3, lastError: 'EENVELOPE_550' });
  });

  it('lets the others pass when one letter cannot be opened, and keeps that one for when the right key is back', async () => {
    await queue({ to: 'ada@example.com' });
    Object.assign(app, { secrets: createSecrets(randomBytes(32)) });
    await queue({ to: 'grace@example.com' });
    expect(await sendDueLetters(app)).toBe(2);
    expect(sent.map(({ to }) => to)).toEqual(['grace@example.com']);
    Object.assign(app, { secrets });
    now += 61 * SECOND;
    expect(await sendDueLetters(app)).toBe(1);
    expect(sent.map(({ to }) => to)).toEqual(['grace@example.com', 'ada@example.com']);
  });

  it('counts outcomes, and writes neither addresses nor links nor names into the log', async () => {
    let refusals = 2;
    take = ({ to, text }) => {
      refusals -= 1;
      if (refusals === 1) throw new Error(`550 <${to}> said no to ${text}`);
      if (refusals === 0) throw new MailError('EMESSAGE_451', false);
    };
    await queue();
    for (let attempt = 0; attempt < 3; attempt += 1, now += HOUR) await sendDueLetters(app);
    expect(sent).toHaveLength(1);
    const log = logLines.join('');
    expect(log).toContain('a letter could not be sent');
    expect(log).toContain('EMESSAGE_451');
    expect(log).not.toMatch(/ada|example\.com|crd_verify|550/);
    const metrics = await app.metrics.text();
    expect(metrics).toContain('credence_letters_total{outcome="sent"} 1');
    expect(metrics).toContain('credence_letters_total{outcome="failed"} 2');
  });

  it('goes through a real mail server that first defers and then takes', async () => {
    const server = await startSmtpServer();
    cleanUp.unshift(() => server.close());
    const mail = { transport: 'smtp', smtpUrl: `smtp://127.0.0.1:${server.port}`, from: 'a@acme.example' } as const;
    const mailer = createMailer({ mail, dataDir: '' });
    cleanUp.unshift(() => mailer.close());
    Object.assign(app, { mailer });
    server.answer = (command) => (command.startsWith('RCPT') ? '450 <ada@example.com> grey listed' : undefined);
    await queue();
    await sendDueLetters(app);
    expect(await onlyRow()).toMatchObject({ status: 'QUEUED', lastError: 'EENVELOPE_450' });
    server.answer = () => undefined;
    now += 61 * SECOND;
    await sendDueLetters(app);
    expect((await onlyRow()).status).toBe('SENT');
    expect(server.received.map(({ to }) => to)).toEqual([['ada@example.com']]);
  });

  it('tells how long the oldest letter has waited', async () => {
    expect(await outboxAgeSeconds(app)).toBe(0);
    await queue();
    now += 90 * SECOND;
    expect(await outboxAgeSeconds(app)).toBe(90);
    await sendDueLetters(app);
    expect(await outboxAgeSeconds(app)).toBe(0);
  });

  it('forgets letters 30 days after they were queued, but none that still waits', async () => {
    await queue({ to: 'ada@example.com' });
    await sendDueLetters(app);
    await queue({ to: 'grace@example.com' });
    now += 29 * 24 * HOUR;
    expect(await deleteOldLetters(app)).toBe(0);
    now += 24 * HOUR + SECOND;
    expect(await deleteOldLetters(app)).toBe(1);
    const left = await app.db.select().from(outboxEmails).where(eq(outboxEmails.status, 'QUEUED'));
    expect(left.map(({ recipient }) => recipient)).toEqual(['grace@example.com']);
  });
});
