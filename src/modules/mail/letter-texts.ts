/** What was done with an identity at a provider (Google, or its host name), when and from where. */
interface ProviderAct {
  username: string;
  provider: string;
  when: Date | string;
  ip: string | null;
}

/** What each letter needs to be written. Values are as the caller has them; `cleanData` makes them fit to print. */
export interface LetterData {
  WELCOME_VERIFY: { username: string; link: string };
  VERIFY_EMAIL: { username: string; link: string };
  /** Somebody tried to sign up with an address that has an account; the link sets a new password. */
  ALREADY_REGISTERED: { username: string; link: string };
  RESET_PASSWORD: { username: string; link: string };
  PASSWORD_CHANGED: { username: string; when: Date | string; ip: string | null };
  /** To the new address. */
  EMAIL_CHANGE_CONFIRM: { username: string; link: string };
  /** To the old address; the link undoes the change. */
  EMAIL_CHANGE_WARNING: { username: string; newEmailMasked: string; link: string };
  EMAIL_CHANGED: { username: string };
  RECOVERY_PHRASE_CREATED: { username: string };
  ACCOUNT_RECOVERED: { username: string };
  /** An old refresh token came back: the session was ended. */
  SESSION_REUSE: { username: string; when: Date | string; ip: string | null };
  API_KEY_CREATED: { username: string; keyName: string };
  INVITATION: { username: string; link: string; invitedBy: string };
  ACCOUNT_SUSPENDED: { username: string; reason: string };
  SECOND_FACTOR_ENABLED: { username: string };
  SECOND_FACTOR_DISABLED: { username: string; when: Date | string; ip: string | null };
  /** An operator took it off. */
  SECOND_FACTOR_REMOVED: { username: string; when: Date | string; reason: string };
  BACKUP_CODES_REPLACED: { username: string };
  /** Everything can still be brought back until then. */
  ACCOUNT_DELETED: { username: string; when: Date | string };
  ACCOUNT_RESTORED: { username: string };
  /** An operator began to act in the person's name. */
  IMPERSONATED: { username: string; when: Date | string; reason: string };
  /** An account was made by signing in at a provider. */
  PROVIDER_WELCOME: ProviderAct;
  PROVIDER_LINKED: ProviderAct;
  /** The same, to an account whose address nobody had proven: all that could open it before was dropped. */
  PROVIDER_TOOK_OVER: ProviderAct;
  PROVIDER_UNLINKED: ProviderAct;
  /** From a device that the account was not used from before. */
  PROVIDER_SIGN_IN: ProviderAct;
  /** The file is there until then. */
  DATA_EXPORT_READY: { username: string; when: Date | string };
  /** To admins: an endpoint went off by itself. `host` is part of its address. */
  WEBHOOK_DISABLED: { username: string; host: string; when: Date | string };
  /** For good. */
  ACCOUNT_ERASED: { username: string };
  /** Amounts in the currency's minor unit: `1999 EUR`. */
  PAYMENT_RECEIVED: { username: string; product: string; amount: string };
  PAYMENT_FAILED: { username: string; product: string; amount: string };
  /** It will not be renewed, and counts until then. */
  SUBSCRIPTION_ENDING: { username: string; product: string; when: Date | string };
  SUBSCRIPTION_ENDED: { username: string; product: string };
}

export type LetterKind = keyof LetterData;

/** `LetterData` as a template sees it: every value a short line that is safe to print. */
export type CleanData<K extends LetterKind> = { readonly [field in keyof LetterData[K]]: string };

export interface LetterBody {
  /** One paragraph each. */
  readonly paragraphs: readonly string[];
  /** The one thing to do, if there is one. */
  readonly action?: { readonly label: string; readonly link: string };
  /** Small print below the action. */
  readonly notes?: readonly string[];
}

interface LetterText<K extends LetterKind> {
  /** A constant, so that nothing a person typed can stand in a subject. */
  readonly subject: string;
  body(data: CleanData<K>): LetterBody;
}

/**
 * One language: a file in `letters/`, listed in `letters.ts`. A kind added to `LetterData` does not compile before every
 * language has its words. Forms of address are one for each language (see the head of its `LetterTexts`).
 */
export interface LetterTexts {
  /** For the `lang` attribute and for dates (BCP 47). */
  readonly language: string;
  greeting(username: string): string;
  /** Above the link written out, for readers whose button does not work. */
  readonly linkHint: string;
  /** Why this letter came, at its foot. */
  footer(brand: string): string;
  /** Stands for an address that is not known. */
  readonly unknownPlace: string;
  readonly letters: { readonly [K in LetterKind]: LetterText<K> };
}
