import type { PageTexts } from '../page-texts.js';

/** Problems of a password are told as "must have …", or as whole sentences. */
const sentenceOf = (problem: string) => (/^\p{Ll}/u.test(problem) ? `The password ${problem}.` : problem);

export const en: PageTexts = {
  language: 'en',
  pages: {
    '/verify-email': {
      title: 'Verify your email address',
      intro: 'Press the button to confirm that this email address is yours.',
      button: 'Verify email address',
      done: 'Your email address is verified. You can close this page.',
    },
    '/reset-password': {
      title: 'Set a new password',
      intro: 'Choose a new password for your account. All your sessions will be signed out.',
      button: 'Set new password',
      done: 'Your new password is set. Sign in with it.',
    },
    '/confirm-email-change': {
      title: 'Confirm your new email address',
      intro: 'Press the button to make this your email address.',
      button: 'Confirm new address',
      done: 'Your account has its new email address. You can close this page.',
    },
    '/undo-email-change': {
      title: 'Keep your email address',
      intro: 'Press the button to stop or undo the change of your email address.',
      button: 'Keep my address',
      done: 'Your account keeps this email address. Set a new password now: somebody else may know the old one.',
    },
    '/accept-invitation': {
      title: 'Choose your password',
      intro: 'Your account is waiting. Choose a password to begin.',
      button: 'Choose password',
      done: 'Your password is set. You can sign in now.',
    },
  },
  afterCheckout: {
    complete: {
      title: 'Thank you',
      text: 'Your payment is on its way. It counts as soon as Stripe confirms it, in most cases within seconds. You can close this page.',
    },
    canceled: { title: 'Nothing was paid', text: 'You left before paying. You can close this page.' },
  },
  done: 'Done',
  failed: 'That did not work',
  problem: (title) => `Problem: ${title}`,
  incomplete: {
    title: 'This link is incomplete',
    advice: 'Part of the address is missing. Copy the whole link from the letter into your browser.',
  },
  problems: {
    TOKEN_INVALID: 'This link is not valid.',
    TOKEN_EXPIRED: 'This link has expired.',
    ACCOUNT_SUSPENDED: 'The account is suspended.',
    USER_ALREADY_EXISTS: 'This address belongs to another account by now.',
    RATE_LIMITED: 'Too many attempts. Wait a moment and try again.',
    RETRY_LATER: 'That is not possible right now. Try again in a moment.',
    INTERNAL_SERVER_ERROR: 'Something went wrong on our side.',
  },
  askAgain: 'The link was used already, is too old, or was replaced by a newer letter. Ask for a new letter.',
  request: (id) => `Request ${id}`,
  password: 'New password',
  repeated: 'The same again',
  rule: (minLength) => `At least ${minLength} characters. Several words make a good password.`,
  different: 'The two passwords are not the same.',
  weak: ({ sentences }) => (sentences.length > 0 ? sentences.map(sentenceOf) : ['The password is too weak.']),
};
