import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signingKeys } from '../../src/modules/auth/auth.table.js';
import { createHarness, type Harness, type Person } from '../support/harness.js';
import { isSignedIn, MINUTE } from './operations.js';

let h: Harness;
let person: Person;

beforeAll(async () => {
  h = await createHarness();
  h.clock.freeze();
  person = await h.person();
});
afterAll(() => h.close());

type Json = Record<string, unknown>;

const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const parts = (token: string) => token.split('.') as [string, string, string];
const decode = (part: string): Json => JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));

/** The server's own key, so that everything but the thing under test is right. */
async function ownKey(): Promise<{ kid: string; privateJwk: Json; publicJwk: Json }> {
  const [row] = await h.app.db.select().from(signingKeys).where(eq(signingKeys.state, 'CURRENT'));
  if (!row) throw new Error('no signing key');
  const privateJwk = JSON.parse(h.app.secrets.decrypt('signing-key', row.sealedPrivateJwk, row.kid));
  return { kid: row.kid, privateJwk, publicJwk: JSON.parse(row.publicJwk) };
}

/** A token signed with the server's own key; header and payload are those of a good one but for the changes. */
async function forge(changes: {
  header?: Json;
  payload?: Json;
  without?: string[];
  rawPayload?: string;
}): Promise<string> {
  const [header, payload] = parts(person.token).map((part, index) => (index < 2 ? decode(part) : {})) as [
    Json,
    Json,
    Json,
  ];
  const { privateJwk } = await ownKey();
  const claims: Json = { ...payload, ...changes.payload };
  for (const name of changes.without ?? []) delete claims[name];
  const text = `${encode({ ...header, ...changes.header })}.${encode(changes.rawPayload ?? claims)}`;
  const key = createPrivateKey({ key: privateJwk as never, format: 'jwk' });
  return `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`;
}

async function expectRefused(tokens: Record<string, string>, code = 'TOKEN_INVALID'): Promise<void> {
  for (const [name, token] of Object.entries(tokens)) {
    const answer = await h.graphql('{ me { id } }', { token });
    expect([answer.status, answer.code], name).toEqual([401, code]);
  }
}

describe('an access token', () => {
  it('is accepted when nothing is changed, so that the refusals below mean something', async () => {
    expect(await isSignedIn(h, await forge({}))).toBe(true);
  });

  it('says what the contract lists, and no more', () => {
    const [header, payload] = parts(person.token);
    expect(decode(header)).toEqual({ alg: 'EdDSA', kid: expect.any(String), typ: 'at+jwt' });
    expect(decode(payload)).toEqual({
      iss: h.app.config.server.publicUrl,
      aud: h.app.config.server.publicUrl,
      sub: person.id,
      sid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      jti: expect.any(String),
      iat: expect.any(Number),
      exp: expect.any(Number),
      kind: 'user',
      username: person.username,
    });
  });

  it('is refused without a signature, whatever the algorithm is called', async () => {
    const [, payload, signature] = parts(person.token);
    const tokens: Record<string, string> = {};
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '', null, undefined]) {
      tokens[`${alg} unsigned`] = `${encode({ alg, typ: 'at+jwt', kid: (await ownKey()).kid })}.${payload}.`;
      tokens[`${alg} signed`] = `${encode({ alg, typ: 'at+jwt', kid: (await ownKey()).kid })}.${payload}.${signature}`;
    }
    await expectRefused(tokens);
  });

  it('is refused when signed with the public key as a shared secret', async () => {
    const { kid, publicJwk } = await ownKey();
    const pem = createPublicKey({ key: publicJwk as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
    const secrets = {
      pem: String(pem),
      x: Buffer.from(String(publicJwk.x), 'base64url'),
      json: JSON.stringify(publicJwk),
      empty: '',
    };
    const tokens: Record<string, string> = {};
    for (const alg of ['HS256', 'HS384', 'HS512']) {
      for (const [name, secret] of Object.entries(secrets)) {
        const text = `${encode({ alg, typ: 'at+jwt', kid })}.${parts(person.token)[1]}`;
        tokens[`${alg} ${name}`] = `${text}.${createHmac(`sha${alg.slice(2)}`, secret)
          .update(text)
          .digest('base64url')}`;
      }
    }
    await expectRefused(tokens);
  });

  it('is refused when another key signed it, though the header brings that key along', async () => {
    const other = generateKeyPairSync('ed25519');
    const jwk = other.publicKey.export({ format: 'jwk' });
    const { kid } = await ownKey();
    const tokens: Record<string, string> = {};
    const headers: Record<string, Json> = {
      plain: { kid },
      jwk: { kid, jwk },
      jku: { kid, jku: 'https://evil.example/keys' },
      x5u: { kid, x5u: 'https://evil.example/cert' },
      'foreign kid': { kid: 'mine' },
    };
    for (const [name, header] of Object.entries(headers)) {
      const text = `${encode({ alg: 'EdDSA', typ: 'at+jwt', ...header })}.${parts(person.token)[1]}`;
      tokens[name] = `${text}.${sign(null, Buffer.from(text), other.privateKey).toString('base64url')}`;
    }
    await expectRefused(tokens);
  });

  it('is refused with a header member that we do not write, even signed by us', async () => {
    const members: Json[] = [
      { jku: 'https://evil.example/keys' },
      { x5u: 'https://evil.example/cert' },
      { x5c: ['AA'] },
      { jwk: {} },
      { crit: ['exp'] },
      { b64: false, crit: ['b64'] },
      { zip: 'DEF' },
      { cty: 'JWT' },
      { anything: 1 },
    ];
    const tokens: Record<string, string> = {};
    for (const header of members) tokens[Object.keys(header).join()] = await forge({ header });
    await expectRefused(tokens);
  });

  it('is refused with a wrong kid, type, issuer or audience', async () => {
    await expectRefused({
      'unknown kid': await forge({ header: { kid: 'AAAA' } }),
      'prototype kid': await forge({ header: { kid: '__proto__' } }),
      'sql kid': await forge({ header: { kid: "' or 1=1 --" } }),
      'path kid': await forge({ header: { kid: '../../dev/null' } }),
      'array kid': await forge({ header: { kid: [1] } }),
      'plain typ': await forge({ header: { typ: 'JWT' } }),
      'no typ': await forge({ header: { typ: undefined } }),
      'other alg': await forge({ header: { alg: 'ES256' } }),
      issuer: await forge({ payload: { iss: 'https://evil.example' } }),
      'array issuer': await forge({ payload: { iss: [h.app.config.server.publicUrl] } }),
      audience: await forge({ payload: { aud: 'https://evil.example' } }),
      'no audience': await forge({ without: ['aud'] }),
      'no issuer': await forge({ without: ['iss'] }),
    });
  });

  it('is refused when a claim is missing or of another shape', async () => {
    const tokens: Record<string, string> = {};
    for (const name of ['exp', 'iat', 'sub', 'sid', 'jti', 'kind'])
      tokens[`no ${name}`] = await forge({ without: [name] });
    const second = Math.floor(h.clock.now().getTime() / 1000);
    const shapes: Json[] = [
      { sub: [person.id] },
      { sub: { id: person.id } },
      { sub: 'x' },
      { sub: '' },
      { sid: 1 },
      { sid: person.id.toUpperCase() },
      { kind: 'root' },
      { kind: ['user'] },
      { exp: String(second + 60) },
      { exp: second + 60.5 },
      { exp: second + 10 ** 9 },
      { exp: Number.MAX_SAFE_INTEGER },
      { iat: second + 3600, exp: second + 3700 },
      { nbf: second + 3600 },
      { iat: 'now' },
    ];
    for (const payload of shapes) tokens[JSON.stringify(payload)] = await forge({ payload });
    for (const rawPayload of ['null', '[]', '"text"', '7', '{', ''])
      tokens[`payload ${rawPayload}`] = await forge({ rawPayload });
    await expectRefused(tokens);
  });

  it('is refused for another account or another kind than the session it names', async () => {
    const stranger = await h.person();
    const admin = await h.admin(['users:read']);
    await expectRefused({
      stranger: await forge({ payload: { sub: stranger.id } }),
      'as admin': await forge({ payload: { kind: 'admin' } }),
      'admin’s session': await forge({ payload: { sid: decode(parts(admin.token)[1]).sid } }),
    });
    await expectRefused({ 'no such session': await forge({ payload: { sid: person.id } }) }, 'UNAUTHENTICATED');
  });

  it('has one way to be written', async () => {
    const [header, payload, signature] = parts(person.token);
    const last = signature.at(-1) ?? '';
    // 64 bytes leave four bits of the last character unused: a decoder that ignores them takes other texts, too.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const twin = alphabet[alphabet.indexOf(last) ^ 1] ?? '';
    await expectRefused({
      twin: `${header}.${payload}.${signature.slice(0, -1)}${twin}`,
      padded: `${header}.${payload}.${signature}==`,
      'plain base64': `${header}.${payload}.${Buffer.from(signature, 'base64url').toString('base64')}`,
      'four parts': `${person.token}.x`,
      'two parts': `${header}.${payload}`,
      'no payload': `${header}..${signature}`,
      'not JSON': `${encode('{')}.${payload}.${signature}`,
      'not base64': `%%.${payload}.${signature}`,
      'header of bytes': `${Buffer.from([0xff, 0xfe]).toString('base64url')}.${payload}.${signature}`,
      'JSON null': `${encode('null')}.${payload}.${signature}`,
      huge: `${header}.${'A'.repeat(4000)}.${signature}`,
      dots: '...',
      word: 'hello',
    });
  });

  it('is refused when something else is sent in its place', async () => {
    const { key } = await h.service(['users:read']);
    await expectRefused({ 'refresh token': person.refreshToken, 'service key': key }, 'UNAUTHENTICATED');
  });

  it('never fails on a malformed header', async () => {
    const headers = [
      'Bearer',
      'Bearer ',
      'Basic YTpi',
      'bearer',
      `Bearer ${'x'.repeat(9000)}`,
      'Bearer a b',
      ', ,',
      '=',
      'Bearer\tx',
    ];
    for (const authorization of headers) {
      const answer = await h.graphql('{ me { id } }', { headers: { authorization } });
      expect([answer.status, answer.code], authorization.slice(0, 20)).toEqual([401, 'TOKEN_INVALID']);
    }
    // And public fields go on working beside it.
    expect(
      (await h.graphql('{ serviceInfo { name } }', { headers: { authorization: 'Basic YTpi' } })).errors,
    ).toBeUndefined();
  });

  it('ends after ten minutes and half a minute of leeway, also when it was used before', async () => {
    const { token } = await h.person();
    expect(await isSignedIn(h, token)).toBe(true);
    h.clock.advance(10 * MINUTE);
    expect(await isSignedIn(h, token)).toBe(true);
    h.clock.advance(31_000);
    await expectRefused({ expired: token }, 'TOKEN_EXPIRED');
  });
});

describe('the other algorithms', () => {
  it.each(['ES256', 'RS256', 'HS256'] as const)(
    '%s signs people in, and refuses a token of the wrong kind',
    async (algorithm) => {
      const other = await createHarness({ config: { tokens: { algorithm } } });
      try {
        const somebody = await other.person();
        const [header, payload, signature] = parts(somebody.token);
        expect(decode(header).alg).toBe(algorithm);
        expect((await other.graphql('{ me { id } }', { token: somebody.token })).errors).toBeUndefined();
        const none = `${encode({ ...decode(header), alg: 'none' })}.${payload}.`;
        const swapped = `${encode({ ...decode(header), alg: algorithm === 'HS256' ? 'RS256' : 'HS256' })}.${payload}.${signature}`;
        for (const token of [none, swapped, person.token]) {
          expect((await other.graphql('{ me { id } }', { token })).code).toBe('TOKEN_INVALID');
        }
      } finally {
        await other.close();
      }
    },
  );
});
