import { isIPv4 } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../../core/context.js';
import { AppError } from '../../core/errors.js';
import { type Html, html } from '../../core/html.js';
import type { StoredLetter } from '../../core/mail.js';
import { sendPage } from './layout.js';

interface Chosen {
  Params: { id: string };
}

/** The development mailbox, for people at /dev/mailbox and for programs at /dev/mailbox.json. Not there when letters really leave. */
export function mountMailbox(server: FastifyInstance, app: App): void {
  const list = app.mailer.list;
  if (!list) return;

  async function findLetter(request: FastifyRequest<Chosen>): Promise<StoredLetter> {
    const letter = (await list?.())?.find(({ id }) => id === request.params.id);
    if (!letter) throw new AppError('NOT_FOUND');
    return letter;
  }

  const options = { onRequest: (request: FastifyRequest) => requireOwnName(request, app.config.server.publicUrl) };
  server.get('/dev/mailbox.json', options, () => list());
  server.get('/dev/mailbox', options, async (_request, reply) => sendMailbox(reply, { letters: await list() }));
  server.get<Chosen>('/dev/mailbox/:id', options, async (request, reply) =>
    sendMailbox(reply, { letters: await list(), chosen: await findLetter(request) }),
  );
  server.get<Chosen>('/dev/mailbox/:id/html', options, async (request, reply) => {
    const letter = await findLetter(request);
    return reply
      .header(
        'content-security-policy',
        // Also when opened by itself: an origin of its own, no script, nothing loaded.
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox",
      )
      .header('x-frame-options', 'SAMEORIGIN')
      .type('text/html; charset=utf-8')
      .send(letter.html.replace('<head>', '<head>\n<base target="_blank">'));
  });
}

/**
 * DNS rebinding: a page on the open web can make its own host name point to 127.0.0.1 and read what answers there. It
 * cannot make the browser send another name, so only names that nobody else can own are answered.
 */
async function requireOwnName(request: FastifyRequest, publicUrl: string): Promise<void> {
  const name = URL.parse(`http://${request.headers.host}`)?.hostname;
  const isOwn = name && (isIPv4(name) || !name.includes('.') || name === new URL(publicUrl).hostname);
  if (!isOwn)
    throw new AppError('FORBIDDEN', {
      message: 'The mailbox answers under localhost, an IP address or the host of PUBLIC_URL.',
    });
}

function sendMailbox(
  reply: FastifyReply,
  { letters, chosen }: { letters: StoredLetter[]; chosen?: StoredLetter },
): FastifyReply {
  const body = html`<div class="mailbox ${chosen ? 'reading' : 'empty'}">
<nav class="list" aria-label="Letters">
<header><h1>Mailbox</h1><a href="/dev/mailbox">Refresh</a></header>
${letters.length === 0 ? html`<p class="small none">No letters yet.</p>` : html`<ol>${letters.map((letter) => entryOf(letter, chosen))}</ol>`}
</nav>
<main class="letter">${chosen ? viewOf(chosen) : html`<p class="small">Choose a letter.</p>`}</main>
</div>`;
  return sendPage(reply, {
    title: chosen ? `${chosen.subject} – Mailbox` : 'Mailbox',
    body,
    frames: chosen !== undefined,
  });
}

function entryOf({ id, to, subject, createdAt }: StoredLetter, chosen: StoredLetter | undefined): Html {
  const current = id === chosen?.id ? html` aria-current="page"` : undefined;
  return html`<li><a href="/dev/mailbox/${id}"${current}><strong>${subject}</strong><span class="small">${to}<br>${timeOf(createdAt)}</span></a></li>`;
}

function viewOf({ id, to, subject, text, links, createdAt }: StoredLetter): Html {
  return html`<p class="back"><a href="/dev/mailbox">All letters</a></p>
<h1>${subject}</h1>
<dl><dt>To</dt><dd>${to}</dd><dt>Sent</dt><dd>${timeOf(createdAt)}</dd>
${links.map((link) => html`<dt>Link</dt><dd><a href="${link}" rel="noreferrer">${link}</a></dd>`)}</dl>
<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" src="/dev/mailbox/${id}/html" title="The letter as HTML"></iframe>
<details><summary>Plain text</summary><pre>${text}</pre></details>`;
}

function timeOf(moment: string): Html {
  return html`<time datetime="${moment}">${moment.slice(0, 19).replace('T', ' ')} UTC</time>`;
}
