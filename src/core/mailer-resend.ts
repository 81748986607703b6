import { setTimeout as sleep } from 'node:timers/promises';
import type { CreateEmailRequestOptions, CreateEmailResponse, Resend } from 'resend';
import { type Letter, MailError, type Mailer, oneLine, parseSender, requireRecipient } from './mail.js';

/**
 * Resend takes a few letters a second from one account and asks the others to come back in a second. A burst waits here
 * that long; with the pauses of the outbox, which double, its last letter would come an hour later.
 */
const PATIENCE_MS = 10_000;

/**
 * Letters by Resend's API. Resend keeps an idempotency key for 24 hours, as long as the outbox tries: a sender that was
 * killed after Resend said yes sends again, and Resend answers yes again without a second letter
 * (resend.com/docs/dashboard/emails/idempotency-keys).
 */
export function createResendMailer(
  { apiKey, apiBase }: { apiKey: string; apiBase: string },
  timeoutMs: number,
): Mailer {
  let opening: Promise<Resend> | undefined;
  const open = () => {
    // Loaded when first needed. Both options stand here so that the package does not look into the environment for them.
    opening ??= import('resend').then(
      ({ Resend: Client }) => new Client(apiKey, { baseUrl: apiBase, userAgent: 'credence' }),
    );
    return opening;
  };
  return {
    async send(letter) {
      const message = toMessage(letter);
      const client = await open();
      const patientUntil = performance.now() + PATIENCE_MS;
      // The package hands on to `fetch` what it does not know. A redirect would carry the letter, with its link, elsewhere.
      const options: CreateEmailRequestOptions & Pick<RequestInit, 'redirect'> = {
        idempotencyKey: letter.idempotencyKey,
        redirect: 'error',
      };
      for (;;) {
        const answer = await client.emails.send(message, { ...options, signal: AbortSignal.timeout(timeoutMs) });
        if (wasTaken(answer)) return;
        const error = toMailError(answer);
        // Scattered over a second: those turned away together would come back together.
        const pauseMs = ((error.retryAfterSeconds ?? Number.POSITIVE_INFINITY) + Math.random()) * 1_000;
        if (performance.now() + pauseMs > patientUntil) throw error;
        await sleep(pauseMs);
      }
    },
    close: async () => undefined,
  };
}

function toMessage(letter: Letter) {
  return {
    to: requireRecipient(letter.to),
    from: writeSender(letter.from),
    subject: oneLine(letter.subject),
    text: letter.text,
    html: letter.html,
    // RFC 3834: holiday answers and ticket systems leave these alone.
    headers: { 'Auto-Submitted': 'auto-generated' },
  };
}

/** `Name <address>`, with a name in quotes where it holds more than words (RFC 5322, 3.4). */
function writeSender(from: string): string {
  const { name, address } = parseSender(from);
  if (name === '') return address;
  const isPlain = /^[\p{L}\p{N}\p{M} '-]+$/u.test(name);
  return `${isPlain ? name : `"${name.replace(/["\\]/g, '\\$&')}"`} <${address}>`;
}

/**
 * Only an id is a yes: a refusal whose body is `null` comes out of the package as no error at all. A key that was used
 * with other words is one, too: the letter went out, and was then written anew by a newer version of this server that
 * found it unmarked; under another key it would be doubled.
 */
function wasTaken({ data, error }: CreateEmailResponse): boolean {
  return typeof data?.id === 'string' || error?.name === 'invalid_idempotent_request';
}

/**
 * Resend refuses with a name and a status (resend.com/docs/api-reference/errors). Only what is wrong with this very
 * letter is for good: keys, domains, senders and quotas are the operator's to mend, and then the letter goes out.
 */
function toMailError({ error, headers }: CreateEmailResponse): MailError {
  const { name, statusCode, message } = error ?? {};
  const status = typeof statusCode === 'number' ? statusCode : undefined;
  // Without a status nothing was answered that can be understood: time-out, connection, name lookup, or a redirect.
  if (status === undefined) return new MailError('RESEND_UNREACHABLE', false);
  const isAboutLetter = (status === 400 || status === 422) && !/\bfrom\b|domain|sender/i.test(String(message));
  const known = typeof name === 'string' && /^\w{1,40}$/.test(name) ? name : 'refused';
  const isQuota = known.endsWith('_quota_exceeded');
  return new MailError(`RESEND_${status}_${known}`, isAboutLetter, isQuota ? undefined : readRetryAfter(headers));
}

/** Delay in seconds; the date form (RFC 9110, 10.2.3) is not used by Resend. */
function readRetryAfter(headers: CreateEmailResponse['headers']): number | undefined {
  const value = headers?.['retry-after'];
  return value !== undefined && /^\d{1,6}$/.test(value) ? Number(value) : undefined;
}
