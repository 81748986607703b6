// What every middleware decides, over a real Credence; that each framework says it alike is in examples.postgres.test.ts.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BearerRequest, decide, type MiddlewareOptions } from '../../src/client/bearer.js';
import type { CredenceClient } from '../../src/client/client.js';
import { type ClientWorld, createClientWorld } from './support.js';

let world: ClientWorld;
let client: CredenceClient;
let tokens: Record<'person' | 'unverified' | 'staff' | 'admin' | 'looking', string>;
beforeAll(async () => {
  world = await createClientWorld({ scopes: ['tokens:validate'] });
  client = world.client({ localVerification: true });
  const person = await world.h.person();
  const admin = await world.h.admin(['users:impersonate']);
  const impersonate = `mutation($input: ImpersonateUserInput!) { impersonateUser(input: $input) { accessToken } }`;
  const input = { userId: person.id, reason: 'a ticket', readOnly: true };
  const { data } = await world.h.graphql(impersonate, { token: admin.token, variables: { input } });
  tokens = {
    person: person.token,
    unverified: (await world.h.person({ verified: false })).token,
    staff: (await world.h.staff(1)).token,
    admin: admin.token,
    looking: data.impersonateUser.accessToken,
  };
});
afterAll(() => world.close());

const bearer = (token: string) => `Bearer ${token}`;

/** The kind of who is let in (null for a stranger), or status and code. */
async function outcome(request: Partial<BearerRequest>, rules: MiddlewareOptions = {}) {
  const full = { authorization: undefined, method: 'GET', ip: '127.0.0.1', ...request };
  const decision = await decide(client, { request: full, rules });
  if ('viewer' in decision) return decision.viewer?.kind ?? null;
  return `${decision.refusal.status} ${decision.refusal.body.error.code}`;
}

async function challengeOf(authorization: string | undefined, rules: MiddlewareOptions = {}): Promise<string> {
  const request = { authorization, method: 'GET', ip: undefined };
  const decision = await decide(client, { request, rules });
  return 'refusal' in decision ? (decision.refusal.headers['www-authenticate'] ?? '') : 'let in';
}

describe('the Authorization header', () => {
  it('is read by RFC 6750: one scheme in any case, one token, nothing else', async () => {
    const { person } = tokens;
    for (const good of [`Bearer ${person}`, `bearer ${person}`, `BEARER   ${person}`])
      expect(await outcome({ authorization: good }), good).toBe('USER');
    for (const other of [undefined, '', 'Basic YTpi', person, `Token ${person}`, 'Bearerx y'])
      expect(await outcome({ authorization: other }), other).toBe('401 UNAUTHENTICATED');
    for (const amiss of ['Bearer', 'Bearer ', `Bearer ${person} x`, `Bearer ${person}, Bearer ${person}`, 'Bearer ü'])
      expect(await outcome({ authorization: amiss }), amiss).toBe('400 BAD_REQUEST');
  });

  it('that will not do is answered with the challenge of RFC 6750', async () => {
    expect(await challengeOf(undefined)).toBe('Bearer realm="credence"');
    expect(await challengeOf('Bearer ')).toMatch(/^Bearer realm="credence", error="invalid_request"/);
    expect(await challengeOf(bearer('a.b.c'))).toMatch(/^Bearer realm="credence", error="invalid_token"/);
  });
});

describe('who is let in', () => {
  it('a stranger where nobody has to be signed in; a bad token not even there', async () => {
    expect(await outcome({}, { required: false })).toBeNull();
    expect(await outcome({ authorization: 'Basic YTpi' }, { required: false })).toBeNull();
    expect(await outcome({ authorization: bearer('a.b.c') }, { required: false })).toBe('401 TOKEN_INVALID');
  });

  it('operators only where they are named', async () => {
    for (const name of ['staff', 'admin'] as const)
      expect(await outcome({ authorization: bearer(tokens[name]) })).toBe('403 FORBIDDEN');
    expect(await outcome({ authorization: bearer(tokens.staff) }, { kinds: ['STAFF'] })).toBe('STAFF');
    expect(await outcome({ authorization: bearer(tokens.person) }, { kinds: ['STAFF'] })).toBe('403 FORBIDDEN');
  });

  it('whose address is verified, where it has to be, though the token alone does not say', async () => {
    const authorization = bearer(tokens.unverified);
    expect(await outcome({ authorization })).toBe('USER');
    expect(await outcome({ authorization }, { verified: true })).toBe('403 EMAIL_NOT_VERIFIED');
    expect(await outcome({ authorization: bearer(tokens.person) }, { verified: true })).toBe('USER');
  });

  it('an admin who may only look, for methods that only look', async () => {
    const authorization = bearer(tokens.looking);
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'get'])
      expect(await outcome({ authorization, method }), method).toBe('USER');
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'QUERY'])
      expect(await outcome({ authorization, method }), method).toBe('403 FORBIDDEN');
  });

  it('an API key that holds the scopes; one that does not is told which', async () => {
    const create = `mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { key } }`;
    const variables = { input: { name: 'k', scopes: ['chat:read'] } };
    const { data } = await world.h.graphql(create, { token: tokens.person, variables });
    const authorization = bearer(data.createApiKey.key);
    expect(await outcome({ authorization }, { scopes: ['chat:read'] })).toBe('API_KEY');
    expect(await outcome({ authorization }, { scopes: ['chat:write'] })).toBe('403 INSUFFICIENT_SCOPE');
    expect(await challengeOf(authorization, { scopes: ['chat:write'] })).toMatch(
      /error="insufficient_scope".*scope="chat:write"$/,
    );
  });
});

describe('when Credence cannot be asked', () => {
  it('the caller learns when to come back and nothing else, and the service learns all', async () => {
    const { key } = await world.h.service(['credits:read']);
    const narrow = world.client({ serviceKey: key });
    const errors: unknown[] = [];
    const request = { authorization: bearer(tokens.person), method: 'GET', ip: undefined };
    const decision = await decide(narrow, { request, rules: { onError: (error) => errors.push(error) } });
    expect(decision).toEqual({
      refusal: {
        status: 503,
        headers: { 'retry-after': '2' },
        body: { error: { code: 'UNAVAILABLE', message: expect.any(String) } },
      },
    });
    expect(errors).toMatchObject([{ code: 'FORBIDDEN' }]);
    expect(JSON.stringify(decision)).not.toMatch(/FORBIDDEN|scope/);
  });
});
