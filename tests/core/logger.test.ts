import { expect, test } from 'vitest';
import { AppError } from '../../src/core/errors.js';
import { createLogger } from '../../src/core/logger.js';

function record(pretty = false) {
  const lines: string[] = [];
  const log = createLogger({ level: 'trace', pretty }, { destination: { write: (line) => lines.push(line) } });
  return { log, lines, text: () => lines.join(''), last: () => JSON.parse(lines.at(-1) ?? '{}') };
}

/** A driver's error as postgres.js and Drizzle make them: the message tells the statement and its parameters. */
function driverError(secret: string) {
  const cause = Object.assign(new Error(`duplicate key value violates unique constraint ${secret}`), {
    name: 'PostgresError',
    code: '23505',
    constraint_name: 'users_email_key',
    detail: `Key (email)=(${secret}) already exists.`,
    parameters: [secret],
    query: `insert into users values ('${secret}')`,
  });
  const message = `Failed query: insert into users (email) values ($1)\nparams: ${secret}\n    at ${secret} (/app/x.js:1:1)`;
  return Object.assign(new Error(message, { cause }), { query: `select '${secret}'`, params: [secret] });
}

type Plant = (secret: string) => unknown[];

/** Every place a secret was ever seen to slip into a log through: each gets a secret of its own. */
const PLANTS: Record<string, Plant> = {
  'a top-level password': (secret) => [{ password: secret }, 'it happened'],
  'a capitalised key': (secret) => [{ Password: secret, AUTHORIZATION: secret }, 'it happened'],
  'a key in another spelling': (secret) => [{ pass_word: secret, 'pass-word': secret, pwd: secret }, 'it happened'],
  'a key two levels down': (secret) => [{ a: { b: { password: secret } } }, 'it happened'],
  'a key seven levels down': (secret) => [{ a: { b: { c: { d: { e: { f: { token: secret } } } } } } }, 'it happened'],
  'an array of strings': (secret) => [{ tokens: [secret] }, 'it happened'],
  'an array of objects': (secret) => [{ list: [{ token: secret }] }, 'it happened'],
  'an object under an allowed key': (secret) => [{ userId: { token: secret }, status: { secret } }, 'it happened'],
  'an array under an allowed key': (secret) => [{ requestId: [secret], code: [secret] }, 'it happened'],
  'variables of an operation': (secret) => [{ variables: { input: { password: secret } } }, 'it happened'],
  'the query text': (secret) => [{ query: `mutation { login(password: "${secret}") }` }, 'it happened'],
  'request headers': (secret) => [{ req: { headers: { authorization: secret, Cookie: secret } } }, 'it happened'],
  'the request URL': (secret) => [
    { req: { method: 'GET', url: `/verify?token=${secret}` }, url: secret },
    'it happened',
  ],
  'a request-like object': (secret) => [
    { method: 'GET', headers: { a: secret }, socket: {}, url: secret },
    'it happened',
  ],
  'a response-like object': (secret) => [{ setHeader() {}, secret, getHeaders: () => ({ secret }) }, 'it happened'],
  'a format argument': (secret) => ['the password is %s', secret],
  'a format argument after fields': (secret) => [{ userId: 'u1' }, 'saw %o', { secret }],
  'a number instead of fields': (secret) => [Number(secret.replace(/\D/g, '')), 'it happened'],
  'the message of an error': (secret) => [new Error(`wrong: ${secret}`)],
  'the message of an error under err': (secret) => [{ err: new Error(`wrong: ${secret}`) }, 'it failed'],
  'the message of an error without an event': (secret) => [{ err: new Error(secret) }],
  'an error under another key': (secret) => [{ failure: new Error(secret) }, 'it failed'],
  'own properties of an error': (secret) => [
    { err: Object.assign(new Error('x'), { config: { auth: secret } }) },
    'it failed',
  ],
  'a driver error': (secret) => [{ err: driverError(secret) }, 'it failed'],
  'the cause of a cause': (secret) => [
    { err: new Error('a', { cause: new Error('b', { cause: new Error(secret) }) }) },
    'it failed',
  ],
  'an aggregate of errors': (secret) => [{ err: new AggregateError([new Error(secret)], secret) }, 'it failed'],
  'what a resolver threw': (secret) => [
    { err: Object.assign(new Error('x'), { originalError: new Error(secret) }) },
    'it failed',
  ],
  'a thrown string': (secret) => [{ err: secret }, 'it failed'],
  'a message that imitates stack lines': (secret) => [
    new Error(`x\n    at ${secret} (/app/a.js:1:2)\n    at Object.${secret} (file:///a.js:3:4)`),
  ],
  "an error's name": (secret) => [Object.assign(new Error('x'), { name: `Error ${secret}` })],
  "an error's code": (secret) => [Object.assign(new Error('x'), { code: `not a code ${secret}` })],
  'toJSON of a field': (secret) => [{ userId: { toJSON: () => secret } }, 'it happened'],
  'a symbol and a getter': (secret) => [
    {
      [Symbol('s')]: secret,
      get token() {
        return secret;
      },
    },
    'it happened',
  ],
};

const plants = Object.entries(PLANTS).map(([place, plant], at) => ({
  place,
  plant,
  secret: `hunter${7000 + at}swordfish`,
}));

test.each(plants)('a secret planted in $place reaches no log line', ({ plant, secret }) => {
  for (const pretty of [false, true]) {
    const { log, lines, text } = record(pretty);
    Reflect.apply(log.error, log, plant(secret));
    expect(lines).toHaveLength(1);
    expect(text()).not.toContain(secret);
    expect(text()).not.toContain(secret.replace(/\D/g, ''));
  }
});

test('the same plants do reach the lines of a logger that redacts by path: the test has teeth', async () => {
  const { pino } = await import('pino');
  const lines: string[] = [];
  const paths = ['password', '*.password', 'token', '*.token', 'req.headers.authorization', 'variables.*.password'];
  const naive = pino({ redact: paths }, { write: (line: string) => void lines.push(line) });
  for (const { plant, secret } of plants) Reflect.apply(naive.error, naive, plant(secret));
  expect(plants.filter(({ secret }) => lines.some((line) => line.includes(secret))).length).toBeGreaterThan(20);
});

test('secrets bound to a child, or a child of a child, reach no log line', () => {
  const { log, text, last } = record();
  const child = log.child({ requestId: 'r-1', token: 'swordfish', Cookie: ['swordfish'] });
  child
    .child({ userId: 'u-1', nested: { password: 'swordfish' } }, {})
    .info({ code: 'X', pin: 'swordfish' }, 'it happened');
  expect(text()).not.toContain('swordfish');
  expect(last()).toMatchObject({ requestId: 'r-1', userId: 'u-1', msg: 'it happened' });
});

test.each([
  'crd_svc_8fJ2kQmZ0aXyLw93hd7',
  'eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl',
  'Bearer c2VjcmV0',
  'ada.lovelace@example.com',
  'postgres://credence:swordfish@db.internal/credence',
  '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
])('even an event written as a template does not carry %s', (secret) => {
  const { log, text } = record();
  log.info({ kind: secret, directory: secret, publicUrl: secret }, `somebody wrote ${secret} here`);
  expect(text()).toContain('somebody wrote');
  expect(text()).not.toContain(secret);
  expect(text()).not.toContain('swordfish');
});

test('an unknown error is told by type, code, constraint and where it was thrown', () => {
  const { log, last } = record();
  log.error({ err: driverError('x') }, 'a row could not be written');
  const { msg, err } = last();
  expect(msg).toBe('a row could not be written');
  expect(err).toMatchObject({
    type: 'Error',
    cause: { type: 'PostgresError', code: '23505', constraint: 'users_email_key' },
  });
  expect(err.stack.split('\n')[0]).toMatch(/^ {4}at driverError \(.*logger\.test\.ts:\d+:\d+\)$/);
  expect(err).not.toHaveProperty('message');
});

test('an error of our own is told with its message', () => {
  const { log, last } = record();
  log.warn({ err: new AppError('RETRY_LATER') }, 'hashing is full');
  expect(last().err).toMatchObject({ type: 'AppError', code: 'RETRY_LATER', message: 'Busy; try again shortly.' });
});

test('the code of a GraphQL error is told', () => {
  const { log, last } = record();
  log.warn({ err: Object.assign(new Error('x'), { extensions: { code: 'RATE_LIMITED', secret: 'y' } }) }, 'refused');
  expect(last().err).toMatchObject({ code: 'RATE_LIMITED' });
});

test('what is on the list is written as it is', () => {
  const { log, last } = record();
  log.info(
    { requestId: '0198c1de-7f1c-7000-8000-1f2e3d4c5b6a', status: 200, durationMs: 1.5, field: 'Query.me', live: true },
    'a request was answered',
  );
  expect(last()).toMatchObject({
    level: 'info',
    msg: 'a request was answered',
    requestId: '0198c1de-7f1c-7000-8000-1f2e3d4c5b6a',
    status: 200,
    durationMs: 1.5,
    field: 'Query.me',
    live: true,
  });
  expect(Date.parse(last().time)).not.toBeNaN();
});

test('values are bounded: a megabyte in a field or an event does not become a megabyte of log', () => {
  const { log, text } = record();
  log.info({ requestId: 'x'.repeat(1_000_000), status: Number.NaN }, 'y'.repeat(1_000_000));
  expect(text().length).toBeLessThan(500);
});

test.each([false, true])('no value starts a line of its own or moves the cursor (pretty: %s)', (pretty) => {
  const { log, lines } = record(pretty);
  const forged = 'ok\n{"level":"info","msg":"forged"}\r\u001b[2J\u2028\u2029\u202e\u0000\u0085end';
  log.info({ requestId: forged, operation: forged }, forged);
  log.error({ err: Object.assign(new Error(forged), { name: forged, code: forged }) }, 'failed');
  expect(lines).toHaveLength(2);
  const controls = [...(lines[0]?.trimEnd() ?? '')].filter((character) =>
    /[\p{Cc}\p{Zl}\p{Zp}\u202e]/u.test(character),
  );
  expect(controls).toEqual([]);
});

test.each([
  ['null', [null]],
  ['nothing', []],
  [
    'a proxy that throws',
    [
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('no');
          },
        },
      ),
      'x',
    ],
  ],
  [
    'an error whose stack is a getter that throws',
    [
      {
        err: Object.defineProperty(new Error('x'), 'stack', {
          get: () => {
            throw new Error('no');
          },
        }),
      },
      'x',
    ],
  ],
  [
    'a circular object',
    [
      (() => {
        const a: Record<string, unknown> = {};
        a.a = a;
        return { userId: a, a };
      })(),
      'x',
    ],
  ],
  ['a bigint', [{ count: 1n }, 'x']],
])('logging %s does not throw', (_name, args) => {
  const { log, lines } = record();
  expect(() => Reflect.apply(log.info, log, args)).not.toThrow();
  expect(lines).toHaveLength(1);
});

test('pretty lines are for people: time, level and event, with the fields behind', () => {
  const { log, text } = record(true);
  log.info({ port: 4000 }, 'listening');
  expect(text()).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: listening \{"port":4000\}\n$/);
});
