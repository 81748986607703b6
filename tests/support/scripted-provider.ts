import { createHash, createSecretKey, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';

export const CLIENT = { clientId: 'credence-tests', clientSecret: 'the secret of credence-tests' } as const;

export interface Subject {
  sub: string;
  email?: unknown;
  email_verified?: unknown;
  name?: string;
  preferred_username?: string;
}

/** How the ID token differs from what an honest provider would sign. */
export interface Twist {
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
  signedBy?: 'the provider' | 'another key' | 'the client secret' | 'nobody';
}

type Path = 'discovery' | 'keys' | 'token' | 'userinfo';

export interface ScriptedProvider {
  readonly issuer: string;
  /** Somebody agreed at the provider: what the browser brings back. */
  comeBack(authorizationUrl: string, subject: Subject, twist?: Twist): { code: string; state: string; issuer: string };
  /** Answers of one kind are replaced, until it is given undefined. */
  replace(path: Path, answer: ((response: ServerResponse) => void) | undefined): void;
  /** The old key is published no more. */
  rotateKeys(): Promise<void>;
  /** How often each was asked for. */
  readonly asked: Record<Path, number>;
  close(): Promise<void>;
}

interface Grant {
  subject: Subject;
  twist: Twist;
  nonce: string;
  challenge: string;
  redirectUri: string;
}

async function makeKey(kid: string) {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' };
  return { kid, privateKey, jwk };
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return new URLSearchParams(text);
}

function send(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/**
 * An OpenID provider whose every answer a test can bend: honest unless told otherwise. It checks what an honest one
 * checks of us: client, code (once), redirect URI and PKCE verifier.
 */
export async function startScriptedProvider(): Promise<ScriptedProvider> {
  const grants = new Map<string, Grant>();
  const replaced = new Map<Path, (response: ServerResponse) => void>();
  const asked: Record<Path, number> = { discovery: 0, keys: 0, token: 0, userinfo: 0 };
  const bearers = new Map<string, Subject>();
  let key = await makeKey('first');
  const stranger = await makeKey('first');
  let issuer = '';

  async function sign({ subject, twist, nonce }: Grant): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: issuer, aud: CLIENT.clientId, iat: now, exp: now + 300, nonce, ...subject, ...twist.claims };
    const header = { alg: 'RS256', kid: key.kid, ...twist.header };
    const payload = Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
    const by: Record<string, CryptoKey | ReturnType<typeof createSecretKey>> = {
      'the provider': key.privateKey,
      'another key': stranger.privateKey,
      'the client secret': createSecretKey(Buffer.from(CLIENT.clientSecret.padEnd(32, '.'))),
    };
    const signer = by[twist.signedBy ?? 'the provider'];
    if (signer) return new SignJWT(payload).setProtectedHeader(header).sign(signer);
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    return `${encode({ ...header, alg: 'none' })}.${encode(payload)}.`;
  }

  async function answerToken(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = await readForm(request);
    const grant = grants.get(form.get('code') ?? '');
    grants.delete(form.get('code') ?? '');
    const verifier = form.get('code_verifier') ?? '';
    const isClient = form.get('client_id') === CLIENT.clientId && form.get('client_secret') === CLIENT.clientSecret;
    const isRight =
      isClient &&
      grant?.redirectUri === form.get('redirect_uri') &&
      createHash('sha256').update(verifier).digest('base64url') === grant?.challenge;
    if (!grant || !isRight) return send(response, { error: 'invalid_grant' }, 400);
    const access = randomBytes(16).toString('hex');
    bearers.set(access, grant.subject);
    send(response, { access_token: access, token_type: 'Bearer', expires_in: 300, id_token: await sign(grant) });
  }

  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', issuer).pathname;
    const kind = ({ '/keys': 'keys', '/token': 'token', '/userinfo': 'userinfo' } as const)[path] ?? 'discovery';
    asked[kind] += 1;
    const other = replaced.get(kind);
    if (other) return other(response);
    if (kind === 'keys') return send(response, { keys: [key.jwk] });
    if (kind === 'token') return void answerToken(request, response);
    if (kind === 'userinfo') return send(response, bearers.get((request.headers.authorization ?? '').slice(7)) ?? {});
    send(response, {
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/keys`,
      userinfo_endpoint: `${issuer}/userinfo`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256', 'HS256', 'none'],
      token_endpoint_auth_methods_supported: ['client_secret_post'],
      authorization_response_iss_parameter_supported: true,
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    issuer,
    asked,
    comeBack(authorizationUrl, subject, twist = {}) {
      const { searchParams } = new URL(authorizationUrl);
      const asks = (name: string) => searchParams.get(name) ?? '';
      if (asks('code_challenge_method') !== 'S256' || asks('response_type') !== 'code' || !asks('nonce'))
        throw new Error(`Not a request that this provider takes: ${authorizationUrl}`);
      const code = randomBytes(16).toString('hex');
      const redirectUri = asks('redirect_uri');
      grants.set(code, { subject, twist, nonce: asks('nonce'), challenge: asks('code_challenge'), redirectUri });
      return { code, state: asks('state'), issuer };
    },
    replace(path, answer) {
      if (answer) replaced.set(path, answer);
      else replaced.delete(path);
    },
    async rotateKeys() {
      key = await makeKey(randomBytes(4).toString('hex'));
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
