import type { LetterTexts } from '../letter-texts.js';

const NOT_YOU = 'If this was not you, set a new password now and end your other sessions.';

/** What every other language falls back to. */
export const en: LetterTexts = {
  language: 'en',
  greeting: (username) => `Hello ${username},`,
  linkHint: 'If the button does not work, copy this address into your browser:',
  footer: (brand) => `${brand} sent this letter about an account with this address. Replies to it are not read.`,
  unknownPlace: 'an unknown address',
  letters: {
    WELCOME_VERIFY: {
      subject: 'Welcome! Please verify your email address',
      body: ({ link }) => ({
        paragraphs: ['Your account is ready.', 'Please confirm that this email address is yours.'],
        action: { label: 'Verify email address', link },
        notes: [
          'The link works once, within 24 hours.',
          'If you did not sign up, ignore this letter: without your confirmation the address stays unverified.',
        ],
      }),
    },
    VERIFY_EMAIL: {
      subject: 'Verify your email address',
      body: ({ link }) => ({
        paragraphs: ['Please confirm that this email address is yours.'],
        action: { label: 'Verify email address', link },
        notes: [
          'The link works once, within 24 hours. It replaces the links of earlier letters.',
          'If you did not ask for it, ignore this letter.',
        ],
      }),
    },
    ALREADY_REGISTERED: {
      subject: 'You already have an account',
      body: ({ link }) => ({
        paragraphs: [
          'Somebody, perhaps you, tried to sign up with this email address. It has an account already, so no second one was made.',
          'Sign in with the password you have. If you no longer know it, set a new one.',
        ],
        action: { label: 'Set a new password', link },
        notes: [
          'The link works once, within 30 minutes.',
          'If you did not try to sign up, ignore this letter: nothing has changed.',
        ],
      }),
    },
    RESET_PASSWORD: {
      subject: 'Set a new password',
      body: ({ link }) => ({
        paragraphs: ['We were asked for a new password for your account.'],
        action: { label: 'Set a new password', link },
        notes: [
          'The link works once, within 30 minutes. It replaces the links of earlier letters.',
          'If you did not ask for it, ignore this letter: your password stays as it is.',
        ],
      }),
    },
    PASSWORD_CHANGED: {
      subject: 'Your password was changed',
      body: ({ when, ip }) => ({
        paragraphs: [
          `The password of your account was changed on ${when}, from ${ip}.`,
          'Your other sessions were signed out.',
        ],
        notes: [
          'If this was not you, ask for a new password on the sign-in page at once, and check that the account still has your email address.',
        ],
      }),
    },
    EMAIL_CHANGE_CONFIRM: {
      subject: 'Confirm your new email address',
      body: ({ link }) => ({
        paragraphs: [
          'This address is to become the email address of your account. Until you confirm it, the old one stays.',
        ],
        action: { label: 'Confirm new address', link },
        notes: [
          'The link works once, within 30 minutes.',
          'If you did not ask for it, ignore this letter: nothing will change.',
        ],
      }),
    },
    EMAIL_CHANGE_WARNING: {
      subject: 'Your email address is about to change',
      body: ({ newEmailMasked, link }) => ({
        paragraphs: [
          `We were asked to change the email address of your account to ${newEmailMasked}.`,
          'If this was you, there is nothing to do here: confirm it in the letter to the new address.',
          'If it was not you, somebody else is using your account. Stop the change, and set a new password afterwards.',
        ],
        action: { label: 'Keep my address', link },
        notes: ['The link works for 72 hours, also after the change.'],
      }),
    },
    EMAIL_CHANGED: {
      subject: 'Your email address was changed',
      body: () => ({
        paragraphs: ['Your account now has a new email address.'],
        notes: [
          'If this was not you, use the link in the warning that went to your old address before; it works for 72 hours.',
        ],
      }),
    },
    RECOVERY_PHRASE_CREATED: {
      subject: 'A recovery phrase was created',
      body: () => ({
        paragraphs: [
          'A new recovery phrase of 12 words was created for your account. An earlier phrase no longer works.',
          'Whoever has the phrase can set a new password: keep it offline.',
        ],
        notes: [NOT_YOU],
      }),
    },
    ACCOUNT_RECOVERED: {
      subject: 'Your account was recovered',
      body: () => ({
        paragraphs: [
          'Your recovery phrase was used to set a new password. All sessions were signed out, and the phrase no longer works.',
          'Create a new phrase after signing in.',
        ],
        notes: [
          'If this was not you, ask for a new password on the sign-in page at once: that locks the other person out.',
        ],
      }),
    },
    SESSION_REUSE: {
      subject: 'We signed out one of your sessions',
      body: ({ when, ip }) => ({
        paragraphs: [
          `An outdated sign-in token of yours was used on ${when}, from ${ip}. It may have been copied from one of your devices, so we ended that session.`,
          'If you find yourself signed out somewhere, just sign in again.',
        ],
        notes: ['If you do not recognise this, set a new password and end your other sessions.'],
      }),
    },
    API_KEY_CREATED: {
      subject: 'An API key was created',
      body: ({ keyName }) => ({
        paragraphs: [
          `A new API key named “${keyName}” was created for your account. It can read what its scopes allow until it expires or you revoke it.`,
        ],
        notes: ['If this was not you, revoke the key, set a new password and end your other sessions.'],
      }),
    },
    INVITATION: {
      subject: 'You are invited',
      body: ({ link, invitedBy }) => ({
        paragraphs: [
          `${invitedBy} made an account for you.`,
          'Choose a password to begin. You can sign in with this email address.',
        ],
        action: { label: 'Choose a password', link },
        notes: [
          'The link works once, within 72 hours.',
          'If you do not expect this, ignore this letter: nobody can use the account without the link.',
        ],
      }),
    },
    SECOND_FACTOR_ENABLED: {
      subject: 'Two-step sign-in is on',
      body: () => ({
        paragraphs: [
          'From now on signing in takes a code of your authenticator app besides the password. Your other sessions were signed out.',
          'Keep the backup codes offline: each of them works once, for the day you lose the app.',
        ],
        notes: [NOT_YOU],
      }),
    },
    SECOND_FACTOR_DISABLED: {
      subject: 'Two-step sign-in is off',
      body: ({ when, ip }) => ({
        paragraphs: [
          `Two-step sign-in was switched off on ${when}, from ${ip}. Signing in takes only your password now.`,
          'Your other sessions were signed out.',
        ],
        notes: [NOT_YOU],
      }),
    },
    SECOND_FACTOR_REMOVED: {
      subject: 'Two-step sign-in was taken off your account',
      body: ({ when, reason }) => ({
        paragraphs: [
          `On ${when} an operator of this service took two-step sign-in off your account.`,
          `Reason given: ${reason}`,
          'Signing in takes only your password now, and all your sessions were signed out. Set two-step sign-in up again soon.',
        ],
        notes: ['If you did not ask for it, set a new password now, and write to the people who run this service.'],
      }),
    },
    BACKUP_CODES_REPLACED: {
      subject: 'You have new backup codes',
      body: () => ({
        paragraphs: ['New backup codes were made for your account. The earlier ones no longer work.'],
        notes: [NOT_YOU],
      }),
    },
    ACCOUNT_SUSPENDED: {
      subject: 'Your account is suspended',
      body: ({ reason }) => ({
        paragraphs: [
          'Your account was suspended. You cannot sign in for now, and all sessions were ended.',
          `Reason given: ${reason}`,
        ],
        notes: ['If you think this is a mistake, write to the people who run this service.'],
      }),
    },
    ACCOUNT_DELETED: {
      subject: 'Your account was deleted',
      body: ({ when }) => ({
        paragraphs: [
          'Your account was deleted. All sessions and keys were ended, and your user name and address are free again.',
          `Until ${when} it can be brought back. After that everything about you is destroyed for good.`,
        ],
        notes: [
          'To come back, or if this was not you, write to the people who run this service before that day, from this address.',
        ],
      }),
    },
    ACCOUNT_RESTORED: {
      subject: 'Your account is back',
      body: ({ username }) => ({
        paragraphs: [
          `Your account was brought back. Its user name is ${username}, and your password is the one you had.`,
          'Sign in anew; sessions and keys from before stay ended.',
        ],
        notes: ['If you did not ask for this, write to the people who run this service.'],
      }),
    },
    IMPERSONATED: {
      subject: 'An operator opened your account',
      body: ({ when, reason }) => ({
        paragraphs: [
          `On ${when} an operator of this service opened your account to see it as you do. It ends by itself after 15 minutes.`,
          `Reason given: ${reason}`,
          'They cannot change your password, your address, your keys or what you pay.',
        ],
        notes: [
          'It stands in your security history and, while it lasts, among your sessions, where you can end it.',
          'If you did not expect this, write to the people who run this service.',
        ],
      }),
    },
    PROVIDER_WELCOME: {
      subject: 'Welcome! Your account is ready',
      body: ({ provider }) => ({
        paragraphs: [
          `Your account was made when you signed in with ${provider}. Its address counts as verified.`,
          'It has no password: sign in the same way again, or ask for a new password on the sign-in page to have one.',
        ],
        notes: ['If this was not you, write to the people who run this service.'],
      }),
    },
    PROVIDER_LINKED: {
      subject: 'A new way to sign in to your account',
      body: ({ provider, when, ip }) => ({
        paragraphs: [
          `An account at ${provider} was linked with yours on ${when}, from ${ip}. It can sign in from now on.`,
        ],
        notes: [
          'If this was not you, sign in, remove the linked account in your settings and set a new password at once.',
        ],
      }),
    },
    PROVIDER_TOOK_OVER: {
      subject: 'Your account is now yours alone',
      body: ({ provider }) => ({
        paragraphs: [
          `Somebody had made an account with your address without proving it. You proved it by signing in with ${provider}, so the account is yours.`,
          'Its earlier password, sessions and keys no longer work.',
        ],
        notes: ['If you made it yourself, there is nothing to do: set a new password if you want one.'],
      }),
    },
    PROVIDER_UNLINKED: {
      subject: 'A way to sign in was removed',
      body: ({ provider, when, ip }) => ({
        paragraphs: [
          `The account at ${provider} was unlinked from yours on ${when}, from ${ip}. It can no longer sign in.`,
          'Your other sessions were signed out.',
        ],
        notes: [NOT_YOU],
      }),
    },
    PROVIDER_SIGN_IN: {
      subject: 'A sign-in from a new device',
      body: ({ provider, when, ip }) => ({
        paragraphs: [
          `Your account was signed in to with ${provider} on ${when}, from ${ip}, on a device it was not used on before.`,
        ],
        notes: ['If this was not you, secure your account there first, then end your other sessions here.'],
      }),
    },
    DATA_EXPORT_READY: {
      subject: 'Your data export is ready',
      body: ({ when }) => ({
        paragraphs: [
          'The file with everything that is held about you is ready. To fetch it, sign in and confirm your password.',
          `It is deleted on ${when}.`,
        ],
        notes: [NOT_YOU],
      }),
    },
    WEBHOOK_DISABLED: {
      subject: 'A webhook endpoint was turned off',
      body: ({ host, when }) => ({
        paragraphs: [
          `Events are no longer sent to ${host}.`,
          `It was turned off on ${when}, because it said that it is gone or took nothing for three days.`,
        ],
        notes: [
          'Turn it on again once it works, and send it what it missed: updateWebhookEndpoint and redeliverWebhook.',
        ],
      }),
    },
    ACCOUNT_ERASED: {
      subject: 'Your data was erased',
      body: () => ({
        paragraphs: [
          'Your account and everything that was kept about you were erased. They cannot be brought back.',
          'Entries in the books remain, without your name.',
        ],
      }),
    },
    PAYMENT_RECEIVED: {
      subject: 'We have received your payment',
      body: ({ amount, product }) => ({
        paragraphs: [`We have received ${amount} for ${product}. Thank you.`],
        notes: ['You find invoices and receipts in the billing area of your account.'],
      }),
    },
    PAYMENT_FAILED: {
      subject: 'Your payment did not go through',
      body: ({ amount, product }) => ({
        paragraphs: [
          `We could not collect ${amount} for ${product}.`,
          'Please check your payment method. We will try again over the next days; if that fails, too, the subscription ends.',
        ],
        notes: ['If you have put it right already, there is nothing to do.'],
      }),
    },
    SUBSCRIPTION_ENDING: {
      subject: 'Your subscription will end',
      body: ({ product, when }) => ({
        paragraphs: [`${product} will not be renewed. You keep it until ${when}, and nothing more will be charged.`],
        notes: ['Until then you can change your mind in the billing area of your account.'],
      }),
    },
    SUBSCRIPTION_ENDED: {
      subject: 'Your subscription has ended',
      body: ({ product }) => ({
        paragraphs: [`${product} has ended. Nothing more will be charged.`],
        notes: ['Your account and the credits in it stay.'],
      }),
    },
  },
};
