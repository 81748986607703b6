import type { Config } from './config.js';
import type { Mailer } from './mail.js';
import { createMailbox } from './mailbox.js';
import { createResendMailer } from './mailer-resend.js';
import { createSmtpMailer } from './mailer-smtp.js';

export interface MailerOptions {
  /** For each wait of SMTP, and for the whole answer of Resend. */
  timeoutMs?: number;
}

/** The way letters leave: Resend, SMTP, or files in `<dataDir>/mailbox` that every process with this directory can read. */
export function createMailer(
  { mail, dataDir }: Pick<Config, 'mail' | 'dataDir'>,
  { timeoutMs = 5_000 }: MailerOptions = {},
): Mailer {
  if (mail.transport === 'resend') return createResendMailer(mail.resend, timeoutMs);
  if (mail.transport === 'smtp') return createSmtpMailer(mail.smtpUrl, timeoutMs);
  return createMailbox(dataDir);
}
