import { and, eq, isNull, sql } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { hasState, transact } from '../../core/database.js';
import { badInput } from '../../core/errors.js';
import { found } from '../../core/input.js';
import { recordAudit } from '../audit/audit.service.js';
import { type UserRow, users } from '../auth/auth.table.js';
import { emitEvent } from '../events/events.service.js';
import { keepAvatar, prepareAvatar } from '../files/avatars.service.js';

const LONGEST_NAME = 80;
const LONGEST_URL = 2_000;
const LONGEST_LOCALE = 35; // BCP 47 (RFC 5646, 4.4.1) asks to allow for that many

/** A BCP 47 language tag in its canonical form. @throws BAD_USER_INPUT */
export function requireLocale(locale: string): string {
  try {
    const [canonical] = locale.length <= LONGEST_LOCALE ? Intl.getCanonicalLocales(locale) : [];
    if (canonical) return canonical;
  } catch {
    // RangeError: not a language tag.
  }
  throw badInput({ locale: 'must be a language tag such as en or pt-BR' });
}

/** Line breaks, NUL and their like, and characters that turn the direction of the text around them (E11). */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Co}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u;

/** One printable line without space around it. @throws BAD_USER_INPUT under `field` */
export function requireLine(text: string, field: string): string {
  const line = text.trim().normalize('NFC');
  if (line === '') throw badInput({ [field]: 'must not be empty' });
  if ([...line].length > LONGEST_NAME) throw badInput({ [field]: `must have at most ${LONGEST_NAME} characters` });
  if (UNPRINTABLE.test(line)) throw badInput({ [field]: 'must not hold control characters' });
  return line;
}

/** A line somebody else says about a person, made to fit or left out. */
export function readableLine(text: string | null): string | null {
  try {
    return text === null ? null : requireLine(text, 'text');
  } catch {
    return null;
  }
}

/** A language somebody else says a person has, if it is one. */
export function readableLocale(locale: string | null): string | null {
  try {
    return locale === null ? null : requireLocale(locale);
  } catch {
    return null;
  }
}

function requireAvatarUrl(text: string): string {
  const url = text.length <= LONGEST_URL ? URL.parse(text) : null;
  if (url?.protocol === 'https:' && url.username === '' && url.password === '' && url.href.length <= LONGEST_URL) {
    return url.href;
  }
  throw badInput({ avatarUrl: `must be an https address of at most ${LONGEST_URL} characters` });
}

/** The name as both calendars know it: ours, which shows times, and the database's, which turns the day. */
async function requireTimeZone(app: App, name: string): Promise<string> {
  try {
    // Offsets such as +01:00 are taken by Intl, too, but no zone is called that.
    if (/^[A-Za-z]/.test(name)) {
      const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions();
      await app.db.execute(sql`select now() at time zone ${timeZone}`);
      return timeZone;
    }
  } catch (error) {
    // 22023: the database does not know it.
    if (!(error instanceof RangeError) && !hasState(error, /^22023$/)) throw error;
  }
  throw badInput({ timeZone: 'must be an IANA time zone such as Europe/Berlin' });
}

export interface ProfileChanges {
  displayName?: string | null | undefined;
  locale?: string | null | undefined;
  timeZone?: string | null | undefined;
  avatarUrl?: string | null | undefined;
  /** Instead of `avatarUrl`. */
  avatarUploadId?: string | null | undefined;
}

/** What was sent and found right; what was left out stays, null clears (language and zone: back to en and UTC). */
export async function readProfileChanges(app: App, changes: ProfileChanges) {
  const { displayName, locale, timeZone, avatarUrl } = changes;
  return {
    ...(displayName !== undefined && {
      displayName: displayName === null ? null : requireLine(displayName, 'displayName'),
    }),
    ...(locale !== undefined && { locale: locale === null ? 'en' : requireLocale(locale) }),
    ...(timeZone !== undefined && { timeZone: timeZone === null ? 'UTC' : await requireTimeZone(app, timeZone) }),
    ...(avatarUrl !== undefined && { avatarUrl: avatarUrl === null ? null : requireAvatarUrl(avatarUrl) }),
  };
}

/**
 * Changes what a person says about themselves. An avatar that was uploaded here and is replaced or cleared is gone
 * with the commit, and deleted by a job.
 *
 * @throws BAD_USER_INPUT; for an upload NOT_FOUND, CONFLICT when it was used before, LIMIT_REACHED, UPSTREAM_FAILED
 */
export async function updateProfile(
  app: App,
  options: { userId: string; changes: ProfileChanges; actor: Actor },
): Promise<UserRow> {
  const { userId, actor } = options;
  const { avatarUploadId, ...others } = options.changes;
  if (avatarUploadId != null && others.avatarUrl !== undefined)
    throw badInput({ avatarUploadId: 'must not be sent together with avatarUrl' });
  const read = await readProfileChanges(app, others);
  const prepared = avatarUploadId == null ? undefined : await prepareAvatar(app, { userId, uploadId: avatarUploadId });
  const changes = prepared ? { ...read, avatarUrl: prepared.path } : read;
  return transact(app, async (app) => {
    const [user] = await app.db
      .update(users)
      .set({ ...changes, updatedAt: app.now() })
      // A deletion that came first must not find a name written over it.
      .where(and(eq(users.id, userId), isNull(users.deletedAt)))
      .returning();
    if (changes.avatarUrl !== undefined) await keepAvatar(app, { userId, prepared });
    // Which fields, not what they hold: audit rows stay when the person is forgotten.
    const after = { fields: Object.keys(changes) };
    await recordAudit(app, {
      actor,
      action: 'user.profile_updated',
      userId,
      target: { kind: 'user', id: userId },
      after,
    });
    await emitEvent(app, { kind: 'user.updated', userId, data: after });
    return found(user);
  });
}
