import type { FastifyInstance } from 'fastify';
import type { App } from '../../core/context.js';

/** Long enough to spare us most requests, short beside the hours for which old and new signing keys overlap. */
const CACHE = 'public, max-age=300';

/** What may be told of a key (RFC 7517, 7518, 8037). Private members (`d`, `p`, `k` …) are not on the list. */
const PUBLIC_MEMBERS = ['kty', 'crv', 'x', 'y', 'n', 'e', 'kid', 'alg', 'use'];

/** The public keys, for services that verify access tokens themselves, and where to find them. */
export function mountJwks(server: FastifyInstance, app: App): void {
  const issuer = app.config.server.publicUrl;

  server.get('/.well-known/jwks.json', async (_request, reply) => {
    const { keys } = app.tokens.publicJwks();
    const open = keys.map((key) =>
      Object.fromEntries(Object.entries(key).filter(([member]) => PUBLIC_MEMBERS.includes(member))),
    );
    reply.header('cache-control', CACHE).type('application/jwk-set+json');
    return JSON.stringify({ keys: open });
  });

  // Credence issues no ID tokens and has no authorization, token or userinfo endpoint, so this is no complete OpenID
  // provider metadata: naming endpoints that do not exist would send clients there. It holds what JWT libraries look
  // up by issuer, and every member is true: `response_types_supported` is required (OpenID Connect Discovery 3,
  // RFC 8414 2) and empty, and the algorithm, for which the standard has only this name, is that of the access tokens.
  // Under HS256 there is no public key: the key set is empty, and only `validateToken` can tell.
  server.get('/.well-known/openid-configuration', async (_request, reply) => {
    reply.header('cache-control', CACHE);
    return {
      issuer,
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      response_types_supported: [],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [app.config.tokens.algorithm],
      claims_supported: ['iss', 'aud', 'sub', 'sid', 'jti', 'iat', 'exp', 'kind', 'username'],
    };
  });
}
