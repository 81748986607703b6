import { createHmac, createPrivateKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { eq } from 'drizzle-orm';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CredenceClient, TokenAnswer } from '../../src/client/client.js';
import { signingKeys } from '../../src/modules/auth/auth.table.js';
import type { Person } from '../support/harness.js';
import { type ClientWorld, createClientWorld } from './support.js';

let world: ClientWorld;
let person: Person;
let client: CredenceClient;
const MINUTE = 60_000;
beforeAll(async () => {
  world = await createClientWorld({ scopes: ['tokens:validate'] });
});
afterAll(() => world.close());
beforeEach(async () => {
  person = await world.h.person();
  client = world.client({ localVerification: true, maxStalenessMs: MINUTE });
  world.proxy.seen();
});
afterEach(() => vi.useRealTimers());

type Json = Record<string, unknown>;
const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const decode = (part = ''): Json => JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
const says = (answer: TokenAnswer) => (answer.valid ? 'VALID' : answer.code);
const asked = () => world.proxy.seen().map(({ path }) => path);
const keySetOnly = (paths: string[]) => paths.every((path) => path.startsWith('/.well-known/'));

/** The server's own key, so that everything but the thing under test is right. */
async function ownKey() {
  const [row] = await world.h.app.db.select().from(signingKeys).where(eq(signingKeys.state, 'CURRENT'));
  if (!row) throw new Error('no signing key');
  const { secrets } = world.h.app;
  const privateJwk = JSON.parse(secrets.decrypt('signing-key', row.sealedPrivateJwk, row.kid)) as Json;
  return { kid: row.kid, privateJwk, publicJwk: JSON.parse(row.publicJwk) as Json };
}

/** A token signed with the server's own key; header and payload are those of a good one but for the changes. */
async function forge(changes: { header?: Json; payload?: Json; without?: string[] }): Promise<string> {
  const [header, payload] = person.token.split('.');
  const claims: Json = { ...decode(payload), ...changes.payload };
  for (const name of changes.without ?? []) delete claims[name];
  const text = `${encode({ ...decode(header), ...changes.header })}.${encode(claims)}`;
  const key = createPrivateKey({ key: (await ownKey()).privateJwk as never, format: 'jwk' });
  return `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`;
}

describe('local verification', () => {
  it('takes a fresh sign-in without asking for more than the key set, and knows no more than the token says', async () => {
    const answer = await client.validateToken(person.token);
    expect(answer).toMatchObject({
      valid: true,
      viewer: { kind: 'USER', id: person.id, username: person.username, readOnly: false, profile: null },
    });
    expect(keySetOnly(asked())).toBe(true);
    const other = await world.h.person();
    expect(says(await client.validateToken(other.token))).toBe('VALID');
    expect(asked()).toEqual([]);
  });

  it('asks for a profile where one is wanted', async () => {
    const answer = await client.validateToken(person.token, { profile: true });
    expect(answer.valid && answer.viewer.kind === 'USER' && answer.viewer.profile?.email).toBe(person.email);
  });

  it('believes a token for as long as was promised after it was made, then asks', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'], now: Date.now() });
    const { iat } = decode(person.token.split('.')[1]) as { iat: number };
    await world.h.graphql('mutation { logout { ok } }', { token: person.token });
    vi.setSystemTime(iat * 1_000 + MINUTE - 1);
    const late = await client.validateToken(person.token);
    expect([says(late), late.asOf.getTime()]).toEqual(['VALID', iat * 1_000]);
    vi.advanceTimersByTime(1);
    expect(says(await client.validateToken(person.token))).toBe('REVOKED');
  });

  it('asks at once about whom it was told to forget', async () => {
    const answer = await client.validateToken(person.token);
    await world.h.graphql('mutation { logout { ok } }', { token: person.token });
    expect(says(await client.validateToken(person.token))).toBe('VALID');
    const sessionId = answer.valid ? (answer.viewer.sessionId ?? '') : '';
    client.handleEvent({ type: 'session.revoked', data: { sessionId, userId: person.id } });
    expect(says(await client.validateToken(person.token))).toBe('REVOKED');
  });

  it('leaves to the server what no token says: operators, and admins who act in a person’s name', async () => {
    const admin = await world.h.admin(['users:impersonate']);
    const staff = await world.h.staff(1);
    const impersonate = `mutation($input: ImpersonateUserInput!) { impersonateUser(input: $input) { accessToken } }`;
    const variables = { input: { userId: person.id, reason: 'a ticket', readOnly: true } };
    const { data } = await world.h.graphql(impersonate, { token: admin.token, variables });
    for (const token of [admin.token, staff.token, data.impersonateUser.accessToken]) {
      world.proxy.seen();
      const answer = await client.validateToken(token);
      expect(asked()).toContain('/graphql');
      expect(answer.valid && answer.viewer.readOnly).toBe(token === data.impersonateUser.accessToken);
    }
  });

  it('asks while the key set cannot be had', async () => {
    world.proxy.plan({ status: 404, body: 'not here' });
    expect(says(await client.validateToken(person.token))).toBe('VALID');
    expect(asked()).toEqual(['/.well-known/openid-configuration', '/graphql']);
  });

  it('looks for a key that it does not know once in a while, and asks meanwhile', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'], now: Date.now() });
    await client.validateToken(person.token);
    const strange = await forge({ header: { kid: 'x'.repeat(43) } });
    world.proxy.seen();
    expect(says(await client.validateToken(strange))).toBe('MALFORMED');
    expect(asked()).toEqual(['/graphql']);
    vi.advanceTimersByTime(5_000);
    expect(says(await client.validateToken(`${strange.slice(0, -4)}AAAA`))).toBe('MALFORMED');
    expect(asked()).toContain('/.well-known/jwks.json');
  });
});

describe('local verification refuses, without asking', () => {
  beforeEach(async () => {
    await client.validateToken((await world.h.person()).token);
    world.proxy.seen();
  });

  async function expectRefused(tokens: Record<string, string>, code = 'MALFORMED'): Promise<void> {
    for (const [name, token] of Object.entries(tokens))
      expect(says(await client.validateToken(token)), name).toBe(code);
    expect(asked()).toEqual([]);
  }

  it('nothing of what is right, so that the rest means something', async () => {
    expect(says(await client.validateToken(await forge({})))).toBe('VALID');
  });

  it('other algorithms, none, and a public key used as a secret (T1, T2)', async () => {
    const [, payload = ''] = person.token.split('.');
    const { kid, publicJwk } = await ownKey();
    const hmac = (alg: string, secret: string) => {
      const text = `${encode({ alg, kid, typ: 'at+jwt' })}.${payload}`;
      return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
    };
    await expectRefused({
      none: `${encode({ alg: 'none', kid, typ: 'at+jwt' })}.${payload}.AA`,
      nOnE: `${encode({ alg: 'nOnE', kid, typ: 'at+jwt' })}.${payload}.AA`,
      hs256: hmac('HS256', JSON.stringify(publicJwk)),
      x: hmac('HS256', String(publicJwk.x)),
      es256: await forge({ header: { alg: 'ES256' } }),
      'no signature': `${person.token.split('.').slice(0, 2).join('.')}.`,
    });
  });

  it('a header that names a key or changes the rules, or none that is ours (T3, T4, T5)', async () => {
    const foreign = generateKeyPairSync('ed25519');
    const jwk = foreign.publicKey.export({ format: 'jwk' });
    const signed = (header: Json) => {
      const text = `${encode({ ...decode(person.token.split('.')[0]), ...header })}.${person.token.split('.')[1]}`;
      return `${text}.${sign(null, Buffer.from(text), foreign.privateKey).toString('base64url')}`;
    };
    await expectRefused({
      jwk: signed({ jwk }),
      jku: signed({ jku: 'http://127.0.0.1:1/keys' }),
      x5u: signed({ x5u: 'http://127.0.0.1:1/keys' }),
      crit: await forge({ header: { crit: ['exp'] } }),
      b64: await forge({ header: { b64: false, crit: ['b64'] } }),
      zip: await forge({ header: { zip: 'DEF' } }),
      'another signer': signed({}),
      'kid is an array': await forge({ header: { kid: ['a'] } }),
      'no kid': await forge({ header: { kid: undefined } }),
    });
  });

  it('a time that is over, ahead, absurd or no whole number (T6)', async () => {
    const now = Math.floor(Date.now() / 1_000);
    await expectRefused({ over: await forge({ payload: { iat: now - 700, exp: now - 100 } }) }, 'EXPIRED');
    await expectRefused({
      ahead: await forge({ payload: { iat: now + 100, exp: now + 200 } }),
      absurd: await forge({ payload: { exp: now + 90_000 } }),
      text: await forge({ payload: { exp: String(now + 100) } }),
      fraction: await forge({ payload: { exp: now + 100.5 } }),
      'no exp': await forge({ without: ['exp'] }),
      'no iat': await forge({ without: ['iat'] }),
    });
  });

  it('another issuer, audience, type or subject (T7, T8)', async () => {
    const { publicUrl } = world.h.app.config.server;
    await expectRefused({
      iss: await forge({ payload: { iss: 'https://evil.example' } }),
      'iss array': await forge({ payload: { iss: [publicUrl] } }),
      aud: await forge({ payload: { aud: 'https://evil.example' } }),
      typ: await forge({ header: { typ: 'JWT' } }),
      'sub array': await forge({ payload: { sub: [person.id] } }),
      'sub no id': await forge({ payload: { sub: 'ada' } }),
      'no sid': await forge({ without: ['sid'] }),
      'no jti': await forge({ without: ['jti'] }),
    });
  });

  it('a second way of writing the same token (T9, T10)', async () => {
    const [header = '', payload = '', signature = ''] = person.token.split('.');
    const last = signature.at(-1) ?? '';
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const twin = alphabet[(alphabet.indexOf(last) & ~3) | ((alphabet.indexOf(last) + 1) & 3)];
    await expectRefused({
      'unused bits': `${header}.${payload}.${signature.slice(0, -1)}${twin}`,
      padding: `${header}.${payload}.${signature}==`,
      'one more letter': `${header}.${payload}.${signature}A`,
      'a changed claim': `${header}.${encode({ ...decode(payload), sub: randomUUID() })}.${signature}`,
    });
  });
});

describe('local verification against servers of other settings', () => {
  const published = (body: Json) => ({ status: 200, body: JSON.stringify(body) });

  it.each(['ES256', 'RS256'])('%s works alike', async (alg) => {
    const issuer = 'https://other.example.com';
    const { publicKey, privateKey } = await generateKeyPair(alg);
    const jwk = { ...(await exportJWK(publicKey)), kid: 'k'.repeat(43), alg, use: 'sig' };
    const token = await new SignJWT({ kind: 'user', sid: randomUUID(), username: 'ada' })
      .setProtectedHeader({ alg, kid: jwk.kid, typ: 'at+jwt' })
      .setIssuer(issuer)
      .setAudience(issuer)
      .setSubject(randomUUID())
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime('10 min')
      .sign(privateKey);
    world.proxy.plan(published({ issuer }), published({ keys: [jwk] }));
    expect(says(await client.validateToken(token))).toBe('VALID');
    expect(says(await client.validateToken(`${token.slice(0, -8)}AAAAAAAA`))).toBe('MALFORMED');
    expect(keySetOnly(asked())).toBe(true);
  });

  it('a shared secret is no public key: under HS256 every token is asked about', async () => {
    const { kid } = await ownKey();
    const secret = { kty: 'oct', k: encode('0123456789abcdef0123456789abcdef'), kid, alg: 'HS256', use: 'sig' };
    world.proxy.plan('pass', published({ keys: [secret] }));
    expect(says(await client.validateToken(person.token))).toBe('VALID');
    expect(asked()).toContain('/graphql');
  });

  it('whoever is told the issuer takes no other', async () => {
    const strict = world.client({ localVerification: { issuer: 'https://id.example.com' } });
    expect(says(await strict.validateToken(person.token))).toBe('MALFORMED');
  });
});
