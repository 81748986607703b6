import { createHash } from 'node:crypto';
import type { SMTPPoolOptions, Transporter } from 'nodemailer';
import type { Config } from './config.js';
import { createMailbox } from './mailbox.js';

export interface Letter {
  /** One address, without a name. */
  to: string;
  /** `Name <address>` or an address: the operator's setting. */
  from: string;
  subject: string;
  text: string;
  html: string;
  /** The same letter sent twice carries the same key: the mailbox keeps one, receivers see one Message-ID. */
  idempotencyKey: string;
}

/** A letter in the development mailbox. */
export interface StoredLetter {
  id: string;
  to: string;
  subject: string;
  text: string;
  html: string;
  /** Every http(s) link of the text, in order. */
  links: string[];
  /** RFC 3339, UTC. */
  createdAt: string;
}

export interface Mailer {
  /** Resolves when the next server (or the mailbox) has taken the letter. Throws `MailError`. */
  send(letter: Letter): Promise<void>;
  /** Newest first. The development mailbox only. */
  list?(): Promise<StoredLetter[]>;
  close(): Promise<void>;
}

/** A letter was not taken. Holds a short code that may be stored and logged, never an address or a sentence of the server. */
export class MailError extends Error {
  constructor(
    /** Such as `ETIMEDOUT` or `EENVELOPE_550`. */
    readonly code: string,
    /** The receiving side refused this very letter for good; trying again is of little use. */
    readonly permanent: boolean,
  ) {
    super(code);
    this.name = 'MailError';
  }
}

export interface MailerOptions {
  /** For each wait: name lookup, connection, greeting, answer. The whole of one sending may take four of these. */
  timeoutMs?: number;
}

/** The way letters leave: SMTP, or files in `<dataDir>/mailbox` that every process with this directory can read. */
export function createMailer(config: Pick<Config, 'mail' | 'dataDir'>, options: MailerOptions = {}): Mailer {
  const { transport, smtpUrl } = config.mail;
  if (transport === 'mailbox') return createMailbox(config.dataDir);
  if (smtpUrl === undefined) throw new Error('mail.smtpUrl is required for the smtp transport');
  return createSmtpMailer(smtpUrl, options.timeoutMs ?? 5_000);
}

function createSmtpMailer(url: string, timeoutMs: number): Mailer {
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

/**
 * `smtps://` is TLS from the first byte. `smtp://` must upgrade by STARTTLS, or whoever sits between could strip the
 * offer and read password and links (RFC 8314, 3.1); only a server on this machine, or `?requireTLS=false`, may go without.
 */
function smtpOptions(url: string, timeoutMs: number): SMTPPoolOptions & { pool: true } {
  const { protocol, hostname, searchParams } = new URL(url);
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
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

/** One recipient, exactly; no character that could begin another header, address or SMTP command. */
const ONE_ADDRESS = /^[^\s\p{C}<>()[\]\\,;:"@]{1,64}@[^\s\p{C}<>()[\]\\,;:"@]{1,255}$/u;

function toMessage(letter: Letter) {
  if (!ONE_ADDRESS.test(letter.to)) throw new MailError('EADDRESS', true);
  const from = parseSender(letter.from);
  const key = createHash('sha256').update(letter.idempotencyKey).digest('hex').slice(0, 32);
  return {
    // Objects, so that nothing parses the text of an address a second time.
    from,
    to: { name: '', address: letter.to },
    envelope: { from: from.address, to: [letter.to] },
    subject: oneLine(letter.subject),
    text: letter.text,
    html: letter.html,
    messageId: `<${key}@${from.address.slice(from.address.lastIndexOf('@') + 1)}>`,
    // RFC 3834: holiday answers and ticket systems leave these alone.
    headers: { 'Auto-Submitted': 'auto-generated' },
  };
}

/** `Name <address>` or `address`, as the setting has it. */
export function parseSender(from: string): { name: string; address: string } {
  const match = /^(?<name>[^<>]*)<(?<address>[^<>]+)>\s*$/.exec(from)?.groups;
  const address = (match?.address ?? from).trim();
  if (!ONE_ADDRESS.test(address)) throw new MailError('ESENDER', false);
  return { name: oneLine(match?.name ?? '').replace(/^"(.*)"$/, '$1'), address };
}

/** Without control characters and line ends (CWE-93). */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
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
