import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../../core/context.js';
import { AppError, isErrorCode, statusOf } from '../../core/errors.js';
import { type Html, html } from '../../core/html.js';
import { limitKey } from '../../core/limiter.js';
import { networkKey } from '../../core/network.js';
import { beginAtDoor, type Ending, endAtDoor } from '../../modules/openid/door.service.js';
import { actorOf, browserCookieOf, refreshCookieOf } from '../context.js';
import { formatError, retryAfterOf } from '../errors.js';
import { sendPage } from './layout.js';

interface Visit {
  app: App;
  request: FastifyRequest;
  reply: FastifyReply;
}

/**
 * Sign-in at the provider for browsers that are sent along (`/auth/google/login`) and come back
 * (`/auth/google/callback`). The way ends at a page of the app, or at one of ours when there is none.
 */
export function mountGoogle(server: FastifyInstance, app: App): void {
  // Only as GET: a HEAD, which link previews send, must not use up what works once.
  const options = { exposeHeadRoute: false };
  server.get('/auth/google/login', options, (request, reply) => guarded({ app, request, reply }, login));
  server.get('/auth/google/callback', options, (request, reply) => guarded({ app, request, reply }, callback));
}

/** The limit of the sign-in family; what goes wrong ends on a page of ours. */
async function guarded(visit: Visit, act: (visit: Visit) => Promise<FastifyReply>): Promise<FastifyReply> {
  try {
    await takePlace(visit);
    return await act(visit);
  } catch (error) {
    return sendFailure(visit, error);
  }
}

async function takePlace({ app, request }: Visit): Promise<void> {
  const max = app.config.limits.authPerMinute;
  const key = limitKey(['page', request.routeOptions.url ?? '', networkKey(request.clientIp)]);
  const place = await app.limiter.take(key, { max, windowSeconds: 60, sensitive: true });
  if (place.used <= max) return;
  app.metrics.limiterRefusals.add('auth');
  throw new AppError('RATE_LIMITED', { retryAfterSeconds: place.resetsInSeconds });
}

/** One value of the address; a name that stands there twice counts as absent. */
function parameterOf({ request }: Visit, name: string): string | undefined {
  const value = (request.query as Record<string, unknown>)[name];
  return typeof value === 'string' && value !== '' && value.length <= 2_000 ? value : undefined;
}

async function login(visit: Visit): Promise<FastifyReply> {
  const { app, reply } = visit;
  const cookie = browserCookieOf(app, visit);
  const { authorizationUrl, browserSecret } = await beginAtDoor(app, {
    returnUrl: parameterOf(visit, 'target'),
    challenge: parameterOf(visit, 'challenge'),
    browserSecret: cookie.read(),
  });
  cookie.write(browserSecret);
  return reply.redirect(authorizationUrl, 303);
}

async function callback(visit: Visit): Promise<FastifyReply> {
  const { app, request, reply } = visit;
  const userAgent = request.headers['user-agent'];
  const ending = await endAtDoor(app, {
    state: parameterOf(visit, 'state') ?? '',
    code: parameterOf(visit, 'code'),
    error: parameterOf(visit, 'error'),
    issuer: parameterOf(visit, 'iss'),
    browserSecret: browserCookieOf(app, visit).read(),
    actor: actorOf({ kind: 'anonymous' }, { ip: request.clientIp, userAgent, id: request.id }),
  });
  const { outcome, returnUrl } = ending;
  if (outcome.kind === 'SIGNED_IN') {
    const { refreshToken, refreshTokenExpiresAt } = outcome.issued;
    refreshCookieOf(request, reply).write(refreshToken, refreshTokenExpiresAt);
  }
  if (returnUrl === undefined) return endOnOurPage(visit, ending);
  // In the fragment, which browsers keep to themselves: no server on the way logs it, and no Referer carries it.
  return reply.redirect(`${returnUrl}#${new URLSearchParams(wordsFor(visit, ending))}`, 303);
}

/** What the app is told. */
function wordsFor({ app, request }: Visit, { outcome }: Ending): Record<string, string> {
  if (outcome.kind === 'HANDOVER') return { code: outcome.code };
  if (outcome.kind !== 'REFUSED') return { done: outcome.kind };
  const { extensions } = formatError(outcome.error, { log: app.log, requestId: request.id });
  return { error: String(extensions?.code) };
}

function endOnOurPage(visit: Visit, { outcome }: Ending): FastifyReply {
  const { reply } = visit;
  if (outcome.kind === 'REFUSED') return sendFailure(visit, outcome.error);
  if (outcome.kind === 'HANDOVER') return sendCode(visit, outcome.code);
  const isLinked = outcome.kind === 'LINKED';
  const title = isLinked ? 'Linked' : 'You are signed in';
  const words = isLinked ? 'The account is linked with yours: it signs you in from now on.' : 'You are signed in.';
  return sendPage(reply, { title, body: card(title, html`<p role="status">${words} You can close this page.</p>`) });
}

/** For whoever tries it without an app. The code works from this browser alone, whose cookie goes with it. */
function sendCode({ reply }: Visit, code: string): FastifyReply {
  const call = `mutation {
  completeGoogleSignIn(input: { code: "${code}" }) {
    __typename
    ... on AuthPayload { accessToken refreshToken user { id username } }
    ... on SecondFactorRequired { challenge methods }
  }
}`;
  const body = html`<p role="status">The provider has confirmed who you are. No app can take over from here, so end
the sign-in yourself, within two minutes and in this browser, for example in the <a href="/playground">playground</a>:</p>
<pre class="code">${call}</pre>
<p class="small">Apps: list your page in GOOGLE_RETURN_URLS, and begin with a challenge.</p>`;
  return sendPage(reply, { title: 'Almost signed in', body: card('Almost signed in', body) });
}

function sendFailure({ app, request, reply }: Visit, error: unknown): FastifyReply {
  const { message, extensions = {} } = formatError(error, { log: app.log, requestId: request.id });
  const code = isErrorCode(extensions.code) ? extensions.code : 'INTERNAL_SERVER_ERROR';
  const retryAfter = retryAfterOf([{ message, extensions }]);
  if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter));
  const problems = Object.entries((extensions.fields ?? {}) as Record<string, string>);
  const body = html`<p class="alert" role="alert">${message}</p>
${problems.map(([name, problem]) => html`<p>${name} ${problem}.</p>`)}
<p class="small">Request ${request.id}</p>`;
  const title = 'That did not work';
  return sendPage(reply, { status: statusOf(code), title, body: card(title, body) });
}

function card(title: string, body: Html): Html {
  return html`<main class="card"><h1>${title}</h1>
${body}</main>`;
}
