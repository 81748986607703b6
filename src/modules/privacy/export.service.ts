// Invariants: everything the privacy map calls EXPORT and nothing else, so no hash, no secret and nobody but the person;
// at most MOST rows of a kind, the newest, and the document says where it stopped.
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { recordAudit } from '../audit/audit.service.js';
import { getUser } from '../auth/users.service.js';
import { type HeldRow, readHeldRows } from './held-rows.service.js';
import { PRIVACY_MAP } from './privacy-map.js';

const MOST = 10_000;

/**
 * Everything that is held about the caller as one JSON document: a list for each kind, `truncated` with the kinds that
 * had more than 10,000 rows. The person's history says that it was made.
 *
 * @throws NOT_FOUND when the person was deleted meanwhile
 */
export async function exportMyData(app: App, options: { userId: string; actor: Actor }): Promise<HeldRow> {
  const { userId, actor } = options;
  return transact(app, async (app) => {
    await getUser(app, userId);
    await recordAudit(app, { actor, action: 'user.data_exported', userId, target: { kind: 'user', id: userId } });
    const sections: Record<string, HeldRow[]> = {};
    const truncated: string[] = [];
    for (const held of PRIVACY_MAP) {
      if (held.section === undefined) continue;
      const { rows } = await readHeldRows(app, { held, userId, limit: MOST + 1 });
      if (rows.length > MOST) truncated.push(held.section);
      sections[held.section] = rows.slice(0, MOST);
    }
    const { profile, ...others } = sections;
    return { exportedAt: app.now().toISOString(), truncated, profile: profile?.[0], ...others };
  });
}
