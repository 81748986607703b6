import { once } from 'node:events';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ask, createPlace, spawnCredence, startCredence } from '../support/process.js';

const places: Awaited<ReturnType<typeof createPlace>>[] = [];
async function place(options: { empty?: boolean } = {}) {
  const made = await createPlace(options);
  places.push(made);
  return made;
}
afterEach(async () => {
  for (const made of places.splice(0)) await made.dispose();
});

const shown = (output: string, name: string) => new RegExp(`${name} +(\\S+)`).exec(output)?.[1];

const PASSWORD = 'violet tractor sings 77 at dusk';

/** A request on a connection of its own: when all of it is on its way, and the status of its answer. */
function post(url: string, body: object): { flushed: Promise<void>; answer: Promise<number | undefined> } {
  const asked = request(url, { method: 'POST', agent: false, headers: { 'content-type': 'application/json' } });
  const flushed = once(asked, 'finish').then(() => undefined);
  const answer = new Promise<number | undefined>((resolve, reject) => {
    asked.on('error', reject).on('response', (response) => {
      response
        .on('error', reject)
        .on('end', () => resolve(response.statusCode))
        .resume();
    });
  });
  asked.end(JSON.stringify(body));
  return { flushed, answer };
}

describe('a whole server', () => {
  it('starts with nothing configured, prints its first credentials once, and finds everything again', async () => {
    const { env, dataDir } = await place({ empty: true });
    const first = await startCredence(env);
    const password = shown(first.output(), 'Password');
    const key = shown(first.output(), 'Service key');
    expect(password?.length).toBeGreaterThan(15);
    expect(key).toMatch(/^crd_svc_/);
    const input = { username: 'ada', email: 'ada@example.com', password: 'violet tractor sings 77 at dusk' };
    const registered = await ask(first.url, {
      query: `mutation($input: RegisterInput!) { register(input: $input) { accessToken user { id } } }`,
      variables: { input },
    });
    expect(statSync(join(dataDir, 'encryption.key')).mode & 0o077).toBe(0);
    expect(statSync(join(dataDir, 'first-credentials.json')).mode & 0o077).toBe(0);
    expect(await first.end('SIGTERM')).toBe(0);

    const second = await startCredence(env);
    expect(second.output()).not.toContain('Password');
    expect(second.output()).not.toContain('Service key');
    const validated = await ask(second.url, {
      query: `query($token: String!) { validateToken(token: $token) { valid code user { username } } }`,
      variables: { token: registered.data.register.accessToken },
      headers: { 'x-api-key': key ?? '' },
    });
    expect(validated.data.validateToken).toEqual({ valid: true, code: 'VALID', user: { username: 'ada' } });
    const signedIn = await ask(second.url, {
      query: `mutation($input: AdminLoginInput!) { adminLogin(input: $input) { __typename } }`,
      variables: { input: { identifier: 'admin', password } },
    });
    expect(signedIn.data.adminLogin.__typename).toBe('AdminAuthPayload');
    expect(await second.end('SIGTERM')).toBe(0);
  }, 300_000);

  it('says every complaint about its configuration and ends', async () => {
    const { env } = await place();
    const { child, output } = spawnCredence({ ...env, PORT: 'x', JWT_ALGORITHM: 'none', NODE_ENV: 'staging' });
    const code = await new Promise((ended) => child.once('exit', ended));
    expect(code).toBe(2);
    for (const name of ['PORT', 'JWT_ALGORITHM', 'NODE_ENV']) expect(output()).toContain(name);
    expect(output()).not.toContain('    at ');
  }, 300_000);

  it('tells of an unexpected error where the log has it, and the error itself only to who asks', async () => {
    const { env, dataDir } = await place();
    mkdirSync(join(dataDir, 'encryption.key'));
    const ended = async (level: string) => {
      const { child, output } = spawnCredence({ ...env, LOG_LEVEL: level });
      expect(await new Promise((done) => child.once('close', done))).toBe(1);
      return output();
    };
    const output = await ended('info');
    const id = /stands in the log under ([\w-]{36})\./.exec(output)?.[1] ?? 'none';
    const line = JSON.parse(output.split('\n').find((text) => text.startsWith('{')) ?? '{}');
    expect(line).toMatchObject({ level: 'fatal', requestId: id, err: { code: 'EISDIR' } });
    expect(output.replaceAll('\\n', '')).not.toMatch(/^ +at /m);
    expect(output).not.toContain('illegal operation');
    expect(await ended('debug')).toMatch(/illegal operation[\s\S]*\n {4}at /);
  }, 300_000);

  it('keeps no first credentials in production, and serves neither playground nor mailbox', async () => {
    const { env, dataDir } = await place();
    const server = await startCredence({
      ...env,
      NODE_ENV: 'production',
      PUBLIC_URL: 'https://id.example.com',
      ENCRYPTION_KEY: '6bq0pXwWb2p3XoZ0kTgV3b0rJt9WmKq1sN8yLhCfUeA=',
      SMTP_URL: 'smtp://127.0.0.1:1',
      MAIL_FROM: 'Example <no-reply@example.com>',
    });
    expect(existsSync(join(dataDir, 'first-credentials.json'))).toBe(false);
    for (const path of ['/playground', '/dev/mailbox', '/dev/mailbox.json'])
      expect((await fetch(server.url + path)).status).toBe(404);
    expect((await ask(server.url, { query: '{ __schema { types { name } } }' })).code).toBe(
      'GRAPHQL_VALIDATION_FAILED',
    );
    const response = await fetch(`${server.url}/health/live`);
    expect(response.headers.get('strict-transport-security')).toContain('max-age=31536000');
    expect(response.headers.get('server')).toBeNull();
    expect(await server.end('SIGTERM')).toBe(0);
  }, 300_000);

  it('refuses a second process on one embedded database with a sentence', async () => {
    const { env } = await place();
    const first = await startCredence(env);
    const { child, output } = spawnCredence(env);
    expect(await new Promise((ended) => child.once('exit', ended))).toBe(1);
    expect(output()).toMatch(/open|use|process/i);
    expect(output()).not.toContain('    at ');
    await first.end('SIGTERM');
  }, 300_000);

  it('finishes what runs when it is told to stop', async () => {
    const { env } = await place();
    const server = await startCredence(env);
    const sent: Promise<void>[] = [];
    const answers = Array.from({ length: 20 }, (_, n) => {
      const input = { username: `late${n}`, email: `late${n}@example.com`, password: PASSWORD };
      const query = 'mutation($input: RegisterInput!) { register(input: $input) { user { id } } }';
      const { flushed, answer } = post(`${server.url}/graphql`, { query, variables: { input } });
      sent.push(flushed);
      return answer;
    });
    // Connections are accepted in turn: whoever answers this one has taken the twenty, whose hashes are still made.
    await Promise.all(sent);
    await fetch(`${server.url}/health/live`);
    const ended = server.end('SIGTERM');
    const settled = await Promise.allSettled(answers);
    expect(await ended).toBe(0);
    expect(settled.map((answer) => (answer.status === 'fulfilled' ? answer.value : answer.reason))).toEqual(
      Array.from({ length: 20 }, () => 200),
    );
  }, 300_000);
});
