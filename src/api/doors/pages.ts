import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Actor, App } from '../../core/context.js';
import { AppError, isErrorCode, statusOf } from '../../core/errors.js';
import { type Html, html } from '../../core/html.js';
import { limitKey } from '../../core/limiter.js';
import { networkKey } from '../../core/network.js';
import { actorOf } from '../context.js';
import { formatError, retryAfterOf } from '../errors.js';
import { sendPage } from './layout.js';
import { type CheckoutEnd, type PagePath, type PageProblem, type PageTexts, pageTextsFor } from './page-texts.js';

interface Attempt {
  token: string;
  actor: Actor;
}

/** What the pages do, one service function each: the same that the mutation of this name calls. */
export interface PageActions {
  verifyEmail(attempt: Attempt): Promise<unknown>;
  resetPassword(attempt: Attempt & { newPassword: string }): Promise<unknown>;
  confirmEmailChange(attempt: Attempt): Promise<unknown>;
  undoEmailChange(attempt: Attempt): Promise<unknown>;
  acceptInvitation(attempt: Attempt & { password: string }): Promise<unknown>;
}

interface LetterPage {
  path: PagePath;
  asksPassword?: boolean;
  act(actions: PageActions, attempt: Attempt & { password: string }): Promise<unknown>;
}

const PAGES: LetterPage[] = [
  { path: '/verify-email', act: (actions, { token, actor }) => actions.verifyEmail({ token, actor }) },
  {
    path: '/reset-password',
    asksPassword: true,
    act: (actions, { token, password, actor }) => actions.resetPassword({ token, newPassword: password, actor }),
  },
  { path: '/confirm-email-change', act: (actions, { token, actor }) => actions.confirmEmailChange({ token, actor }) },
  { path: '/undo-email-change', act: (actions, { token, actor }) => actions.undoEmailChange({ token, actor }) },
  {
    path: '/accept-invitation',
    asksPassword: true,
    act: (actions, { token, password, actor }) => actions.acceptInvitation({ token, password, actor }),
  },
];

const CHECKOUT_ENDS: readonly CheckoutEnd[] = ['complete', 'canceled'];

const FORM_LIMIT = 8 * 1024;

/**
 * Where the links of letters lead when there is no front end, and Stripe's page back: one small page each, without script. Opening one
 * changes nothing, since mail scanners open every link; only its button does.
 */
export function mountPages(server: FastifyInstance, app: App, actions: PageActions): void {
  if (app.config.server.frontendUrl !== undefined) return;
  server.register(async (scope) => {
    // Forms are read here and nowhere else: elsewhere they would open the door to cross-site posts (G15).
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: FORM_LIMIT },
      (_request, body, done) => done(null, new URLSearchParams(String(body))),
    );
    for (const end of CHECKOUT_ENDS) {
      scope.get(`/checkout/${end}`, (request, reply) => {
        const texts = textsOf(request);
        const { title, text } = texts.afterCheckout[end];
        return sendCard(reply, { texts, title, body: html`<p role="status">${text}</p>` });
      });
    }
    for (const page of PAGES) {
      scope.get(page.path, (request, reply) => {
        const { token } = request.query as { token?: unknown };
        const texts = textsOf(request);
        return isToken(token) ? sendForm(reply, { app, page, token, texts }) : sendIncomplete(reply, texts);
      });
      scope.post(page.path, (request, reply) => perform({ app, actions, page, request, reply }));
    }
  });
}

const textsOf = (request: FastifyRequest) => pageTextsFor(request.headers['accept-language']);

function isToken(token: unknown): token is string {
  return typeof token === 'string' && /^[\w.-]{16,200}$/.test(token);
}

interface Submission {
  app: App;
  actions: PageActions;
  page: LetterPage;
  request: FastifyRequest;
  reply: FastifyReply;
}

async function perform({ app, actions, page, request, reply }: Submission): Promise<FastifyReply> {
  const form = request.body instanceof URLSearchParams ? request.body : new URLSearchParams();
  const token = form.get('token');
  const password = form.get('password') ?? '';
  const texts = textsOf(request);
  if (!isToken(token)) return sendIncomplete(reply, texts);
  if (page.asksPassword && password !== form.get('repeated')) {
    return sendForm(reply, { app, page, token, texts, problems: [texts.different] });
  }
  try {
    await takePlace(app, { page, ip: request.clientIp });
    const userAgent = request.headers['user-agent'];
    const actor = actorOf({ kind: 'anonymous' }, { ip: request.clientIp, userAgent, id: request.id });
    await page.act(actions, { token, password, actor });
  } catch (error) {
    return sendFailure(reply, { app, page, token, texts, error, requestId: request.id });
  }
  return sendCard(reply, { texts, title: texts.done, body: html`<p role="status">${texts.pages[page.path].done}</p>` });
}

/** The limit of the sign-in family, for each page and client address: a token is a credential that could be guessed at. */
async function takePlace(app: App, { page, ip }: { page: LetterPage; ip: string }): Promise<void> {
  const max = app.config.limits.authPerMinute;
  const key = limitKey(['page', page.path, networkKey(ip)]);
  const place = await app.limiter.take(key, { max, windowSeconds: 60, sensitive: true });
  if (place.used <= max) return;
  app.metrics.limiterRefusals.add('auth');
  throw new AppError('RATE_LIMITED', { retryAfterSeconds: place.resetsInSeconds });
}

interface Failure {
  app: App;
  page: LetterPage;
  token: string;
  texts: PageTexts;
  error: unknown;
  requestId: string;
}

function sendFailure(reply: FastifyReply, { app, page, token, texts, error, requestId }: Failure): FastifyReply {
  const { message, extensions = {} } = formatError(error, { log: app.log, requestId });
  const code = isErrorCode(extensions.code) ? extensions.code : 'INTERNAL_SERVER_ERROR';
  if (page.asksPassword && (code === 'WEAK_PASSWORD' || code === 'BAD_USER_INPUT')) {
    const sentences = Object.values((extensions.fields ?? {}) as Record<string, string>);
    const problems = texts.weak({ minLength: app.config.passwords.minLength, sentences });
    return sendForm(reply, { app, page, token, texts, status: statusOf(code), problems });
  }
  const retryAfter = retryAfterOf([{ message, extensions }]);
  if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter));
  const isDeadLink = code === 'TOKEN_INVALID' || code === 'TOKEN_EXPIRED';
  const told = code === 'DATABASE_UNAVAILABLE' ? 'RETRY_LATER' : code;
  const problem = told in texts.problems ? (told as PageProblem) : 'INTERNAL_SERVER_ERROR';
  const body = html`<p class="alert" role="alert">${texts.problems[problem]}</p>
${isDeadLink ? html`<p>${texts.askAgain}</p>` : undefined}
<p class="small">${texts.request(requestId)}</p>`;
  return sendCard(reply, { texts, status: statusOf(code), title: texts.failed, body });
}

function sendIncomplete(reply: FastifyReply, texts: PageTexts): FastifyReply {
  const { title, advice } = texts.incomplete;
  return sendCard(reply, { texts, status: 400, title, body: html`<p>${advice}</p>` });
}

interface Form {
  app: App;
  page: LetterPage;
  token: string;
  texts: PageTexts;
  status?: number;
  /** What was wrong with the attempt before. */
  problems?: readonly string[];
}

function sendForm(reply: FastifyReply, { app, page, token, texts, status, problems }: Form): FastifyReply {
  const { title, intro, button } = texts.pages[page.path];
  const form = html`${problems && html`<div class="alert" role="alert" id="problems">${problems.map((problem) => html`<div>${problem}</div>`)}</div>`}
<p>${intro}</p>
<form method="post" action="${page.path}">
<input type="hidden" name="token" value="${token}">
${page.asksPassword ? passwordFields(app, { texts, hasProblems: problems !== undefined }) : undefined}
<button type="submit">${button}</button>
</form>`;
  return sendCard(reply, {
    texts,
    status: status ?? (problems ? 422 : 200),
    title,
    // Read out first: who cannot see the page must learn that it came back.
    tabTitle: problems ? texts.problem(title) : title,
    body: form,
  });
}

function passwordFields(app: App, { texts, hasProblems }: { texts: PageTexts; hasProblems: boolean }): Html {
  const invalid = hasProblems ? html` aria-invalid="true"` : undefined;
  const about = hasProblems ? 'problems rule' : 'rule';
  const shortest = app.config.passwords.minLength;
  return html`<label for="password">${texts.password}</label>
<input id="password" name="password" type="password" autocomplete="new-password" required minlength="${shortest}" aria-describedby="${about}"${invalid}>
<label for="repeated">${texts.repeated}</label>
<input id="repeated" name="repeated" type="password" autocomplete="new-password" required minlength="${shortest}"${invalid}>
<p class="small" id="rule">${texts.rule(shortest)}</p>`;
}

interface Card {
  texts: PageTexts;
  status?: number;
  title: string;
  tabTitle?: string;
  body: Html;
}

function sendCard(reply: FastifyReply, { texts, status, title, tabTitle = title, body }: Card): FastifyReply {
  const { language } = texts;
  reply.header('vary', 'accept-language').header('content-language', language);
  const card = html`<main class="card"><h1>${title}</h1>
${body}</main>`;
  return sendPage(reply, { status: status ?? 200, title: tabTitle, language, body: card });
}
