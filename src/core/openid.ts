// The one file that knows openid-client. Everything a provider says is checked here before anybody believes it: issuer,
// audience, authorized party, nonce, times and signature of the ID token (RS256 and no other algorithm), `iss` of the
// answer (RFC 9207). What leaves this file is who somebody is at the provider, and nothing else of the provider's.
import type { CustomFetch, ServerMetadata } from 'openid-client';
import type { Config } from './config.js';
import { AppError } from './errors.js';
import type { Logger } from './logger.js';
import { FetchRefusal, fetchBounded, KeptDocument } from './openid-fetch.js';

/** A way to the provider: what goes with the browser, and what stays here. */
export interface Departure {
  redirectUri: string;
  state: string;
  nonce: string;
  verifier: string;
}

/** What the browser brought back, as it stood in the address. */
export interface Arrival {
  code: string;
  /** RFC 9207. */
  issuer: string | undefined;
}

/** Who somebody is at the provider. */
export interface ProviderIdentity {
  issuer: string;
  /** Never given to anybody else, unlike the address. */
  subject: string;
  email: string | null;
  /** The provider said `true`, the boolean: "true" in words is not enough (O5). */
  emailVerified: boolean;
  name: string | null;
  preferredUsername: string | null;
  locale: string | null;
}

export interface OpenId {
  /** @throws UPSTREAM_FAILED when the provider cannot be read */
  authorizationUrl(departure: Departure): Promise<string>;
  /**
   * Exchanges the code, once, and checks all that comes back.
   *
   * @throws TOKEN_INVALID for a code the provider does not take, and for an answer that is not the provider's or not
   *   meant for us; UPSTREAM_FAILED when the provider is away, slow, or answers no OpenID
   */
  identify(arrival: Arrival, departure: Departure): Promise<ProviderIdentity>;
}

type Settings = NonNullable<Config['google']>;
type Client = typeof import('openid-client');

/** OpenID Connect Discovery 3 has every provider offer it. */
const ALGORITHM = 'RS256';
const SCOPE = 'openid email profile';
/** OpenID Connect Core 2: the subject has at most 255 ASCII characters. */
const LONGEST_SUBJECT = 255;
const LONGEST_TEXT = 500;

/** Errors of openid-client that say "the provider did not do its part"; all others are about what it said. */
const PROVIDER_AT_FAULT = new Set([
  'OAUTH_TIMEOUT',
  'OAUTH_ABORT',
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
  'OAUTH_RESPONSE_IS_NOT_JSON',
  'OAUTH_PARSE_ERROR',
  'OAUTH_HTTP_REQUEST_FORBIDDEN',
  'OAUTH_REQUEST_PROTOCOL_FORBIDDEN',
]);
/** Errors in the provider's own words (RFC 6749, 5.2) that come of what the browser brought. */
const CODE_AT_FAULT = new Set(['invalid_grant', 'invalid_request']);

interface OpenIdOptions {
  log: Logger;
  /** Throws inside a database transaction: nothing is asked of anybody there. */
  requireOutside: () => void;
  /** In milliseconds, for the age of what is kept. */
  now?: () => number;
}

/** Everything needed to talk with the one provider that is configured. */
interface Talk {
  settings: Settings;
  isLocal: boolean;
  metadata: KeptDocument<ServerMetadata>;
  fetchWithKeptKeys(keysUrl: string | undefined): CustomFetch;
  /** How the provider wants us to show our secret: the way that worked last comes first. */
  authentication: Authentication | undefined;
}

type Authentication = 'ClientSecretBasic' | 'ClientSecretPost';

export function createOpenId(settings: Settings, options: OpenIdOptions): OpenId {
  const { log, requireOutside, now = Date.now } = options;
  const isLocal = new URL(settings.issuer).protocol === 'http:';
  const talk: Talk = {
    settings,
    isLocal,
    metadata: new KeptDocument(() => discover(settings, isLocal), now),
    fetchWithKeptKeys: keepKeys(now),
    authentication: undefined,
  };
  const conversing = <T>(converse: () => Promise<T>): Promise<T> => {
    requireOutside();
    return refusing(log, converse);
  };
  return {
    authorizationUrl: (departure) => conversing(() => buildAuthorizationUrl(talk, departure)),
    identify: (arrival, departure) => conversing(() => identify(talk, { arrival, departure })),
  };
}

/** `fetch` for one exchange: the key set comes from what is kept, unless the token at hand names a key it lacks. */
function keepKeys(now: () => number): Talk['fetchWithKeptKeys'] {
  const keySets = new Map<string, KeptDocument<string>>();
  return (keysUrl) => {
    let kid: unknown;
    return async (url, request) => {
      if (url !== keysUrl) {
        const response = await fetchBounded(url, request);
        kid ??= await keyIdOf(response.clone());
        return response;
      }
      let keys = keySets.get(url);
      if (!keys) {
        keys = new KeptDocument(() => readKeySet(url, request.headers), now);
        // One provider has one address of its keys at a time.
        keySets.clear();
        keySets.set(url, keys);
      }
      const text = await keys.get((set) => kid === undefined || set.includes(JSON.stringify(kid)));
      return new Response(text, { headers: { 'content-type': 'application/jwk-set+json' } });
    };
  };
}

/** A new one each time: openid-client would otherwise keep keys by its own rules beside ours. */
function configure(client: Client, options: { talk: Talk; server: ServerMetadata; authentication: Authentication }) {
  const { talk, server, authentication } = options;
  const { clientId, clientSecret } = talk.settings;
  const metadata = { client_secret: clientSecret, id_token_signed_response_alg: ALGORITHM };
  const configuration = new client.Configuration(server, clientId, metadata, client[authentication](clientSecret));
  // Without it openid-client trusts TLS alone for a token it fetched itself.
  client.enableNonRepudiationChecks(configuration);
  if (talk.isLocal) client.allowInsecureRequests(configuration);
  configuration[client.customFetch] = talk.fetchWithKeptKeys(server.jwks_uri);
  return configuration;
}

async function buildAuthorizationUrl(talk: Talk, departure: Departure): Promise<string> {
  const client = await import('openid-client');
  const server = await talk.metadata.get();
  const { redirectUri, state, nonce, verifier } = departure;
  const url = client.buildAuthorizationUrl(configure(client, { talk, server, authentication: 'ClientSecretPost' }), {
    redirect_uri: redirectUri,
    scope: SCOPE,
    state,
    nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  return url.href;
}

async function identify(talk: Talk, way: { arrival: Arrival; departure: Departure }): Promise<ProviderIdentity> {
  const { clientId } = talk.settings;
  const client = await import('openid-client');
  const { configuration, tokens } = await exchange(client, { talk, ...way });
  const claims = tokens.claims();
  if (!claims) throw new AppError('TOKEN_INVALID');
  // openid-client looks at `azp` only where there are several audiences (OpenID Connect Core 3.1.3.7, 5).
  if (claims.azp !== undefined && claims.azp !== clientId) throw new AppError('TOKEN_INVALID');
  const isWhole = claims.email !== undefined || configuration.serverMetadata().userinfo_endpoint === undefined;
  if (isWhole) return toIdentity(claims);
  const about = await client.fetchUserInfo(configuration, tokens.access_token, claims.sub);
  return toIdentity({ ...about, iss: claims.iss });
}

/** The code for tokens. A provider that does not know us by one way of showing the secret has not looked at the code. */
async function exchange(client: Client, way: { talk: Talk; arrival: Arrival; departure: Departure }) {
  const { talk, arrival, departure } = way;
  const server = await talk.metadata.get();
  for (const authentication of authenticationsOf(talk, server)) {
    const configuration = configure(client, { talk, server, authentication });
    try {
      const tokens = await client.authorizationCodeGrant(configuration, arrivalUrl(arrival, departure), {
        expectedState: departure.state,
        expectedNonce: departure.nonce,
        pkceCodeVerifier: departure.verifier,
        idTokenExpected: true,
      });
      talk.authentication = authentication;
      return { configuration, tokens };
    } catch (error) {
      if ((error as { error?: unknown }).error !== 'invalid_client') throw error;
    }
  }
  throw new FetchRefusal('CLIENT_NOT_KNOWN');
}

/**
 * In the body first, where that is offered: Basic wants the secret form-encoded (RFC 6749, 2.3.1), which not every
 * provider undoes; yet it is what clients are registered with that did not ask for anything else.
 */
function authenticationsOf(talk: Talk, server: ServerMetadata): Authentication[] {
  const offered = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  const ways: Authentication[] = offered.includes('client_secret_post')
    ? ['ClientSecretPost', 'ClientSecretBasic']
    : ['ClientSecretBasic'];
  return talk.authentication ? [talk.authentication, ...ways.filter((way) => way !== talk.authentication)] : ways;
}

async function discover(settings: Settings, isLocal: boolean): Promise<ServerMetadata> {
  const client = await import('openid-client');
  const configuration = await client.discovery(new URL(settings.issuer), settings.clientId, undefined, undefined, {
    [client.customFetch]: fetchBounded,
    ...(isLocal && { execute: [client.allowInsecureRequests] }),
  });
  const { supportsPKCE, ...server } = configuration.serverMetadata();
  return server;
}

async function readKeySet(url: string, headers: Record<string, string>): Promise<string> {
  const response = await fetchBounded(url, { method: 'GET', headers });
  const text = await response.text();
  const { keys } = JSON.parse(text) as { keys?: unknown };
  if (response.status !== 200 || !Array.isArray(keys)) throw new FetchRefusal('NO_KEY_SET');
  return text;
}

/** The key that signed the ID token in a token endpoint's answer, unverified: good for nothing but looking it up. */
async function keyIdOf(response: Response): Promise<unknown> {
  try {
    const { id_token: token } = (await response.json()) as { id_token: string };
    return (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid?: unknown }).kid;
  } catch {
    return undefined;
  }
}

/** The redirect as openid-client wants it. Built from what we stored: nothing of the request but code and issuer. */
function arrivalUrl({ code, issuer }: Arrival, { redirectUri, state }: Departure): URL {
  const url = new URL(redirectUri);
  url.searchParams.set('code', code);
  url.searchParams.set('state', state);
  if (issuer !== undefined) url.searchParams.set('iss', issuer);
  return url;
}

function toIdentity(claims: Record<string, unknown>): ProviderIdentity {
  const { iss, sub } = claims;
  const isSubject = typeof sub === 'string' && /^[\x20-\x7e]+$/.test(sub) && sub.length <= LONGEST_SUBJECT;
  if (!isSubject || typeof iss !== 'string') throw new AppError('TOKEN_INVALID');
  return {
    issuer: iss,
    subject: sub,
    email: textOf(claims.email),
    emailVerified: claims.email_verified === true,
    name: textOf(claims.name),
    preferredUsername: textOf(claims.preferred_username),
    locale: textOf(claims.locale),
  };
}

function textOf(claim: unknown): string | null {
  return typeof claim === 'string' && claim.length <= LONGEST_TEXT && claim.isWellFormed() ? claim : null;
}

/** Runs a conversation with the provider; whatever went wrong in it leaves as one of two codes, and the log says why. */
async function refusing<T>(log: Logger, converse: () => Promise<T>): Promise<T> {
  try {
    return await converse();
  } catch (error) {
    if (error instanceof AppError) throw error;
    const { code, error: said } = error as { code?: unknown; error?: unknown };
    // The code alone: messages and causes of openid-client hold claims, tokens and answers.
    const why = error instanceof FetchRefusal ? error.message : String(code ?? (error as Error).name);
    log.warn({ code: why, ...(typeof said === 'string' && { reason: said.toUpperCase() }) }, PROVIDER_REFUSED);
    throw isAnswerAtFault(error)
      ? new AppError('TOKEN_INVALID', { message: NOT_TAKEN })
      : new AppError('UPSTREAM_FAILED');
  }
}

const PROVIDER_REFUSED = 'an answer of the OpenID provider was not taken';
const NOT_TAKEN = 'What came back from the provider is not valid; begin again.';

function isAnswerAtFault(error: unknown): boolean {
  const { code, error: said } = error as { code?: unknown; error?: unknown };
  if (typeof said === 'string') return CODE_AT_FAULT.has(said);
  return typeof code === 'string' && code.startsWith('OAUTH_') && !PROVIDER_AT_FAULT.has(code);
}
