import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Actor, App } from '../../core/context.js';
import { AppError, isErrorCode, statusOf } from '../../core/errors.js';
import { type Html, html } from '../../core/html.js';
import { limitKey } from '../../core/limiter.js';
import { networkKey } from '../../core/network.js';
import { actorOf } from '../context.js';
import { formatError, retryAfterOf } from '../errors.js';
import { sendPage } from './layout.js';

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
  path: string;
  title: string;
  intro: string;
  button: string;
  asksPassword?: boolean;
  done: string;
  act(actions: PageActions, attempt: Attempt & { password: string }): Promise<unknown>;
}

const PAGES: LetterPage[] = [
  {
    path: '/verify-email',
    title: 'Verify your email address',
    intro: 'Press the button to confirm that this email address is yours.',
    button: 'Verify email address',
    done: 'Your email address is verified. You can close this page.',
    act: (actions, { token, actor }) => actions.verifyEmail({ token, actor }),
  },
  {
    path: '/reset-password',
    title: 'Set a new password',
    intro: 'Choose a new password for your account. All your sessions will be signed out.',
    button: 'Set new password',
    asksPassword: true,
    done: 'Your new password is set. Sign in with it.',
    act: (actions, { token, password, actor }) => actions.resetPassword({ token, newPassword: password, actor }),
  },
  {
    path: '/confirm-email-change',
    title: 'Confirm your new email address',
    intro: 'Press the button to make this your email address.',
    button: 'Confirm new address',
    done: 'Your account has its new email address. You can close this page.',
    act: (actions, { token, actor }) => actions.confirmEmailChange({ token, actor }),
  },
  {
    path: '/undo-email-change',
    title: 'Keep your email address',
    intro: 'Press the button to stop or undo the change of your email address.',
    button: 'Keep my address',
    done: 'Your account keeps this email address. Set a new password now: somebody else may know the old one.',
    act: (actions, { token, actor }) => actions.undoEmailChange({ token, actor }),
  },
  {
    path: '/accept-invitation',
    title: 'Choose your password',
    intro: 'Your account is waiting. Choose a password to begin.',
    button: 'Choose password',
    asksPassword: true,
    done: 'Your password is set. You can sign in now.',
    act: (actions, { token, password, actor }) => actions.acceptInvitation({ token, password, actor }),
  },
];

const FORM_LIMIT = 8 * 1024;

/**
 * Where the links of letters lead when there is no front end: one small page each, without script. Opening one
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
    for (const page of PAGES) {
      scope.get(page.path, (request, reply) => {
        const { token } = request.query as { token?: unknown };
        return isToken(token) ? sendForm(reply, { app, page, token }) : sendIncomplete(reply);
      });
      scope.post(page.path, (request, reply) => perform({ app, actions, page, request, reply }));
    }
  });
}

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
  if (!isToken(token)) return sendIncomplete(reply);
  if (page.asksPassword && password !== form.get('repeated')) {
    return sendForm(reply, { app, page, token, problems: ['The two passwords are not the same.'] });
  }
  try {
    await takePlace(app, { page, ip: request.clientIp });
    const userAgent = request.headers['user-agent'];
    const actor = actorOf({ kind: 'anonymous' }, { ip: request.clientIp, userAgent, id: request.id });
    await page.act(actions, { token, password, actor });
  } catch (error) {
    return sendFailure(reply, { app, page, token, error, requestId: request.id });
  }
  return sendPage(reply, { title: 'Done', body: card('Done', html`<p role="status">${page.done}</p>`) });
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
  error: unknown;
  requestId: string;
}

function sendFailure(reply: FastifyReply, { app, page, token, error, requestId }: Failure): FastifyReply {
  const { message, extensions = {} } = formatError(error, { log: app.log, requestId });
  const code = isErrorCode(extensions.code) ? extensions.code : 'INTERNAL_SERVER_ERROR';
  if (page.asksPassword && (code === 'WEAK_PASSWORD' || code === 'BAD_USER_INPUT')) {
    const problems = Object.values((extensions.fields ?? {}) as Record<string, string>).map(sentenceOf);
    return sendForm(reply, {
      app,
      page,
      token,
      status: statusOf(code),
      problems: problems.length > 0 ? problems : [message],
    });
  }
  const retryAfter = retryAfterOf([{ message, extensions }]);
  if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter));
  const isDeadLink = code === 'TOKEN_INVALID' || code === 'TOKEN_EXPIRED';
  const body = html`<p class="alert" role="alert">${message}</p>
${isDeadLink ? html`<p>The link was used already, is too old, or was replaced by a newer letter. Ask for a new letter.</p>` : undefined}
<p class="small">Request ${requestId}</p>`;
  return sendPage(reply, { status: statusOf(code), title: 'That did not work', body: card('That did not work', body) });
}

/** Problems are told as "must have …", or as whole sentences. */
const sentenceOf = (problem: string) => (/^\p{Ll}/u.test(problem) ? `The password ${problem}.` : problem);

function sendIncomplete(reply: FastifyReply): FastifyReply {
  const body = html`<p>Part of the address is missing. Copy the whole link from the letter into your browser.</p>`;
  return sendPage(reply, {
    status: 400,
    title: 'This link is incomplete',
    body: card('This link is incomplete', body),
  });
}

interface Form {
  app: App;
  page: LetterPage;
  token: string;
  status?: number;
  /** What was wrong with the attempt before. */
  problems?: string[];
}

function sendForm(reply: FastifyReply, { app, page, token, status, problems }: Form): FastifyReply {
  const form = html`${problems && html`<div class="alert" role="alert" id="problems">${problems.map((problem) => html`<div>${problem}</div>`)}</div>`}
<p>${page.intro}</p>
<form method="post" action="${page.path}">
<input type="hidden" name="token" value="${token}">
${page.asksPassword ? passwordFields(app, problems !== undefined) : undefined}
<button type="submit">${page.button}</button>
</form>`;
  const title = problems ? `Problem: ${page.title}` : page.title;
  return sendPage(reply, { status: status ?? (problems ? 422 : 200), title, body: card(page.title, form) });
}

function passwordFields(app: App, hasProblems: boolean): Html {
  const invalid = hasProblems ? html` aria-invalid="true"` : undefined;
  const about = hasProblems ? 'problems rule' : 'rule';
  const shortest = app.config.passwords.minLength;
  return html`<label for="password">New password</label>
<input id="password" name="password" type="password" autocomplete="new-password" required minlength="${shortest}" aria-describedby="${about}"${invalid}>
<label for="repeated">The same again</label>
<input id="repeated" name="repeated" type="password" autocomplete="new-password" required minlength="${shortest}"${invalid}>
<p class="small" id="rule">At least ${shortest} characters. Several words make a good password.</p>`;
}

function card(title: string, body: Html): Html {
  return html`<main class="card"><h1>${title}</h1>
${body}</main>`;
}
