// Invariants: a preview or a test holds sample data only, never anybody's; a test letter goes to nobody but the admin
// who asked for it, or this would be a way to send mail in the operator's name to anyone (SPEC 10).
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError, badInput } from '../../core/errors.js';
import { limitKey } from '../../core/limiter.js';
import { brandOf, MailError } from '../../core/mail.js';
import { type Connection, type PageArguments, readPage, toConnection } from '../../core/pages.js';
import { recordAudit } from '../audit/audit.service.js';
import { getAccount } from '../auth/credentials.service.js';
import { sampleLetters } from '../mail/letter-samples.js';
import type { LetterKind } from '../mail/letter-texts.js';
import {
  LETTER_KINDS,
  type LetterTemplate,
  letterTemplates,
  type RenderedLetter,
  renderLetter,
} from '../mail/letters.js';

const TESTS_PER_HOUR = 10;
const HOUR_SECONDS = 3_600;
/** RFC 5646, 4.4.1 */
const LONGEST_LOCALE = 35;

/** Every kind of letter, in a fixed order. @throws BAD_USER_INPUT */
export function emailTemplates(app: App, asked: PageArguments): Connection<LetterTemplate> {
  const page = readPage(asked, ['text']);
  const all = letterTemplates(samples(app));
  const [after] = page.after ?? [];
  const at = all.findIndex(({ kind }) => kind === after);
  if (after !== undefined && at < 0) throw badInput({ after: 'must be a cursor of this list' });
  const rows = all.slice(at + 1, at + 2 + page.limit);
  return toConnection(rows, { page, keyOf: ({ kind }) => [kind], count: () => all.length });
}

interface Wanted {
  kind: string;
  locale: string;
}

/** The letter with sample data, as somebody with this locale would get it. @throws BAD_USER_INPUT */
export function previewEmailTemplate(app: App, { kind, locale }: Wanted): RenderedLetter {
  return render(app, { kind: requireKind(kind), locale: requireLocale(locale) });
}

export interface TestEmail {
  sentTo: string;
  subject: string;
}

/**
 * Sends the letter with sample data to the admin's own address, past the outbox: who tries out a mail server wants to
 * know now what it says. At most 10 an hour for each admin.
 *
 * @throws BAD_USER_INPUT; RATE_LIMITED; UPSTREAM_FAILED with the code of the refusal
 */
export async function sendTestEmail(app: App, options: Wanted & { adminId: string; actor: Actor }): Promise<TestEmail> {
  const { adminId, actor } = options;
  const kind = requireKind(options.kind);
  const rendered = render(app, { kind, locale: requireLocale(options.locale) });
  await takePlace(app, adminId);
  const { email } = await getAccount(app, { kind: 'admin', id: adminId });
  // Before it is sent: a mail server that hangs must not keep it out of the record.
  await transact(app, (app) => recordAudit(app, { actor, action: 'email.test_sent', after: { kind } }));
  const letter = { ...rendered, subject: `[Test] ${rendered.subject}` };
  try {
    await app.mailer.send({ ...letter, to: email, from: app.config.mail.from, idempotencyKey: newId() });
  } catch (error) {
    throw toAnswer(error);
  }
  return { sentTo: email, subject: letter.subject };
}

function toAnswer(error: unknown): unknown {
  if (!(error instanceof MailError)) return error;
  return new AppError('UPSTREAM_FAILED', {
    message: `The letter was not taken (${error.code}).`,
    ...(error.retryAfterSeconds !== undefined && { retryAfterSeconds: error.retryAfterSeconds }),
  });
}

async function takePlace(app: App, adminId: string): Promise<void> {
  const limit = { max: TESTS_PER_HOUR, windowSeconds: HOUR_SECONDS, sensitive: false };
  const place = await app.limiter.take(limitKey(['test-email', adminId]), limit);
  if (place.used > TESTS_PER_HOUR) throw new AppError('RATE_LIMITED', { retryAfterSeconds: place.resetsInSeconds });
}

function render(app: App, { kind, locale }: { kind: LetterKind; locale: string }): RenderedLetter {
  return renderLetter(kind, samples(app)[kind], { locale, timeZone: 'UTC', brand: brandOf(app.config.mail.from) });
}

const samples = (app: App) =>
  sampleLetters({ now: app.now(), baseUrl: app.config.server.frontendUrl ?? app.config.server.publicUrl });

/** @throws BAD_USER_INPUT under `field` */
export function requireKind(kind: string, field = 'kind'): LetterKind {
  const known = LETTER_KINDS.find((candidate) => candidate === kind);
  if (known) return known;
  throw badInput({ [field]: 'must be one of the kinds that emailTemplates lists' });
}

/** Any tag: a language without texts gives English, which is what there is to see. */
function requireLocale(locale: string): string {
  if (locale.length <= LONGEST_LOCALE && /^[A-Za-z0-9-]+$/.test(locale)) return locale;
  throw badInput({ locale: 'must be a language tag such as en or pt-BR' });
}
