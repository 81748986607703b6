import { randomBytes } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';

/** What every authenticator app understands: SHA-1, six digits, 30 seconds (RFC 6238, key URI format). */
const FORM = { algorithm: 'SHA1', digits: 6, period: 30 } as const;
/** One step before and after now: clocks differ, and people are slow (RFC 6238, 5.2). */
const WINDOW = 1;
/** 160 bits, the length of the hash (RFC 4226, 4 R6). */
const SECRET_BYTES = 20;

/** A new secret, in base32 as people type it. */
export function makeTotpSecret(): string {
  return new Secret({ size: SECRET_BYTES }).base32;
}

/** The `otpauth://` address that authenticator apps read from a QR code. */
export function totpUri(secret: string, names: { issuer: string; account: string }): string {
  const { issuer, account } = names;
  return new TOTP({ ...FORM, issuer, label: account, secret: Secret.fromBase32(secret) }).toString();
}

/**
 * The time step a code belongs to, undefined when it is none of this moment. A step is the number that must not count
 * twice (RFC 6238, 5.2).
 */
export function stepOfTotpCode(secret: string, options: { code: string; now: Date }): number | undefined {
  const { code, now } = options;
  if (!/^\d{6}$/.test(code)) return undefined;
  const timestamp = now.getTime();
  const totp = new TOTP({ ...FORM, secret: Secret.fromBase32(secret) });
  const delta = totp.validate({ token: code, timestamp, window: WINDOW });
  return delta === null ? undefined : Math.floor(timestamp / 1000 / FORM.period) + delta;
}

/** Crockford's base32: no letter that looks like a digit. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const BACKUP_CHARACTERS = 12; // 60 bits
const BACKUP_CODE = new RegExp(`^[${ALPHABET}]{${BACKUP_CHARACTERS}}$`);

/** A code for the day the device is lost, in groups of four. */
export function makeBackupCode(): string {
  const characters = [...randomBytes(BACKUP_CHARACTERS)].map((byte) => ALPHABET[byte % ALPHABET.length]);
  return characters.join('').replace(/(.{4})(?!$)/g, '$1-');
}

/** The one form of a backup code, however it was typed; undefined when it is none. */
export function canonicalBackupCode(typed: string): string | undefined {
  if (typed.length > 64) return undefined;
  const code = typed.toUpperCase().replace(/[\s-]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1');
  return BACKUP_CODE.test(code) ? code : undefined;
}
