import type { App } from '../../core/context.js';
import { AppError, badInput } from '../../core/errors.js';
import { requireEmail, requireUsername } from '../../core/input.js';
import { isAcceptedHash } from '../../core/passwords.js';
import { readProfileChanges } from '../accounts/profile.service.js';

/** The columns of a file of people, in the order of the documentation. */
export const PERSON_COLUMNS = [
  'username',
  'email',
  'emailVerified',
  'passwordHash',
  'displayName',
  'locale',
  'timeZone',
  'createdAt',
  'credits',
] as const;

/** One record of the file, as text; what is absent or empty is not said. */
export type PersonRecord = Partial<Record<(typeof PERSON_COLUMNS)[number], string>>;

/** A person who may come in, as far as the record alone can tell. */
export interface NewPerson {
  username: string;
  usernameKey: string;
  email: string;
  emailKey: string;
  emailVerified: boolean;
  passwordHash: string | null;
  displayName: string | null;
  locale: string;
  timeZone: string;
  createdAt: Date | null;
  /** Opening balance. */
  credits: number;
}

/** Why a record stays outside. Neither holds a value of the record. */
export interface Rejection {
  line: number;
  /** `USERNAME_INVALID`, `EMAIL_TAKEN` … */
  code: string;
  reason: string;
}

const HASHES =
  'is no hash that is accepted: Argon2id as a PHC string (at most 262144 KiB, 10 passes, 4 lanes) or bcrypt (cost 4 to 15)';

/** Names of zones that the database has been asked about, by app: a file has few, and many people in each. */
const knownZones = new WeakMap<App, Set<string>>();

/** The same checks and the same canonical forms as `register` and `updateProfile`. @throws BAD_USER_INPUT */
export async function readPerson(app: App, record: PersonRecord): Promise<NewPerson> {
  const { passwordHash = null, displayName, locale, timeZone = 'UTC' } = record;
  const name = requireUsername(record.username ?? '');
  const address = requireEmail(record.email ?? '');
  if (passwordHash !== null && !isAcceptedHash(passwordHash)) throw badInput({ passwordHash: HASHES });
  const zones = knownZones.get(app) ?? new Set(['UTC']);
  knownZones.set(app, zones);
  const profile = await readProfileChanges(app, {
    ...(displayName !== undefined && { displayName }),
    ...(locale !== undefined && { locale }),
    ...(!zones.has(timeZone) && { timeZone }),
  });
  // Only a name that is already in its canonical form: another spelling is asked about again.
  if (profile.timeZone !== undefined) zones.add(profile.timeZone);
  return {
    ...name,
    ...address,
    emailVerified: readFlag(record.emailVerified),
    passwordHash,
    displayName: profile.displayName ?? null,
    locale: profile.locale ?? 'en',
    timeZone: profile.timeZone ?? timeZone,
    createdAt: readTime(record.createdAt, app.now()),
    credits: readCredits(record.credits),
  };
}

/** What `readPerson` threw, as a line of the report. */
export function toRejection(line: number, error: unknown): Rejection {
  const [field, problem] = Object.entries(error instanceof AppError ? (error.extensions.fields ?? {}) : {})[0] ?? [];
  if (field === undefined) throw error;
  const code = `${field.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}_INVALID`;
  return { line, code, reason: `${field} ${problem}` };
}

function readFlag(text = ''): boolean {
  if (/^(?:true|1|yes|t)$/i.test(text)) return true;
  if (/^(?:|false|0|no|f)$/i.test(text)) return false;
  throw badInput({ emailVerified: 'must be true or false' });
}

/** ISO 8601 with a zone, or a day, which begins in UTC. */
const TIME = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2}))?$/;

function readTime(text: string | undefined, now: Date): Date | null {
  if (text === undefined) return null;
  const time = TIME.test(text) ? new Date(text.replace(' ', 'T')) : new Date(Number.NaN);
  if (Number.isNaN(time.getTime()) || time > now || time.getUTCFullYear() < 1970)
    throw badInput({ createdAt: 'must be a time in the past like 2024-05-31T12:00:00Z, or a day' });
  return time;
}

function readCredits(text = '0'): number {
  const amount = Number(text);
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(amount)) return amount;
  throw badInput({ credits: 'must be a whole number from 0 to 9007199254740991' });
}
