import type { LetterData } from './letter-texts.js';

/** What a letter looks like without anybody's data: for previews. Links open nothing; what people write stands in English. */
export function sampleLetters({ now, baseUrl }: { now: Date; baseUrl: string }): LetterData {
  const username = 'ada';
  const when = now;
  const ip = '192.0.2.10';
  const link = (page: string) => `${baseUrl}/${page}?token=a-sample-that-opens-nothing`;
  return {
    WELCOME_VERIFY: { username, link: link('verify-email') },
    VERIFY_EMAIL: { username, link: link('verify-email') },
    ALREADY_REGISTERED: { username, link: link('reset-password') },
    RESET_PASSWORD: { username, link: link('reset-password') },
    PASSWORD_CHANGED: { username, when, ip },
    EMAIL_CHANGE_CONFIRM: { username, link: link('confirm-email-change') },
    EMAIL_CHANGE_WARNING: { username, newEmailMasked: 'g…@example.com', link: link('undo-email-change') },
    EMAIL_CHANGED: { username },
    RECOVERY_PHRASE_CREATED: { username },
    ACCOUNT_RECOVERED: { username },
    SESSION_REUSE: { username, when, ip: null },
    API_KEY_CREATED: { username, keyName: 'Monthly report' },
    INVITATION: { username, link: link('accept-invitation'), invitedBy: 'grace' },
    ACCOUNT_SUSPENDED: { username, reason: 'Several people reported messages from this account.' },
    SECOND_FACTOR_ENABLED: { username },
    SECOND_FACTOR_DISABLED: { username, when, ip },
    SECOND_FACTOR_REMOVED: { username, when, reason: 'You lost your phone and proved who you are.' },
    BACKUP_CODES_REPLACED: { username },
    ACCOUNT_DELETED: { username, when },
    ACCOUNT_RESTORED: { username },
    IMPERSONATED: { username, when, reason: 'You asked us why your balance looks wrong.' },
    PROVIDER_WELCOME: { username, provider: 'Google', when, ip },
    PROVIDER_LINKED: { username, provider: 'Google', when, ip },
    PROVIDER_TOOK_OVER: { username, provider: 'Google', when, ip },
    PROVIDER_UNLINKED: { username, provider: 'Google', when, ip },
    PROVIDER_SIGN_IN: { username, provider: 'Google', when, ip },
    DATA_EXPORT_READY: { username, when },
    ACCOUNT_ERASED: { username },
    WEBHOOK_DISABLED: { username, host: 'hooks.example.com', when },
    PAYMENT_RECEIVED: { username, product: '1,000 credits', amount: '1999 EUR' },
    PAYMENT_FAILED: { username, product: 'Pro', amount: '1200 EUR' },
    SUBSCRIPTION_ENDING: { username, product: 'Pro', when },
    SUBSCRIPTION_ENDED: { username, product: 'Pro' },
  };
}
