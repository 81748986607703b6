// What strangers can do to the edge before any field is asked for: bodies, verbs, headers, origins, and bare sockets.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { InjectOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHarness, type Harness, PASSWORD, uniqueName } from '../support/harness.js';

const APP = 'https://app.example.com';
const QUERY = '{ serviceInfo { name } }';
const JSON_BODY = JSON.stringify({ query: QUERY });

let h: Harness;
let port: number;
beforeAll(async () => {
  h = await createHarness({
    config: { server: { corsOrigins: [APP], publicUrl: 'https://id.example.com', frontendUrl: undefined } },
  });
  await h.fastify.listen({ host: '127.0.0.1', port: 0 });
  port = (h.fastify.server.address() as AddressInfo).port;
});
afterAll(() => h.close());

async function send(options: InjectOptions) {
  const response = await h.fastify.inject({ method: 'POST', url: '/graphql', ...options });
  const code = response.body.startsWith('{') ? response.json().errors?.[0]?.extensions.code : undefined;
  return { response, status: response.statusCode, code };
}

const post = (payload: string | Buffer, headers: Record<string, string> = {}) =>
  send({ payload, headers: { 'content-type': 'application/json', ...headers } });

/** All that comes back for these bytes, until the server ends the connection. */
async function sendBytes(text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
  socket.on('error', () => undefined);
  socket.write(text);
  socket.end();
  await once(socket, 'close');
  return answer;
}

describe('a body', () => {
  it('is read when it is as it should be, so that the refusals below mean something', async () => {
    expect((await post(JSON_BODY)).status).toBe(200);
    expect((await post(JSON_BODY, { 'content-type': 'application/json; charset=UTF-8' })).status).toBe(200);
  });

  it('is one operation, never a list of them', async () => {
    expect(await post(`[${JSON_BODY},${JSON_BODY}]`)).toMatchObject({ status: 400, code: 'BAD_USER_INPUT' });
    expect(await post(`[${JSON_BODY}]`)).toMatchObject({ status: 400, code: 'BAD_USER_INPUT' });
  });

  it('names no stored document, and stores none', async () => {
    const sha256Hash = createHash('sha256').update(QUERY).digest('hex');
    const extensions = { persistedQuery: { version: 1, sha256Hash } };
    const byName = () => post(JSON.stringify({ extensions }));
    expect(await byName()).toMatchObject({ status: 400, code: 'BAD_USER_INPUT' });
    await post(JSON.stringify({ query: QUERY, extensions }));
    expect(await byName()).toMatchObject({ status: 400, code: 'BAD_USER_INPUT' });
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/json; charset=utf-16',
    'application/json; charset="iso-8859-1"',
    'application/graphql',
  ])('of type %s is refused unread: 415', async (type) => {
    expect((await post(JSON_BODY, { 'content-type': type })).status).toBe(415);
  });

  it('is never unpacked: 415', async () => {
    const packed = gzipSync(JSON.stringify({ query: QUERY, padding: 'a'.repeat(1_000_000) }));
    expect((await post(packed, { 'content-encoding': 'gzip' })).status).toBe(415);
  });

  it('above a megabyte is refused: 413', async () => {
    expect((await post(JSON.stringify({ query: QUERY, padding: 'a'.repeat(1_000_000) }))).status).toBe(413);
  });

  it('brings no prototype along', async () => {
    for (const evil of ['"__proto__": {"admin": true}', '"constructor": {"prototype": {"admin": true}}']) {
      expect((await post(`{"query": "${QUERY}", ${evil}}`)).status, evil).toBe(400);
      expect((await post(`{"query": "${QUERY}", "variables": {${evil}}}`)).status, evil).toBe(400);
    }
    expect({}).not.toHaveProperty('admin');
  });
});

describe('a GET', () => {
  const get = (query: string, headers: Record<string, string> = {}) =>
    send({ method: 'GET', url: `/graphql?query=${encodeURIComponent(query)}`, headers });

  it('asks, with a header that no page of another site can send', async () => {
    expect((await get(QUERY, { 'apollo-require-preflight': '1' })).status).toBe(200);
    expect(await get(QUERY)).toMatchObject({ status: 400, code: 'BAD_USER_INPUT' });
    expect(await get(QUERY, { 'content-type': 'text/plain' })).toMatchObject({ status: 400 });
  });

  it('changes nothing', async () => {
    const mutation = 'mutation { requestPasswordReset(email: "nobody@example.com") { ok } }';
    const { response, status } = await get(mutation, { 'apollo-require-preflight': '1' });
    expect([400, 405]).toContain(status);
    expect(response.json().data).toBeUndefined();
  });

  it('takes no credential from the address', async () => {
    const { token } = await h.person();
    const headers = { 'apollo-require-preflight': '1' };
    const url = `/graphql?query={me{id}}&access_token=${token}&token=${token}&authorization=Bearer%20${token}`;
    expect(await send({ method: 'GET', url, headers })).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
  });
});

it('two credentials in one request are refused: whose it is would be a guess', async () => {
  const { token } = await h.person();
  const { key } = await h.service(['tokens:validate']);
  const answer = await h.graphql('{ me { id } }', { token, serviceKey: key });
  expect([answer.status, answer.code]).toEqual([400, 'BAD_USER_INPUT']);
});

it.each(['PUT', 'PATCH', 'DELETE', 'TRACE', 'CONNECT', 'PROPFIND'])('%s leads nowhere', async (verb) => {
  const answer = await sendBytes(
    `${verb} /graphql HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: secret=1\r\nContent-Length: 0\r\n\r\n`,
  );
  expect(answer === '' || /^HTTP\/1\.1 (400|404|405|501)/.test(answer), answer).toBe(true);
  expect(answer).not.toContain('secret=1');
});

it('nothing is upgraded to a WebSocket, by which no rule would be asked', async () => {
  const answer = await sendBytes(
    'GET /graphql HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n',
  );
  expect(answer).toMatch(/^HTTP\/1\.1 400/);
});

describe('a bare socket', () => {
  const head = 'POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n';

  it('smuggles no second request behind a length that is said twice', async () => {
    const smuggled = 'GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n';
    for (const lengths of [
      'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n',
      'Content-Length: 4\r\nContent-Length: 5\r\n',
      'Transfer-Encoding: xchunked\r\n',
      'Transfer-Encoding: chunked, identity\r\n',
    ]) {
      const answer = await sendBytes(`${head}${lengths}\r\n0\r\n\r\n${smuggled}`);
      expect(answer, lengths).not.toContain('"ok"');
      expect(answer.match(/HTTP\/1\.1/g) ?? [], lengths).toHaveLength(1);
      expect(answer, lengths).toMatch(/^HTTP\/1\.1 400/);
    }
  });

  it('with more headers than fit, or lines that are none, is refused', async () => {
    expect(await sendBytes(`${head}X-Long: ${'a'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431/);
    expect(await sendBytes(`${head}Bad Name: x\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400/);
    expect(await sendBytes('\x16\x03\x01 this is no HTTP\r\n\r\n')).toMatch(/^HTTP\/1\.1 400/);
  });
});

describe('what an answer tells', () => {
  it('carries every protective header, whatever was asked', async () => {
    const answers = await Promise.all([
      post(JSON_BODY),
      post('nonsense'),
      send({ method: 'GET', url: '/no-such-door' }),
      send({ method: 'GET', url: '/health/live' }),
      send({ method: 'GET', url: '/.well-known/jwks.json' }),
    ]);
    for (const { response } of answers) {
      expect(response.headers).toMatchObject({
        'strict-transport-security': 'max-age=31536000; includeSubDomains',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-site',
      });
      expect(response.headers).not.toHaveProperty('server');
      expect(response.headers).not.toHaveProperty('x-powered-by');
    }
    expect(answers[0]?.response.headers['cache-control']).toBe('no-store');
  });

  it('repeats a request id only when it is one', async () => {
    expect((await post(JSON_BODY, { 'x-request-id': 'trace-0123456789' })).response.headers['x-request-id']).toBe(
      'trace-0123456789',
    );
    for (const odd of ['short', 'a b c d e f g h', '{"level":"fatal"}', 'x'.repeat(65)])
      expect((await post(JSON_BODY, { 'x-request-id': odd })).response.headers['x-request-id']).not.toBe(odd);
  });

  it.each([
    ['a field', '{ serviceInf { name } }'],
    ['a field of an object', '{ serviceInfo { nam } }'],
    ['an argument', '{ users(frist: 1) { totalCount } }'],
    ['a type', 'query($i: LoginInpu!) { serviceInfo { name } }'],
    ['an enum value', '{ users(filter: {status: ACTIV}) { totalCount } }'],
    ['a key of an input', 'mutation { login(input: {identifie: "a", password: "b"}) { __typename } }'],
  ])('suggests nothing for %s that is nearly right', async (_, query) => {
    const { response, status } = await post(JSON.stringify({ query }));
    expect(status).toBe(400);
    expect(response.body).not.toMatch(/did you mean/i);
  });

  it('knows nothing of federation or of a way to any object by its id', async () => {
    for (const field of ['_service { sdl }', '_entities(representations: []) { __typename }', 'node(id: "1") { id }'])
      expect(await post(JSON.stringify({ query: `{ ${field} }` })), field).toMatchObject({ status: 400 });
  });

  it('is the code of the table for each refusal of a caller, and never a failure of ours', async () => {
    const answers = [
      await h.graphql('{ me { id } }'),
      await h.graphql('{ adminMe { id } }', { token: (await h.person()).token }),
    ];
    expect(answers.map(({ status, code }) => [status, code])).toEqual([
      [401, 'UNAUTHENTICATED'],
      [403, 'FORBIDDEN'],
    ]);
  });
});

it.each([
  ['a role', '{ username: "a", email: "a@example.com", password: "b", role: "ADMIN" }'],
  ['a proof of the address', '{ username: "a", email: "a@example.com", password: "b", emailVerified: true }'],
  ['a plan', '{ username: "a", email: "a@example.com", password: "b", planCode: "pro" }'],
])('an input takes the fields it has, and no other: %s is refused', async (_, input) => {
  const answer = await h.graphql(`mutation { register(input: ${input}) { user { id } } }`);
  expect([answer.status, answer.data]).toEqual([400, undefined]);
});

it('an order is one of those that there are, not a column or SQL', async () => {
  const { token } = await h.admin(['users:read']);
  for (const order of ['"password_hash"', 'PASSWORD_HASH', '"id; drop table users"'])
    expect((await h.graphql(`{ users(sort: ${order}) { totalCount } }`, { token })).status, order).toBe(400);
});

it('of many errors five are told', async () => {
  const fields = Array.from({ length: 9 }, (_, n) => `nobody${n}`).join(' ');
  expect((await h.graphql(`{ ${fields} }`)).errors).toHaveLength(5);
});

describe('pages of other sites', () => {
  const preflight = (origin: string) =>
    send({ method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });

  it('are let in by their whole origin, and by nothing like it', async () => {
    const ours = await preflight(APP);
    expect(ours.response.headers['access-control-allow-origin']).toBe(APP);
    expect(ours.response.headers.vary).toMatch(/Origin/i);
    for (const origin of [
      'null',
      'http://app.example.com',
      'https://app.example.com.evil.example',
      'https://evil-app.example.com',
      'https://app.example.com:8443',
      'https://APP.example.com',
      '*',
    ]) {
      const { response } = await preflight(origin);
      expect(response.headers['access-control-allow-origin'], origin).toBeUndefined();
    }
    const read = await post(JSON_BODY, { origin: 'https://evil.example' });
    expect(read.response.headers['access-control-allow-origin']).toBeUndefined();
    expect(read.response.headers['access-control-allow-credentials']).toBeUndefined();
  });
});

it('links in letters lead to the address that is set, whatever host a request names', async () => {
  const username = uniqueName('hosted');
  const email = `${username}@example.com`;
  await h.graphql('mutation($input: RegisterInput!) { register(input: $input) { user { id } } }', {
    variables: { input: { username, email, password: PASSWORD } },
    headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' },
  });
  const [letter] = await h.letters(email);
  expect(letter?.text).toContain('https://id.example.com/');
  expect(`${letter?.text}${letter?.html}`).not.toContain('evil.example');
});
