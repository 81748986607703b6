import { createHash } from 'node:crypto';
import type { SMTPPoolOptions, Transporter } from 'nodemailer';
import { type Letter, MailError, type Mailer, oneLine, parseSender, requireRecipient } from './mail.js';
import { isLoopbackHost } from './network.js';

/**
 * Letters by SMTP (RFC 5321). `timeoutMs` is for each wait: name lookup, connection, greeting, answer; the whole of one
 * sending may take four of these.
 */
export function createSmtpMailer(url: string, timeoutMs: number): Mailer {
  let opening: Promise<Transporter> | undefined;
  const open = () => {
    // Loaded when first needed: most processes never send.
    opening ??= import('nodemailer').then(({ createTransport }) => createTransport(smtpOptions(url, timeoutMs)));
    return opening;
  };
  return {
    async send(letter) {
      const message = toMessage(letter);
      const transporter = await open();
      try {
        // A server that trickles its answers runs into none of the single timeouts; this ends it all the same.
        await transporter.sendMail({ ...message, signal: AbortSignal.timeout(4 * timeoutMs) });
      } catch (error) {
        throw toMailError(error);
      }
    },
    async close() {
      (await opening)?.close();
    },
  };
}

/** Connects and signs in as a sending would, and sends nothing. @throws MailError with a code for the operator */
export async function verifySmtp(url: string, timeoutMs: number): Promise<void> {
  const { createTransport } = await import('nodemailer');
  const transporter = createTransport(smtpOptions(url, timeoutMs));
  try {
    await transporter.verify();
  } catch (error) {
    throw toMailError(error);
  } finally {
    transporter.close();
  }
}

/**
 * `smtps://` is TLS from the first byte. `smtp://` must upgrade by STARTTLS, or whoever sits between could strip the
 * offer and read password and links (RFC 8314, 3.1); only a server on this machine, or `?requireTLS=false`, may go without.
 */
function smtpOptions(url: string, timeoutMs: number): SMTPPoolOptions & { pool: true } {
  const { protocol, hostname, searchParams } = new URL(url);
  const isLocal = isLoopbackHost(hostname);
  return {
    url,
    pool: true,
    maxConnections: 4,
    // The outbox repeats, with its own count and pauses; a second repeater underneath would send twice.
    maxRequeues: 0,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
    // A key that the URL names wins over these, which is how `?requireTLS=false` gets through.
    ...(protocol === 'smtp:' && !isLocal && !searchParams.has('requireTLS') && { requireTLS: true }),
  };
}

function toMessage(letter: Letter) {
  const to = requireRecipient(letter.to);
  const from = parseSender(letter.from);
  const key = createHash('sha256').update(letter.idempotencyKey).digest('hex').slice(0, 32);
  return {
    // Objects, so that nothing parses the text of an address a second time.
    from,
    to: { name: '', address: to },
    envelope: { from: from.address, to: [to] },
    subject: oneLine(letter.subject),
    text: letter.text,
    html: letter.html,
    messageId: `<${key}@${from.address.slice(from.address.lastIndexOf('@') + 1)}>`,
    // RFC 3834: holiday answers and ticket systems leave these alone.
    headers: { 'Auto-Submitted': 'auto-generated' },
  };
}

function toMailError(error: unknown): MailError {
  const { code, command, responseCode, permanent } = error as Record<string, unknown>;
  const name = typeof code === 'string' && /^\w{1,40}$/.test(code) ? code : 'EUNKNOWN';
  // A refused sign-in or sender says nothing about the letter: the operator mends it, and the letter goes out.
  const aboutLetter = command === 'RCPT TO' || name === 'EMESSAGE';
  return new MailError(
    typeof responseCode === 'number' ? `${name}_${responseCode}` : name,
    aboutLetter && permanent === true,
  );
}
