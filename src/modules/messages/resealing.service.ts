import { and, asc, eq, sql } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { type DataKey, resealWith } from '../data-keys/data-keys.service.js';
import { aboutEntry } from './log-messages.service.js';
import { messageLogs as table } from './messages.table.js';

/** An entry can hold most of a megabyte. */
const AT_ONCE = 50;

type Place = { occurredAt: Date; id: string };

/**
 * Seals what was logged of a person under the newest of their keys, a few entries in each statement: cut off at any
 * point it goes on where it was, for each entry says which key it is under. Every entry stays readable meanwhile, for
 * the older keys are still there. Entries that cannot be opened stay as they are.
 *
 * @returns how many entries were sealed anew
 */
export async function resealMessages(
  app: App,
  { userId, keys }: { userId: string; keys: readonly DataKey[] },
): Promise<number> {
  let resealed = 0;
  let after: Place | undefined;
  for (;;) {
    const rows = await app.db
      .select({ id: table.id, occurredAt: table.occurredAt, sealed: table.sealedContent })
      .from(table)
      .where(and(eq(table.userId, userId), beyond(after)))
      .orderBy(asc(table.occurredAt), asc(table.id))
      .limit(AT_ONCE);
    resealed += await write(
      app,
      rows.flatMap((row) => toChange(app, { row, keys })),
    );
    if (rows.length < AT_ONCE) return resealed;
    after = rows.at(-1);
  }
}

const beyond = (after: Place | undefined) =>
  after &&
  sql`(${table.occurredAt}, ${table.id}) > (${sql.param(after.occurredAt, table.occurredAt)}, ${sql.param(after.id, table.id)})`;

interface Change {
  id: string;
  sealed: string;
}

function toChange(app: App, { row, keys }: { row: Change; keys: readonly DataKey[] }): Change[] {
  try {
    const sealed = resealWith(keys, { sealed: row.sealed, about: aboutEntry(row.id) });
    return sealed === undefined ? [] : [{ id: row.id, sealed }];
  } catch (error) {
    // Altered in the database. Its key stays, too: what stands in the way is seen, and one entry keeps no other.
    app.log.error({ err: error, messageLogId: row.id }, 'a logged entry cannot be opened, and was not sealed anew');
    return [];
  }
}

/** Two who do this at once write the same text under the same key; an entry deleted meanwhile stays deleted. */
async function write(app: App, changes: readonly Change[]): Promise<number> {
  if (changes.length === 0) return 0;
  const rows = await app.db
    .update(table)
    .set({ sealedContent: sql`changed.sealed` })
    .from(sql`jsonb_to_recordset(${JSON.stringify(changes)}::text::jsonb) as changed (id uuid, sealed text)`)
    .where(eq(table.id, sql`changed.id`))
    .returning({ id: table.id });
  return rows.length;
}
