import { lt, or, type SQL, sql } from 'drizzle-orm';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import type { App } from '../../core/context.js';
import { emailTokens, loginFailures, secondFactorChallenges, sessions } from './auth.table.js';

const DAY = 86_400_000;
/** After its last possible moment, for that long an ended session still says which devices a person is known by. */
const SESSION_DAYS = 90;
const TOKEN_DAYS = 30;
const CHALLENGE_DAYS = 1;
const FAILURE_DAYS = 30;
/** Counters of networks mean one minute, and somebody who owns many addresses can make many. */
const NETWORK_FAILURE_DAYS = 1;
const AT_ONCE = 1_000;

/**
 * Deletes what nobody can use any more: sessions, single-use tokens, half-finished sign-ins, counters of guesses. An
 * account that guesses have closed for good stays closed. Answers how many rows went.
 */
export async function deleteExpiredCredentials(app: App): Promise<number> {
  const before = (days: number) => new Date(app.now().getTime() - days * DAY);
  const { key, lastAt, blockedUntil } = loginFailures;
  const isOver = sql`(${blockedUntil} is null or ${lt(blockedUntil, app.now())})`;
  const isNetwork = sql`starts_with(${key}, 'net:')`;
  const isOld = or(lt(lastAt, before(FAILURE_DAYS)), sql`${isNetwork} and ${lt(lastAt, before(NETWORK_FAILURE_DAYS))}`);
  return (
    (await deleteWhere(app, { table: sessions, id: sessions.id, where: lt(sessions.endsAt, before(SESSION_DAYS)) })) +
    (await deleteWhere(app, {
      table: emailTokens,
      id: emailTokens.id,
      where: lt(emailTokens.expiresAt, before(TOKEN_DAYS)),
    })) +
    (await deleteWhere(app, {
      table: secondFactorChallenges,
      id: secondFactorChallenges.id,
      where: lt(secondFactorChallenges.expiresAt, before(CHALLENGE_DAYS)),
    })) +
    (await deleteWhere(app, { table: loginFailures, id: key, where: sql`${isOver} and (${isOld})` }))
  );
}

/** A thousand at a time: no statement is long, and being cut off loses nothing. */
async function deleteWhere(
  app: App,
  { table, id, where }: { table: PgTable; id: PgColumn; where: SQL },
): Promise<number> {
  for (let deleted = 0; ; ) {
    const some = app.db.select({ id }).from(table).where(where).limit(AT_ONCE);
    const gone = await app.db.delete(table).where(sql`${id} in ${some}`).returning({ id });
    deleted += gone.length;
    if (gone.length < AT_ONCE) return deleted;
  }
}
