// Invariants: a person's new key seals from the commit on; everything written before stays readable at every moment,
// because an older key goes only when nothing is left under it, and when nobody who took it up to seal can still be
// about to write; erasing takes whatever keys there are, at whatever point of this it comes (V3, V4).
import { type SQL, sql } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { requireId, requireReason } from '../../core/input.js';
import { recordAudit } from '../audit/audit.service.js';
import {
  findOpeningKeys,
  findPeopleWithOldKeys,
  replaceOldKeys,
  replaceSealingKey,
} from '../data-keys/data-keys.service.js';
import { dataKeys } from '../data-keys/data-keys.table.js';
import { storedFiles } from '../files/files.table.js';
import { messageLogs } from '../messages/messages.table.js';
import { resealMessages } from '../messages/resealing.service.js';
import { lockUser } from './leaving.service.js';
import { deletedUsers } from './privacy.table.js';
import { resealSnapshot } from './snapshots.service.js';

/** Far longer than any statement or transaction may take, in which somebody writes under a key read before. */
const STILL_WRITING_MS = 3_600_000;

/**
 * Gives a person a new key at once. What was sealed under the earlier ones is sealed anew by the next run of a job, and
 * an hour later they are destroyed.
 *
 * @returns the number of the new key
 * @throws BAD_USER_INPUT, NOT_FOUND
 */
export async function rotateDataKey(
  app: App,
  options: { userId: string; reason: string; actor: Actor },
): Promise<number> {
  const { actor } = options;
  const userId = requireId(options.userId, 'userId');
  const reason = requireReason(options.reason);
  return transact(app, async (app) => {
    const user = await lockUser(app, userId);
    if (user.deletedAt) throw new AppError('NOT_FOUND');
    const generation = await replaceSealingKey(app, userId);
    const target = { kind: 'user', id: userId };
    const after = { generation };
    await recordAudit(app, { actor, action: 'user.data_key_rotated', userId, target, after, reason });
    return generation;
  });
}

/**
 * Replaces keys that have grown old, seals anew what is under those that were replaced, and takes away the ones that
 * nothing is left under. For a job; may be cut off anywhere, and may run in several instances at once.
 *
 * @returns how many entries and snapshots were sealed anew
 */
export async function rotateDataKeys(app: App): Promise<number> {
  while ((await replaceOldKeys(app)) > 0);
  let resealed = 0;
  let after: string | undefined;
  for (;;) {
    const people = await findPeopleWithOldKeys(app, { after });
    for (const userId of people) {
      try {
        resealed += await resealPerson(app, userId);
      } catch (error) {
        // One whose rows are in the way keeps no other.
        app.log.error({ err: error, userId }, 'what is kept of a person could not be sealed under their new key');
      }
    }
    after = people.at(-1);
    if (after === undefined) return resealed;
  }
}

async function resealPerson(app: App, userId: string): Promise<number> {
  const keys = (await findOpeningKeys(app, [userId])).get(userId) ?? [];
  const entries = await resealMessages(app, { userId, keys });
  const snapshots = await resealSnapshot(app, { userId, keys });
  await removeUnusedKeys(app, userId);
  return entries + snapshots;
}

/** Whether a text is under the key of the row of `data_keys` that is looked at. */
const isUnderKey = (sealed: SQL) => sql`starts_with(${sealed}, 'd1.' || ${dataKeys.generation} || '.')`;

/** A file of a data export is not sealed anew: it lives for a day, and the keys wait for its end. */
async function removeUnusedKeys(app: App, userId: string): Promise<void> {
  const before = sql.param(new Date(app.now().getTime() - STILL_WRITING_MS), dataKeys.supersededAt);
  await app.db.delete(dataKeys).where(sql`
    ${dataKeys.userId} = ${userId} and ${dataKeys.supersededAt} < ${before} and ${dataKeys.sealedKey} is not null
    and not exists (select from ${messageLogs} where ${messageLogs.userId} = ${userId}
                      and ${isUnderKey(sql`${messageLogs.sealedContent}`)})
    and not exists (select from ${deletedUsers} where ${deletedUsers.userId} = ${userId}
                      and ${isUnderKey(sql`${deletedUsers.sealedSnapshot}`)})
    and not exists (select from ${storedFiles} where ${storedFiles.userId} = ${userId}
                      and ${storedFiles.kind} = 'DATA_EXPORT')`);
}
