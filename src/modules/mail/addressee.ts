/** Whom a letter goes to, and how they read. */
export interface Addressee {
  /** The stored address, never what a request typed (it may only look the same). */
  to: string;
  /** BCP 47; a language without texts gets English. */
  locale: string;
  /** IANA name: times in the letter are by its clock. */
  timeZone: string;
  /** Whom it is about, when that is a user. */
  userId?: string | null;
}

/** Admins and staff can set neither language nor time zone. */
export const OPERATORS_READ = { locale: 'en', timeZone: 'UTC' } as const;

/** A user as their row has them; hand in the row as it was before to reach an old address. */
export function addressUser(user: { id: string; email: string; locale: string; timeZone: string }): Addressee {
  return { to: user.email, locale: user.locale, timeZone: user.timeZone, userId: user.id };
}
