import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Actor, App, BrowserCookie, Context, Viewer } from '../core/context.js';
import { AppError } from '../core/errors.js';
import { isInCidrs, parseCidrs } from '../core/network.js';
import { findApiKey } from '../modules/auth/api-keys.service.js';
import { findSession } from '../modules/auth/sessions.service.js';
import { ipRulesNow } from '../modules/network/following.service.js';
import type { IpRules } from '../modules/network/rules.js';
import { findServiceByKey } from '../modules/services/service-keys.service.js';

const ANONYMOUS: Viewer = { kind: 'anonymous' };
const refused = (
  refusal: 'UNAUTHENTICATED' | 'TOKEN_EXPIRED' | 'TOKEN_INVALID' | 'ACCOUNT_SUSPENDED' | 'IP_NOT_ALLOWED',
): Viewer => ({
  kind: 'anonymous',
  refusal,
});

async function viewerOfAccessToken(app: App, token: string): Promise<Viewer> {
  let claims: Awaited<ReturnType<App['tokens']['verify']>>;
  try {
    claims = await app.tokens.verify(token, app.now());
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return refused(error.code === 'TOKEN_EXPIRED' ? 'TOKEN_EXPIRED' : 'TOKEN_INVALID');
  }
  const session = await findSession(app, claims.sessionId);
  if (!session) return refused('UNAUTHENTICATED');
  if (session.accountId !== claims.subject || session.kind !== claims.kind) return refused('TOKEN_INVALID');
  // Before "ended": a suspension ends the sessions too, and is what the person should be told.
  if (session.suspended) return refused(session.kind === 'user' ? 'ACCOUNT_SUSPENDED' : 'UNAUTHENTICATED');
  if (session.revokedAt || session.expiresAt <= app.now()) return refused('UNAUTHENTICATED');
  const { accountId: id, sessionId, authenticatedAt } = session;
  if (session.kind === 'admin')
    return {
      kind: 'admin',
      id,
      sessionId,
      authenticatedAt,
      permissions: session.permissions ?? [],
      mustEnroll: session.mustEnroll,
    };
  if (session.kind === 'staff') return { kind: 'staff', id, sessionId, authenticatedAt, level: session.level ?? 0 };
  const { emailVerified, impersonatedBy, readOnly } = session;
  return { kind: 'user', id, sessionId, authenticatedAt, emailVerified, impersonatedBy, readOnly };
}

async function viewerOfApiKey(app: App, options: { key: string; ip: string }): Promise<Viewer> {
  const found = await findApiKey(app, options.key);
  if (!found) return refused('UNAUTHENTICATED');
  if (found.state === 'EXPIRED') return refused('TOKEN_EXPIRED');
  if (found.state === 'SUSPENDED') return refused('ACCOUNT_SUSPENDED');
  if (found.state !== 'VALID') return refused('UNAUTHENTICATED');
  if (found.ipAllowList.length > 0 && !isInCidrs(options.ip, parseCidrs(found.ipAllowList)))
    return refused('IP_NOT_ALLOWED');
  return {
    kind: 'apiKey',
    id: found.userId,
    keyId: found.keyId,
    scopes: found.scopes,
    emailVerified: found.emailVerified,
  };
}

/**
 * Who is asking. A credential that is not accepted makes an anonymous viewer that remembers why: public fields (a
 * refresh with an expired access token beside it, say) still work, the others are refused with the reason.
 *
 * @throws BAD_USER_INPUT when a request carries two credentials: no confused deputies (K7)
 */
async function resolveViewer(
  app: App,
  options: { authorization: string | undefined; apiKey: string | undefined; ip: string },
): Promise<Viewer> {
  const { authorization, apiKey, ip } = options;
  if (authorization !== undefined && apiKey !== undefined) {
    throw new AppError('BAD_USER_INPUT', { message: 'Send either Authorization or X-API-Key, not both.' });
  }
  if (apiKey !== undefined) {
    const service = await findServiceByKey(app, apiKey);
    return service
      ? { kind: 'service', id: service.serviceId, name: service.name, scopes: service.scopes }
      : refused('UNAUTHENTICATED');
  }
  if (authorization === undefined) return ANONYMOUS;
  const token = /^Bearer +([^\s]{1,4096})$/i.exec(authorization)?.[1];
  if (token === undefined) return refused('TOKEN_INVALID');
  return token.startsWith('crd_') ? viewerOfApiKey(app, { key: token, ip }) : viewerOfAccessToken(app, token);
}

/** The viewer, unless the network rules of its kind hold the address off (W5: on top of the credential). */
function withinRules(viewer: Viewer, options: { rules: IpRules; ip: string }): Viewer {
  const { rules, ip } = options;
  const mayCome = () => {
    if (viewer.kind === 'service') return rules.allows(ip, 'SERVICE', viewer.id);
    if (viewer.kind === 'apiKey') return rules.allows(ip, 'API_KEY', viewer.keyId);
    const isOperator = viewer.kind === 'admin' || viewer.kind === 'staff';
    const actsForAdmin = viewer.kind === 'user' && viewer.impersonatedBy !== null;
    return !(isOperator || actsForAdmin) || rules.allows(ip, 'OPERATOR_SIGN_IN');
  };
  return mayCome() ? viewer : refused('IP_NOT_ALLOWED');
}

const ACTOR_KINDS = {
  anonymous: 'ANONYMOUS',
  user: 'USER',
  apiKey: 'USER',
  service: 'SERVICE',
  admin: 'ADMIN',
  staff: 'STAFF',
} as const;

export function actorOf(viewer: Viewer, request: { ip: string; userAgent: string | undefined; id: string }): Actor {
  // What is done in a person's name is done by the admin: a chain of names must not lose who it was.
  const impersonatorId = viewer.kind === 'user' ? viewer.impersonatedBy : null;
  return {
    kind: impersonatorId ? 'ADMIN' : ACTOR_KINDS[viewer.kind],
    id: impersonatorId ?? (viewer.kind === 'anonymous' ? null : viewer.id),
    ip: request.ip,
    userAgent: request.userAgent?.toWellFormed().replaceAll('\0', '').slice(0, 300) ?? null,
    requestId: request.id,
  };
}

const COOKIE = '__Host-credence_refresh';

export function refreshCookieOf(request: FastifyRequest, reply: FastifyReply): Context['refreshCookie'] {
  const attributes = { path: '/', httpOnly: true, secure: true, sameSite: 'strict' } as const;
  return {
    read: () => request.server.parseCookie(request.headers.cookie ?? '')[COOKIE],
    write: (token, expires) =>
      token === null
        ? reply.clearCookie(COOKIE, attributes)
        : reply.setCookie(COOKIE, token, { ...attributes, ...(expires && { expires }) }),
  };
}

const BROWSER_COOKIE_SECONDS = 600;

/**
 * Sent back on the way from the provider, which is a navigation from another site: `Lax` lets that through, and no other
 * request of other sites. Over plain http, which is this machine, it cannot be `__Host-`.
 */
export function browserCookieOf(app: App, http: { request: FastifyRequest; reply: FastifyReply }): BrowserCookie {
  const { request, reply } = http;
  const secure = app.config.server.publicUrl.startsWith('https:');
  const name = secure ? '__Host-credence_openid' : 'credence_openid';
  const attributes = { path: '/', httpOnly: true, secure, sameSite: 'lax' } as const;
  let written = false;
  return {
    read: () => request.server.parseCookie(request.headers.cookie ?? '')[name],
    write(secret) {
      written = true;
      if (secret === null) reply.clearCookie(name, attributes);
      else reply.setCookie(name, secret, { ...attributes, maxAge: BROWSER_COOKIE_SECONDS });
    },
    get written() {
      return written;
    },
  };
}

const single = (header: string | string[] | undefined) => (Array.isArray(header) ? header.join(', ') : header);

/** One request's context: headers → viewer. */
export async function createContext(
  app: App,
  http: { request: FastifyRequest; reply: FastifyReply; ip: string },
): Promise<Context> {
  const { request, reply, ip } = http;
  const { authorization } = request.headers;
  const rules = await ipRulesNow(app);
  // A second time after the hook of the whole server: a door that is mounted beside it is still no way around (W3).
  if (!rules.allows(ip, 'EVERYTHING')) throw new AppError('IP_NOT_ALLOWED');
  const known = await resolveViewer(app, { authorization, apiKey: single(request.headers['x-api-key']), ip });
  const viewer = withinRules(known, { rules, ip });
  return {
    app,
    viewer,
    operatorsAllowed: rules.allows(ip, 'OPERATOR_SIGN_IN'),
    actor: actorOf(viewer, { ip, userAgent: request.headers['user-agent'], id: request.id }),
    loaders: new Map(),
    refreshCookie: refreshCookieOf(request, reply),
    browserCookie: browserCookieOf(app, http),
  };
}
