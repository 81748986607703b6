import { type Html, html, trusted } from '../../core/html.js';
import type { LetterParts } from './letters.js';

const TEXT_WIDTH = 72;

/** The plain text part: paragraphs of at most 72 columns, the link alone on its line. */
export function renderText(parts: LetterParts): string {
  const { greeting, paragraphs, action, notes = [], footer } = parts;
  const blocks = [greeting, ...paragraphs].map(wrap);
  if (action) blocks.push(`${action.label}\n${action.link}`);
  blocks.push(...notes.map(wrap));
  return `${blocks.join('\n\n')}\n\n-- \n${wrap(footer)}\n`;
}

/** A space; a Chinese character with the marks that may not begin or end a line without it; or a word. */
const PIECES = / |[“‘（]*\p{Script=Han}[，。：；！？、）”’]*|[^ \p{Script=Han}]+/gu;
/** Characters that take two columns. */
const WIDE = /[\p{Script=Han}\u3000-\u303f\uff00-\uff60]/gu;

const widthOf = (text: string) => text.length + (text.match(WIDE)?.length ?? 0);

function wrap(paragraph: string): string {
  const lines: string[] = [];
  let line = '';
  let width = 0;
  for (const piece of paragraph.match(PIECES) ?? []) {
    const more = widthOf(piece);
    if (line !== '' && piece !== ' ' && width + more > TEXT_WIDTH) {
      lines.push(line.trimEnd());
      line = '';
      width = 0;
    }
    line += piece;
    width += more;
  }
  return [...lines, line.trimEnd()].join('\n');
}

// Inline styles are the light look, for programs that drop style sheets; the sheet only adds dark and phone.
const DARK_AND_PHONE = trusted(`
@media (prefers-color-scheme: dark) {
  .page { background: #14161a !important; }
  .card { background: #1f2228 !important; border-color: #343943 !important; }
  .strong { color: #f3f4f6 !important; }
  .words { color: #d6d9df !important; }
  .small { color: #a9afba !important; }
  .link { color: #9db8ff !important; }
  .button { background: #9db8ff !important; color: #10131a !important; }
}
@media (max-width: 480px) {
  .page { padding: 16px 8px !important; }
  .card { padding: 24px 20px 12px !important; }
  .button { display: block !important; }
}
`);

const FONT = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;";
const WORDS = trusted(`margin:0 0 16px;${FONT}font-size:16px;line-height:1.5;color:#2b303a;`);
const SMALL = trusted(`margin:0 0 12px;${FONT}font-size:14px;line-height:1.5;color:#5a6270;`);
const STRONG = trusted(`margin:0 0 20px;${FONT}font-size:22px;line-height:1.3;font-weight:600;color:#12151b;`);
const BRAND = trusted(
  `margin:0 auto 12px;max-width:560px;${FONT}font-size:14px;font-weight:600;line-height:1.5;color:#5a6270;`,
);
const FOOT = trusted(`margin:16px auto 0;max-width:560px;${FONT}font-size:13px;line-height:1.5;color:#5a6270;`);
const BUTTON = trusted(
  `display:inline-block;padding:13px 22px;border-radius:8px;background:#2447b8;color:#ffffff;${FONT}font-size:16px;font-weight:600;line-height:1.2;text-align:center;text-decoration:none;`,
);
const LINK = trusted('color:#2447b8;word-break:break-all;');

/** What lists of letters show beside the subject: the first sentence, and then nothing of what follows it. */
const HIDDEN = trusted('display:none;max-height:0;overflow:hidden;mso-hide:all;');
const PADDING = trusted('&#847;&zwnj;&nbsp;'.repeat(60));

/** The HTML part: one column, readable without images, in light and dark. Every value is escaped here, whatever the template did. */
export function renderHtml(parts: LetterParts): Html {
  const { language, subject, brand, greeting, paragraphs, notes = [], footer } = parts;
  return html`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<meta name="format-detection" content="telephone=no, date=no, address=no, email=no, url=no">
<title>${subject}</title>
<style>${DARK_AND_PHONE}</style>
</head>
<body class="page" style="margin:0;padding:32px 16px;background:#f1f3f6;">
<div style="${HIDDEN}">${paragraphs[0]}${PADDING}</div>
<p class="small" style="${BRAND}">${brand}</p>
<div class="card" role="article" aria-label="${subject}" style="max-width:560px;margin:0 auto;padding:32px 32px 20px;box-sizing:border-box;background:#ffffff;border:1px solid #dde1e8;border-radius:12px;">
<h1 class="strong" style="${STRONG}">${subject}</h1>
<p class="words" style="${WORDS}">${greeting}</p>
${paragraphs.map((paragraph) => html`<p class="words" style="${WORDS}">${paragraph}</p>\n`)}${actionOf(parts)}${notes.map((note) => html`<p class="small" style="${SMALL}">${note}</p>\n`)}</div>
<p class="small" style="${FOOT}">${footer}</p>
</body>
</html>
`;
}

function actionOf({ action, linkHint }: LetterParts): Html | undefined {
  if (!action) return undefined;
  return html`<p style="margin:24px 0;"><a class="button" href="${action.link}" style="${BUTTON}">${action.label}</a></p>
<p class="small" style="${SMALL}">${linkHint}<br><a class="link" href="${action.link}" style="${LINK}">${action.link}</a></p>
`;
}
