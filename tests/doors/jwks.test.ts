import { createLocalJWKSet, jwtVerify } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHarness, type Harness } from '../support/harness.js';

let harness: Harness;
beforeAll(async () => {
  harness = await createHarness();
});
afterAll(() => harness.close());

test('a service can verify an access token with nothing but the published keys and the issuer', async () => {
  const { token, id } = await harness.person();
  const discovery = (await harness.fastify.inject('/.well-known/openid-configuration')).json();
  expect(discovery.jwks_uri).toBe(`${discovery.issuer}/.well-known/jwks.json`);
  const keys = (await harness.fastify.inject(new URL(discovery.jwks_uri).pathname)).json();
  const { payload } = await jwtVerify(token, createLocalJWKSet(keys), {
    issuer: discovery.issuer,
    algorithms: discovery.id_token_signing_alg_values_supported,
    typ: 'at+jwt',
  });
  expect(payload.sub).toBe(id);
});

test('the key set is cacheable JSON', async () => {
  const answer = await harness.fastify.inject('/.well-known/jwks.json');
  expect(answer.statusCode).toBe(200);
  expect(answer.headers['cache-control']).toBe('public, max-age=300');
  expect(answer.headers['content-type']).toContain('application/jwk-set+json');
  expect(answer.json().keys.length).toBeGreaterThan(0);
});

test('no private member is published, even if a key set held one by mistake', async () => {
  const leaky = {
    kty: 'OKP',
    crv: 'Ed25519',
    x: 'AA',
    kid: 'k',
    d: 'secret',
    k: 'secret',
    p: 'secret',
    q: 'secret',
    qi: 'secret',
    oth: [{ r: 'secret' }],
  };
  const tokens = harness.app.tokens;
  const careless = await createHarness({
    overrides: { tokens: { ...tokens, publicJwks: () => ({ keys: [leaky as never] }) } },
  });
  const answer = await careless.fastify.inject('/.well-known/jwks.json');
  await careless.close();
  expect(answer.json()).toEqual({ keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'AA', kid: 'k' }] });
});

test('with a shared secret (HS256) nothing is published', async () => {
  const shared = await createHarness({ config: { tokens: { algorithm: 'HS256' } } });
  const answers = await Promise.all([
    shared.fastify.inject('/.well-known/jwks.json'),
    shared.fastify.inject('/.well-known/openid-configuration'),
  ]);
  await shared.close();
  expect(answers[0].json()).toEqual({ keys: [] });
  expect(answers[1].json().id_token_signing_alg_values_supported).toEqual(['HS256']);
});

test('the discovery document names no endpoint that does not exist', async () => {
  const discovery = (await harness.fastify.inject('/.well-known/openid-configuration')).json();
  const endpoints = Object.keys(discovery).filter((name) => /_(endpoint|uri)$/.test(name));
  expect(endpoints).toEqual(['jwks_uri']);
  expect(discovery.issuer).toBe(harness.app.config.server.publicUrl);
});
