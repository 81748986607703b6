import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Letter, MailError, type Mailer } from '../../src/core/mail.js';
import { createMailer } from '../../src/core/mailer.js';
import { type ResendServer, refuseWith, startResendServer } from '../support/resend-server.js';

const KEY = 're_5p2mX9qT_tests';
let server: ResendServer;
let mailer: Mailer;

const open = (options: { timeoutMs?: number; apiKey?: string; from?: string } = {}) => {
  const { timeoutMs = 10_000, apiKey = KEY } = options;
  const resend = { apiKey, apiBase: server.url };
  return createMailer({ mail: { transport: 'resend', resend, from: 'unused' }, dataDir: '' }, { timeoutMs });
};

beforeEach(async () => {
  server = await startResendServer(KEY);
  mailer = open();
});
afterEach(async () => {
  await mailer.close();
  await server.close();
});

const letter = (changes: Partial<Letter> = {}): Letter => ({
  to: 'ada@example.com',
  from: 'Credence <no-reply@example.org>',
  subject: 'A subject',
  text: 'Hello Ada,\n\nhttps://example.org/verify-email?token=abc\n',
  html: '<p>Hello Ada</p>',
  idempotencyKey: '0193a1b2-0000-7000-8000-000000000001',
  ...changes,
});

const failure = (changes: Partial<Letter> = {}, by = mailer) =>
  by.send(letter(changes)).then(
    () => undefined,
    (error: unknown) => error,
  );

describe('the Resend transport', () => {
  it('hands over text and HTML for the one recipient, under the key of the outbox row', async () => {
    await mailer.send(letter());
    expect(server.delivered).toEqual([
      {
        to: 'ada@example.com',
        from: 'Credence <no-reply@example.org>',
        subject: 'A subject',
        text: letter().text,
        html: '<p>Hello Ada</p>',
        headers: { 'Auto-Submitted': 'auto-generated' },
      },
    ]);
    expect(server.requests[0]).toMatchObject({
      authorization: `Bearer ${KEY}`,
      'idempotency-key': letter().idempotencyKey,
      'content-type': 'application/json',
    });
    expect(mailer.list).toBeUndefined();
  });

  it('delivers once what is sent again, also when another version has written it with other words', async () => {
    await mailer.send(letter());
    await mailer.send(letter());
    await mailer.send(letter({ text: 'Hello Ada, in new words' }));
    expect(server.requests).toHaveLength(3);
    expect(server.delivered).toHaveLength(1);
  });

  it.each([
    ['Acme, Inc. <a@acme.example>', '"Acme, Inc." <a@acme.example>'],
    ['"Acme" <a@acme.example>', 'Acme <a@acme.example>'],
    ['Zoë & Söhne <a@acme.example>', '"Zoë & Söhne" <a@acme.example>'],
    ['Eve\r\nBcc: x@y.example <a@acme.example>', '"Eve Bcc: x@y.example" <a@acme.example>'],
    ['a@acme.example', 'a@acme.example'],
  ])('writes the sender %j so that it stays one', async (from, written) => {
    await mailer.send(letter({ from }));
    expect(server.delivered[0]?.from).toBe(written);
  });

  it('lets no address but exactly one, and no line end in a subject, reach the provider', async () => {
    for (const to of ['ada@example.com, eve@example.net', 'Ada <ada@example.com>', 'ada@example.com\r\n', '']) {
      expect(await failure({ to })).toMatchObject({ code: 'EADDRESS', permanent: true });
    }
    expect(server.requests).toEqual([]);
    await mailer.send(letter({ subject: 'One\r\nBcc: eve@example.net' }));
    expect(server.delivered[0]?.subject).toBe('One Bcc: eve@example.net');
  });

  it.each([
    [422, 'validation_error', 'Invalid `to` field for ada@example.com', true],
    [400, 'validation_error', 'Invalid `to` field.', true],
    [422, 'invalid_from_address', 'Invalid `from` field.', false],
    [422, 'validation_error', 'Invalid `from` field.', false],
    [403, 'validation_error', 'The example.org domain is not verified.', false],
    [401, 'missing_api_key', 'Missing API key', false],
    [403, 'invalid_api_key', 'API key is invalid', false],
    [409, 'concurrent_idempotent_requests', 'in progress', false],
    [429, 'daily_quota_exceeded', 'daily quota', false],
    [500, 'application_error', 'oops', false],
  ])('tells what is wrong with the letter from what the operator can mend: %i %s (%s)', async (...refusal) => {
    const [status, name, message, permanent] = refusal;
    server.refuse = (_, response) => refuseWith(response, [status, name, message]);
    const error = (await failure()) as MailError;
    expect(error).toBeInstanceOf(MailError);
    expect(error).toMatchObject({ code: `RESEND_${status}_${name}`, permanent });
    // The provider's sentence may repeat the address.
    expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain(message);
  });

  it('hands on how long to wait when there were too many requests, but not for a quota', async () => {
    const wait = { 'retry-after': '17' };
    server.refuse = (_, response) => refuseWith(response, [429, 'rate_limit_exceeded', 'slow down', wait]);
    expect(await failure()).toMatchObject({ permanent: false, retryAfterSeconds: 17 });
    server.refuse = (_, response) =>
      refuseWith(response, [429, 'rate_limit_exceeded', 'slow down', { 'retry-after': 'soon' }]);
    expect(await failure()).toMatchObject({ permanent: false, retryAfterSeconds: undefined });
    server.refuse = (_, response) => refuseWith(response, [429, 'monthly_quota_exceeded', 'no more', wait]);
    expect(await failure()).toMatchObject({ permanent: false, retryAfterSeconds: undefined });
  });

  it('comes back by itself when asked to wait for a second, so that a burst is not scattered over an hour', async () => {
    let inThisSecond = 0;
    const everySecond = setInterval(() => {
      inThisSecond = 0;
    }, 1_000);
    server.refuse = ({ seen }, response) => {
      inThisSecond += 1;
      if (seen === 0 || inThisSecond > 4)
        return refuseWith(response, [429, 'rate_limit_exceeded', 'slow down', { 'retry-after': '1' }]);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"id":"1"}');
    };
    const keys = Array.from({ length: 8 }, (_, number) => `key-${number}`);
    const outcomes = await Promise.all(keys.map((idempotencyKey) => failure({ idempotencyKey })));
    clearInterval(everySecond);
    expect(outcomes).toEqual(Array(8).fill(undefined));
    expect(server.requests.length).toBeGreaterThanOrEqual(16);
  }, 30_000);

  it('understands answers that are not in the documented form', async () => {
    server.refuse = (_, response) => response.writeHead(502).end('<html>Bad gateway</html>');
    expect(await failure()).toMatchObject({ code: 'RESEND_502_application_error', permanent: false });
    server.refuse = (_, response) => response.writeHead(400).end('{"name":"Bcc: x","statusCode":400,"message":null}');
    expect(await failure()).toMatchObject({ code: 'RESEND_400_refused' });
    server.refuse = (_, response) => response.writeHead(400).end('null');
    expect(await failure()).toBeInstanceOf(MailError);
    server.refuse = (_, response) => response.writeHead(200).end('null');
    expect(await failure()).toBeInstanceOf(MailError);
    server.refuse = (_, response) => response.writeHead(200).end('certainly');
    expect(await failure()).toMatchObject({ code: 'RESEND_UNREACHABLE' });
  });

  it('follows no redirect: neither the letter nor the key goes to another place', async () => {
    const other = await startResendServer(KEY);
    server.refuse = (_, response) => response.writeHead(307, { location: `${other.url}/emails` }).end();
    expect(await failure()).toMatchObject({ code: 'RESEND_UNREACHABLE', permanent: false });
    expect(other.requests).toEqual([]);
    await other.close();
  });

  it('gives up on a provider that says nothing, that trickles, and that is not there', async () => {
    const hasty = open({ timeoutMs: 250 });
    server.refuse = () => undefined;
    expect(await failure({}, hasty)).toMatchObject({ code: 'RESEND_UNREACHABLE', permanent: false });
    server.refuse = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const drip = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(drip));
    };
    expect(await failure({}, hasty)).toMatchObject({ code: 'RESEND_UNREACHABLE', permanent: false });
    await server.close();
    expect(await failure()).toMatchObject({ code: 'RESEND_UNREACHABLE', permanent: false });
    server = await startResendServer(KEY);
  });

  it('says that the key is refused, without the key', async () => {
    const error = (await failure({}, open({ apiKey: 're_wrong_key' }))) as MailError;
    expect(error).toMatchObject({ code: 'RESEND_403_invalid_api_key', permanent: false });
    expect(String(error.stack)).not.toContain('re_wrong_key');
  });
});
