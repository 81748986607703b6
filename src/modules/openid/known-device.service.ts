import { and, eq, gt, isNull } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { sessions } from '../auth/auth.table.js';

const DAYS = 90;

/** Whether the person had a session from this address and browser in the last 90 days. */
export async function isKnownDevice(app: App, options: { userId: string; actor: Actor }): Promise<boolean> {
  const { userId, actor } = options;
  if (!actor.ip) return false;
  const since = new Date(app.now().getTime() - DAYS * 86_400_000);
  const isSameBrowser = actor.userAgent === null ? isNull(sessions.userAgent) : eq(sessions.userAgent, actor.userAgent);
  const [session] = await app.db
    .select({ id: sessions.id })
    .from(sessions)
    .where(and(eq(sessions.userId, userId), eq(sessions.ip, actor.ip), isSameBrowser, gt(sessions.createdAt, since)))
    .limit(1);
  return session !== undefined;
}
