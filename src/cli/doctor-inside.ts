import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { listAdminsWith } from '../modules/admin/admins.service.js';
import { inspectSigningKeys } from '../modules/auth/signing-keys.service.js';
import { readOutboxState } from '../modules/mail/outbox.service.js';
import { type Check, type Finding, ok, problem, type Scope, warning } from './doctor-scope.js';

/** What is stored: only where the database can be asked. */
export const INSIDE_CHECKS: readonly Check[] = [
  { name: 'keys', look: lookAtKeys },
  { name: 'admins', look: lookAtAdmins },
  { name: 'letters', look: lookAtLetters },
];

const DAY_MS = 86_400_000;
/** A key signs for 30 days; the job that changes it runs every hour. */
const OLD_DAYS = 32;

async function lookAtKeys({ app, config }: Scope): Promise<Finding[]> {
  if (!app) return [];
  const { currentSince, sealed, opened } = await inspectSigningKeys(app);
  if (sealed > opened) {
    const isMissing = !config.encryptionKey && !existsSync(resolve(config.dataDir, 'encryption.key'));
    const why = isMissing ? 'there is no encryption key here' : 'this is another encryption key';
    const advice =
      'Put back the ENCRYPTION_KEY (or DATA_DIR/encryption.key) that this database was made with: no server starts without it.';
    return [problem(`${sealed - opened} of ${sealed} stored signing keys cannot be opened: ${why}.`, advice)];
  }
  if (currentSince === undefined) return [ok('No signing keys yet: the first start makes them.')];
  const days = Math.floor((Date.now() - currentSince.getTime()) / DAY_MS);
  const shown = `The key that signs tokens is ${days} days old.`;
  if (days <= OLD_DAYS) return [ok(`${shown} The encryption key opens what is stored.`)];
  return [
    warning(
      shown,
      'A running server changes it every 30 days: is one running? "credence keys rotate" does it by hand.',
    ),
  ];
}

async function lookAtAdmins({ app }: Scope): Promise<Finding[]> {
  if (!app) return [];
  const managers = await listAdminsWith(app, 'admins:manage');
  const able = managers.filter(({ passwordHash }) => passwordHash !== null).length;
  if (able > 0) return [ok(`${able} of the admins can make others.`)];
  return [warning('No admin can make others.', 'The first start makes one; "credence admin create" does, too.')];
}

const LATE_SECONDS = 300;

async function lookAtLetters({ app }: Scope): Promise<Finding[]> {
  if (!app) return [];
  const { queued, dead, oldestSeconds } = await readOutboxState(app);
  const findings: Finding[] = [];
  if (oldestSeconds > LATE_SECONDS)
    findings.push(
      warning(
        `The oldest of ${queued} letters has waited for ${Math.round(oldestSeconds / 60)} minutes.`,
        'Is a server running, and does the mail server take letters? "EmailDeliveries" in the playground says why.',
      ),
    );
  if (dead > 0)
    findings.push(
      warning(
        `${dead} letters were given up.`,
        '"EmailDeliveries" in the playground says why; retryEmailDelivery sends them again.',
      ),
    );
  return findings.length > 0 ? findings : [ok(`${queued} letters wait.`)];
}
