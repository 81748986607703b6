import { lt, sql } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { activeDays } from './activity.table.js';

const DAY_MS = 86_400_000;
/** A year and a month: what `statistics` can be asked for, and the month before it to compare with. */
const KEEP_DAYS = 397;
const AT_ONCE = 1_000;

/** Forgets who was here more than a year ago, a thousand rows at a time. Answers how many went. */
export async function deleteOldActivity(app: App): Promise<number> {
  const before = new Date(app.now().getTime() - KEEP_DAYS * DAY_MS).toISOString().slice(0, 10);
  const { day, userId } = activeDays;
  for (let deleted = 0; ; ) {
    const some = app.db.select({ day, userId }).from(activeDays).where(lt(day, before)).limit(AT_ONCE);
    const gone = await app.db.delete(activeDays).where(sql`(${day}, ${userId}) in ${some}`).returning({ day });
    deleted += gone.length;
    if (gone.length < AT_ONCE) return deleted;
  }
}
