import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import { type Html, html, trusted } from '../../core/html.js';

const STYLE = `
:root { color-scheme: light dark; --page: #f1f3f6; --card: #ffffff; --line: #d5dae2; --strong: #12151b; --words: #2b303a;
  --small: #5a6270; --accent: #2447b8; --on-accent: #ffffff; --alert: #a3172b; --alert-ground: #fdeef0; --mark: #e8edfb; }
@media (prefers-color-scheme: dark) { :root { --page: #14161a; --card: #1f2228; --line: #3a404c; --strong: #f3f4f6; --words: #d6d9df;
  --small: #a9afba; --accent: #9db8ff; --on-accent: #10131a; --alert: #ff9aa7; --alert-ground: #3a2126; --mark: #2a3348; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--words); font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif; }
h1, h2 { margin: 0 0 16px; color: var(--strong); font-size: 22px; line-height: 1.3; overflow-wrap: anywhere; }
h2 { font-size: 16px; margin: 24px 0 8px; }
p { margin: 0 0 16px; }
a { color: var(--accent); overflow-wrap: anywhere; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.card { max-width: 480px; margin: 8vh auto 24px; padding: 32px; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.small { color: var(--small); font-size: 14px; }
.alert { margin: 0 0 16px; padding: 12px 16px; border-left: 4px solid var(--alert); border-radius: 4px; background: var(--alert-ground); color: var(--alert); }
label { display: block; margin: 0 0 6px; font-weight: 600; color: var(--strong); }
input { display: block; width: 100%; margin: 0 0 16px; padding: 11px 12px; border: 1px solid var(--small); border-radius: 8px; background: var(--page); color: var(--strong); font: inherit; }
input[aria-invalid] { border-color: var(--alert); }
button { display: block; width: 100%; min-height: 48px; padding: 12px 20px; border: 0; border-radius: 8px; background: var(--accent); color: var(--on-accent); font: inherit; font-weight: 600; cursor: pointer; }
.mailbox { display: grid; grid-template-columns: minmax(260px, 360px) minmax(0, 1fr); min-height: 100vh; }
.list { padding: 20px 0; background: var(--card); border-right: 1px solid var(--line); }
.list header { display: flex; justify-content: space-between; align-items: baseline; padding: 0 20px; }
.none { padding: 0 20px; }
.list ol { margin: 0; padding: 0; list-style: none; }
.list li a { display: block; padding: 12px 20px; border-top: 1px solid var(--line); color: var(--words); text-decoration: none; }
.list li a:hover, .list li a[aria-current] { background: var(--mark); }
.list li a:focus-visible { outline-offset: -3px; }
.list strong { display: block; color: var(--strong); font-weight: 600; }
.letter { padding: 20px 28px; }
.letter iframe { width: 100%; height: 70vh; border: 1px solid var(--line); border-radius: 8px; background: var(--card); }
.letter pre { padding: 16px; border: 1px solid var(--line); border-radius: 8px; background: var(--card); white-space: pre-wrap; overflow-wrap: anywhere; }
.code { padding: 12px; border: 1px solid var(--line); border-radius: 8px; background: var(--page); font-size: 13px; white-space: pre-wrap; overflow-wrap: anywhere; }
.letter dl { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 2px 12px; margin: 0 0 16px; }
.letter dt { color: var(--small); }
.letter dd { margin: 0; overflow-wrap: anywhere; }
summary { cursor: pointer; padding: 12px 0; }
.back { display: none; }
@media (max-width: 760px) {
  .card { margin: 16px 8px; padding: 24px 20px; }
  .mailbox { display: block; }
  .list { border-right: 0; }
  .letter { padding: 16px 12px; }
  .reading .list, .empty .letter { display: none; }
  .back { display: block; }
}
`;
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

export interface Page {
  status?: number;
  title: string;
  /** BCP 47; English when absent. */
  language?: string;
  body: Html;
  /** Frames of this origin may stand in the page. */
  frames?: boolean;
}

/** Answers with a page that runs no script, loads nothing, can be put in no frame, and posts to this origin only. */
export function sendPage(
  reply: FastifyReply,
  { status = 200, title, language = 'en', body, frames = false }: Page,
): FastifyReply {
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${STYLE_HASH}'`,
    ...(frames ? ["frame-src 'self'"] : []),
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ];
  const page = html`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}</title>
<style>${trusted(STYLE)}</style>
</head>
<body>
${body}
</body>
</html>
`;
  return reply
    .code(status)
    .header('content-security-policy', policy.join('; '))
    .type('text/html; charset=utf-8')
    .send(String(page));
}
