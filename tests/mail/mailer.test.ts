import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Letter, MailError, type Mailer } from '../../src/core/mail.js';
import { createMailer } from '../../src/core/mailer.js';
import { makeCertificate } from '../support/certificate.js';
import { type SmtpServer, type SmtpServerOptions, silence, startSmtpServer, trickle } from '../support/smtp-server.js';

const letter = (changes: Partial<Letter> = {}): Letter => ({
  to: 'ada@example.com',
  from: 'Credence <no-reply@example.org>',
  subject: 'A subject',
  text: 'Hello Ada,\n\nhttps://example.org/verify-email?token=abc\n',
  html: '<p>Hello Ada</p>',
  idempotencyKey: 'letter-1',
  ...changes,
});

describe('the development mailbox', () => {
  let dataDir: string;
  const open = () => createMailer({ mail: { transport: 'mailbox', from: 'x@example.org' }, dataDir });
  const list = async (mailer: Mailer) => (await mailer.list?.()) ?? [];

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'credence-mailbox-'));
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  it('is empty before the first letter', async () => {
    expect(await list(open())).toEqual([]);
  });

  it('lists the newest letter first, with every link of its text', async () => {
    const mailer = open();
    await mailer.send(letter());
    await mailer.send(
      letter({ idempotencyKey: 'letter-2', text: 'See http://a.example/x, and <https://b.example/y?z=1>.' }),
    );
    const letters = await list(mailer);
    expect(letters.map((one) => one.links)).toEqual([
      ['http://a.example/x', 'https://b.example/y?z=1'],
      ['https://example.org/verify-email?token=abc'],
    ]);
    expect(Object.keys(letters[0] ?? {}).sort()).toEqual(['createdAt', 'html', 'id', 'links', 'subject', 'text', 'to']);
    expect(new Date(letters[0]?.createdAt ?? '').toISOString()).toBe(letters[0]?.createdAt);
  });

  it('keeps one letter when the same one is tried again', async () => {
    const mailer = open();
    await mailer.send(letter());
    await mailer.send(letter({ isRepeat: true }));
    await mailer.send(letter({ isRepeat: true, idempotencyKey: 'letter-2' }));
    expect(await list(mailer)).toHaveLength(2);
  });

  it('finds its directory again when somebody has taken it away', async () => {
    const mailer = open();
    await mailer.send(letter());
    await rm(join(dataDir, 'mailbox'), { recursive: true });
    await mailer.send(letter());
    expect(await list(mailer)).toHaveLength(1);
  });

  it('shows the letters of another process that shares the directory', async () => {
    const [one, other] = [open(), open()];
    await one.send(letter());
    expect(await list(other)).toHaveLength(1);
    await other.send(letter({ idempotencyKey: 'letter-2', subject: 'From the other' }));
    expect((await list(one))[0]?.subject).toBe('From the other');
  });

  it('shows the newest 500 letters, and keeps few more', async () => {
    const mailer = open();
    for (let number = 1; number <= 560; number += 1) {
      await mailer.send(letter({ idempotencyKey: `letter-${number}`, subject: `Letter ${number}` }));
    }
    const subjects = (await list(mailer)).map(({ subject }) => subject);
    expect(subjects).toHaveLength(500);
    expect([subjects[0], subjects[499]]).toEqual(['Letter 560', 'Letter 61']);
    expect((await readdir(join(dataDir, 'mailbox'))).length).toBeLessThanOrEqual(550);
  });

  it('passes over what is not a whole letter', async () => {
    const mailer = open();
    await mailer.send(letter());
    const name = `${'9'.repeat(14)}-${'a'.repeat(32)}.json`;
    await writeFile(join(dataDir, 'mailbox', `.${name}.1`), '{"half":');
    await writeFile(join(dataDir, 'mailbox', name), '{"half":');
    await writeFile(join(dataDir, 'mailbox', 'notes.txt'), 'mine');
    expect(await list(mailer)).toHaveLength(1);
  });

  it('lets only the owner of the process read letters', async () => {
    await open().send(letter());
    const directory = join(dataDir, 'mailbox');
    const [file] = await readdir(directory);
    expect((await stat(directory)).mode & 0o077).toBe(0);
    expect((await stat(join(directory, file ?? ''))).mode & 0o077).toBe(0);
  });
});

describe('the SMTP transport', () => {
  const open: { server?: SmtpServer; mailer?: Mailer } = {};

  async function start(options: SmtpServerOptions & { url?: (port: number) => string; timeoutMs?: number } = {}) {
    const { timeoutMs = 10_000 } = options;
    const server = await startSmtpServer(options);
    const smtpUrl = options.url?.(server.port) ?? `smtp://127.0.0.1:${server.port}`;
    const from = 'Credence <no-reply@example.org>';
    const mailer = createMailer({ mail: { transport: 'smtp', smtpUrl, from }, dataDir: '' }, { timeoutMs });
    Object.assign(open, { server, mailer });
    return { server, mailer };
  }

  afterEach(async () => {
    await open.mailer?.close();
    await open.server?.close();
  });

  const failure = (mailer: Mailer, changes: Partial<Letter> = {}) =>
    mailer.send(letter(changes)).then(
      () => undefined,
      (error: unknown) => error,
    );

  it('delivers text and HTML to the one recipient, with a stable message id', async () => {
    const { server, mailer } = await start();
    await mailer.send(letter());
    await mailer.send(letter());
    const [first, second] = server.received;
    expect(first?.from).toBe('no-reply@example.org');
    expect(first?.to).toEqual(['ada@example.com']);
    expect(first?.source).toContain('Content-Type: text/plain');
    expect(first?.source).toContain('Content-Type: text/html');
    expect(first?.source).toContain('Auto-Submitted: auto-generated');
    const messageId = /^Message-ID: .*$/im;
    expect(messageId.exec(first?.source ?? '')?.[0]).toMatch(/<[0-9a-f]{32}@example\.org>$/);
    expect(messageId.exec(first?.source ?? '')?.[0]).toBe(messageId.exec(second?.source ?? '')?.[0]);
  });

  it('has no list: only the mailbox can be read', async () => {
    const { mailer } = await start();
    expect(mailer.list).toBeUndefined();
  });

  it('refuses an address that is not exactly one, before any connection', async () => {
    const { server, mailer } = await start();
    const addresses = [
      'ada@example.com\r\nBcc: eve@example.net',
      'ada@example.com, eve@example.net',
      'ada@example.com;eve@example.net',
      'Ada <ada@example.com>',
      'ada@example.com> SIZE=1',
      '"ada@example.com eve"@example.net',
      'group:ada@example.com;',
      'ada@example.com\u0000',
      'ada @example.com',
      'ada@@example.com',
      '',
    ];
    for (const to of addresses) {
      expect(await failure(mailer, { to })).toMatchObject({ code: 'EADDRESS', permanent: true });
    }
    expect(server.commands).toEqual([]);
  });

  it('never lets a subject or a sender begin a header of its own', async () => {
    const { server, mailer } = await start();
    const lineEnds = fc.constantFrom('\r\n', '\n', '\r', '\u2028', '\u0085', '\u0000', '\v');
    const nasty = fc
      .tuple(fc.string({ unit: 'grapheme' }), lineEnds)
      .map(([text, end]) => `${text}${end}X-Evil: 1${end}${end}body`);
    await fc.assert(
      fc.asyncProperty(nasty, async (text) => {
        server.received.length = 0;
        const from = `${text.replace(/[<>"]/g, '')} <no-reply@example.org>`;
        await mailer.send(letter({ subject: text, from }));
        const head = server.received[0]?.source.split('\r\n\r\n')[0] ?? '';
        expect(head).not.toMatch(/^x-evil/im);
        expect(head).toMatch(/^content-type: multipart\/alternative/im);
        expect(server.received[0]?.to).toEqual(['ada@example.com']);
      }),
      { numRuns: 30 },
    );
  });

  it('upgrades by STARTTLS before anything is said about the letter', async () => {
    const tls = makeCertificate();
    const { server, mailer } = await start({
      tls,
      url: (port) => `smtp://user:secret@127.0.0.1:${port}?tls.ca=${encodeURIComponent(tls.cert)}`,
    });
    await mailer.send(letter());
    expect(server.received[0]?.wasEncrypted).toBe(true);
    const upgrade = server.commands.indexOf('STARTTLS');
    expect(server.commands.findIndex((line) => line.startsWith('AUTH'))).toBeGreaterThan(upgrade);
  });

  it('speaks TLS from the first byte with smtps', async () => {
    const tls = makeCertificate();
    const { server, mailer } = await start({
      tls: { ...tls, fromStart: true },
      url: (port) => `smtps://127.0.0.1:${port}?tls.ca=${encodeURIComponent(tls.cert)}`,
    });
    await mailer.send(letter());
    expect(server.received[0]?.wasEncrypted).toBe(true);
  });

  it('tells nothing to a server whose certificate it does not trust', async () => {
    const { server, mailer } = await start({
      tls: makeCertificate(),
      url: (port) => `smtp://user:secret@127.0.0.1:${port}`,
    });
    expect(await failure(mailer)).toMatchObject({ permanent: false });
    expect(server.received).toEqual([]);
    expect(server.commands.some((line) => /^(AUTH|MAIL)/.test(line))).toBe(false);
  });

  it('sends nothing to another machine that does not offer STARTTLS', async () => {
    // 0.0.0.0 reaches this machine but is not one of its names: it stands for any other host.
    const { server, mailer } = await start({
      url: (port) => `smtp://user:secret@0.0.0.0:${port}`,
      // It fails by waiting for an encryption that never begins.
      timeoutMs: 500,
    });
    expect(await failure(mailer)).toMatchObject({ permanent: false });
    expect(server.commands.some((line) => /^(AUTH|MAIL)/.test(line))).toBe(false);
  });

  it('sends without TLS to another machine when the URL says so', async () => {
    const { server, mailer } = await start({ url: (port) => `smtp://0.0.0.0:${port}?requireTLS=false` });
    await mailer.send(letter());
    expect(server.received).toHaveLength(1);
  });

  it('tells a refusal for good from one for now, without the words of the server', async () => {
    const { server, mailer } = await start();
    const say = (start: string, text: string) => {
      server.answer = (command) => (command.startsWith(start) ? text : undefined);
    };
    say('RCPT', '550 no ada@example.com here');
    expect(await failure(mailer)).toMatchObject({ code: 'EENVELOPE_550', message: 'EENVELOPE_550', permanent: true });
    say('RCPT', '450 ada@example.com is grey listed');
    expect(await failure(mailer)).toMatchObject({ code: 'EENVELOPE_450', permanent: false });
    say('<body>', '554 no such letters for ada@example.com');
    expect(await failure(mailer)).toMatchObject({ code: 'EMESSAGE_554', permanent: true });
    say('<body>', '451 later');
    expect(await failure(mailer)).toMatchObject({ code: 'EMESSAGE_451', permanent: false });
    say('MAIL', '550 no such sender');
    expect(await failure(mailer)).toMatchObject({ code: 'EENVELOPE_550', permanent: false });
  });

  it('does not blame the letter for a refused sign-in', async () => {
    const { server, mailer } = await start({ url: (port) => `smtp://user:wrong@127.0.0.1:${port}` });
    server.answer = (command) => (command.startsWith('AUTH') ? '535 wrong password for user' : undefined);
    const error = await failure(mailer);
    expect(error).toMatchObject({ code: 'EAUTH_535', permanent: false });
    expect(String(error)).not.toContain('wrong');
  });

  it('gives up on a server that says nothing, and on one that trickles', async () => {
    const { server, mailer } = await start({ timeoutMs: 250 });
    server.answer = (command) => (command === '<connect>' ? silence : undefined);
    expect(await failure(mailer)).toBeInstanceOf(MailError);
    server.answer = (command) => (command === '<body>' ? silence : undefined);
    expect(await failure(mailer)).toMatchObject({ permanent: false });
    server.answer = (command) => (command.startsWith('EHLO') ? trickle : undefined);
    expect(await failure(mailer)).toMatchObject({ permanent: false });
  });

  it('reports a server that is not there', async () => {
    const { server, mailer } = await start();
    await server.close();
    expect(await failure(mailer)).toMatchObject({ code: 'ESOCKET', permanent: false });
  });
});
